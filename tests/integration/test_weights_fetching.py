"""Published weights from a local server: resume, checksum, cache, and what to do without a network."""

import io
import tarfile

import pytest

from collectors.downloader import DownloadSettings
from collectors.errors import ConfigError, InputError, RemoteError
from pipelines.weights.fetching import fetch_weights
from pipelines.weights.zoo import ZooWeights, find_zoo_weights, is_zoo_name, zoo_weights
from tests.support.command import tagbox_here
from tests.support.fake_bucket.server import FakeBucket

QUICK = DownloadSettings(per_host=1, attempts=3, back_off_s=0.01, read_timeout_s=5, deadline_s=30)
ONE_TRY = DownloadSettings(per_host=1, attempts=1, back_off_s=0.01, read_timeout_s=5, deadline_s=30)


def _archive(folder="ssd_v1"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in {
            "model.ckpt.index": b"index", "model.ckpt.data-00000-of-00001": bytes(range(256)) * 900,
            "frozen_inference_graph.pb": b"graph", "saved_model/saved_model.pb": b"large", "../escape.pb": b"no",
        }.items():  # fmt: skip
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def server():
    with FakeBucket({"zoo.tar.gz": _archive(), "net.h5": bytes(range(256)) * 800}) as bucket:
        yield bucket


def _weights(server, name="zoo.tar.gz", sha256=""):
    return ZooWeights(name.partition(".")[0], f"{server.url}/{name}", sha256)


def test_an_archive_is_fetched_once_and_its_checkpoint_unpacked(server, tmp_path):
    cache = tmp_path / "cache"
    folder = fetch_weights(_weights(server), cache, settings=QUICK)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    wanted = [".complete", "frozen_inference_graph.pb", "model.ckpt.data-00000-of-00001", "model.ckpt.index"]
    assert names == wanted
    assert not (tmp_path / "escape.pb").exists()
    assert [path.name for path in cache.iterdir()] == ["zoo"]
    asked = server.num_requests
    assert fetch_weights(_weights(server), cache, settings=QUICK) == folder
    assert server.num_requests == asked


def test_a_download_that_broke_off_goes_on_in_a_later_process(server, tmp_path):
    whole = len(server.files["net.h5"])
    server.cut_after, server.cuts = 100_000, 1
    with pytest.raises(RemoteError, match="Run the same command again to go on with what came"):
        fetch_weights(_weights(server, "net.h5"), tmp_path, settings=ONE_TRY)
    kept = (tmp_path / "net.h5.part").stat().st_size
    assert 0 < kept < whole
    path = fetch_weights(_weights(server, "net.h5"), tmp_path, settings=ONE_TRY)
    assert path.read_bytes() == server.files["net.h5"]
    assert server.journal[-1].range == f"bytes={kept}-"
    assert server.journal[-1].num_sent == whole - kept


def test_the_published_checksum_counts(server, tmp_path):
    with pytest.raises(InputError, match=r"is not what was published as `net` .* removed\. Run the same command"):
        fetch_weights(_weights(server, "net.h5", "0" * 64), tmp_path, settings=QUICK)
    assert not list(tmp_path.iterdir())


def test_without_a_published_one_the_cache_keeps_its_own(server, tmp_path):
    path = fetch_weights(_weights(server, "net.h5"), tmp_path, settings=QUICK)
    path.write_bytes(b"rotten")
    with pytest.raises(InputError, match="is not what was published"):
        fetch_weights(_weights(server, "net.h5"), tmp_path, settings=QUICK)
    assert fetch_weights(_weights(server, "net.h5"), tmp_path, settings=QUICK).stat().st_size == 256 * 800


def test_an_archive_cut_in_half_and_a_page_in_its_place(server, tmp_path):
    server.files["zoo.tar.gz"] = server.files["zoo.tar.gz"][:1500]
    with pytest.raises(InputError, match=r"is not a whole \.tar\.gz"):
        fetch_weights(_weights(server), tmp_path, settings=QUICK)
    assert not (tmp_path / "zoo.tar.gz").exists()
    server.html = True
    with pytest.raises(InputError, match=r"is not a whole \.tar\.gz"):
        fetch_weights(_weights(server), tmp_path, settings=QUICK)


def test_offline_and_not_there_say_what_to_do_by_hand(server, tmp_path):
    with pytest.raises(RemoteError) as refusal:
        fetch_weights(ZooWeights("x", "http://127.0.0.1:9/a/net.h5"), tmp_path / "c", settings=ONE_TRY)
    message = str(refusal.value)
    assert message.startswith("http://127.0.0.1:9/a/net.h5: cannot fetch the weights `x` (cannot reach the host")
    assert f"put it at {tmp_path / 'c' / 'net.h5'}, then run the same command again." in message
    assert "\n" not in message
    with pytest.raises(RemoteError, match="the server answered 404"):
        fetch_weights(_weights(server, "gone.h5"), tmp_path, settings=QUICK)
    # And by hand it works: the file is put there, no server is asked.
    (tmp_path / "c").mkdir(exist_ok=True)
    (tmp_path / "c" / "net.h5").write_bytes(b"by hand")
    assert fetch_weights(ZooWeights("x", "http://127.0.0.1:9/a/net.h5"), tmp_path / "c").read_bytes() == b"by hand"


def test_names():
    assert is_zoo_name("imagenet")
    assert is_zoo_name("ssd_mobilenet_v1_coco")
    assert not is_zoo_name("runs/mine")
    with pytest.raises(ConfigError, match="Did you mean ssdlite_mobilenet_v2_coco"):
        find_zoo_weights("ssdlite_mobilnet_v2_coco")
    v2 = find_zoo_weights("imagenet", model_id="MobileNetV2", depth_multiplier=0.35)
    assert v2.file_name == "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    assert find_zoo_weights("imagenet").file_name == "mobilenet_1_0_224_tf_no_top.h5"
    with pytest.raises(ConfigError, match=r"Published ones: 0\.25, 0\.5, 0\.75, 1\."):
        find_zoo_weights("imagenet", depth_multiplier=0.6)
    assert len({weights.name for weights in zoo_weights()}) == len(zoo_weights())


def test_the_commands(server, tmp_path):
    server.files["ssdlite_mobilenet_v2_coco_2018_05_09.tar.gz"] = _archive()
    arguments = ["weights", "fetch", "ssdlite_mobilenet_v2_coco", "--mirror", server.url, "--cache", str(tmp_path)]
    refused = tagbox_here(*arguments)
    assert refused.code == 6
    assert "is not what was published" in refused.err  # our archive is not the genuine one
    server.files["ssd_mobilenet_v2_320x320_coco17_tpu-8.tar.gz"] = _archive()
    arguments[2] = "ssd_mobilenet_v2_320x320_coco17"
    fetched = tagbox_here(*arguments)
    assert fetched.code == 0
    assert fetched.out.strip() == str(tmp_path / "ssd_mobilenet_v2_320x320_coco17_tpu-8")
    listed = tagbox_here("weights", "list", "--json")
    assert '"name": "ssd_mobilenet_v1_coco"' in listed.out

"""The download stage beside img2dataset 1.47: the same server, files, threads and process count, in turns.

Set TAGBOX_BENCH_IMG2DATASET to a Python that has img2dataset, TAGBOX_BENCH_TURNS to other than five turns. The server
sends prepared bytes from a process of its own. Each side's time is that of its stage alone, without the start of Python
and the imports: ours around the call that fetches and judges, theirs as img2dataset writes it into its ``_stats.json``.
One worker process each (img2dataset has a second one that hands out the work).
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.collecting import environment
from tests.support.fake_tumblr import Faults, World, WorldSettings
from tests.support.fake_tumblr.pictures import picture_bytes, scaled

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]

# A thousand pictures of about 60 kB: short turns, so that what else the machine does falls on both.
_SETTINGS = WorldSettings(posts=620, pictures_per_post=1.625)
_ROOT = Path(__file__).resolve().parents[2]
_THREADS = 16
_TURNS = int(os.environ.get("TAGBOX_BENCH_TURNS", "5"))

# What img2dataset does with the bytes. The first is what its command does unless told otherwise, the last nothing but
# the download. Ours decodes each picture in full, hashes it three times, measures its quality, sorts out copies.
_THEIR_MODES = {
    "default (decode, resize to 256, encode)": {},
    "no resize (decode, encode)": {"resize_mode": "no"},
    "no resize, no encoding (decode)": {"resize_mode": "no", "skip_reencode": True},
    "bytes as they came (no decode)": {"disable_all_reencoding": True},
}
_DEFAULT_MODE = next(iter(_THEIR_MODES))

_OUR_STAGE = """
import sys, time
from pathlib import Path
from threading import Event
from collectors.downloader import DownloadSettings
from collectors.ledger import open_ledger
from collectors.retrying import retry_refused
from collectors.tumblr import CollectOptions
data, urls, threads = Path(sys.argv[1]), Path(sys.argv[2]).read_text().split(), int(sys.argv[3])
ledger = open_ledger(data)
with ledger.transaction() as db:
    db.execute("INSERT INTO queries (class_name, tag, blog, since, until) VALUES ('pose', 'pose', '', 0, 0)")
    db.execute("INSERT INTO walks (query_id, state, is_head, floor) VALUES (1, 'done', 0, 0)")
    db.executemany("INSERT INTO media (media_key, url, declared_width, declared_height, class_name, query_id, walk_id, "
                   "turn, state, code, is_retryable) VALUES (?, ?, 0, 0, 'pose', 1, 1, ?, 'refused', 'waiting', 1)",
                   [(url, url, turn) for turn, url in enumerate(urls, 1)])
options = CollectOptions(num_threads=threads, download=DownloadSettings(per_host=threads))
started = time.time()
kept = retry_refused(ledger, options, agent="bench", stop=Event()).kept
print(kept, time.time() - started)
"""
# Their worker process imports the script again.
_THEIR_STAGE = """
import json, sys
from img2dataset import download
if __name__ == "__main__":
    download(url_list=sys.argv[1], output_folder=sys.argv[2], processes_count=1, thread_count=int(sys.argv[3]),
             output_format="files", **json.loads(sys.argv[4]))
"""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.prepared_media", str(folder)],
        env=environment(Path("/"), PYTHONPATH=str(_ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_throughput_beside_img2dataset(tmp_path: Path) -> None:
    interpreter = os.environ.get("TAGBOX_BENCH_IMG2DATASET")
    if not interpreter:
        pytest.skip("set TAGBOX_BENCH_IMG2DATASET to a Python with img2dataset 1.47 to compare with it")
    names = _write_pictures(tmp_path / "media")
    seconds: dict[str, list[float]] = {"ours": [], **{mode: [] for mode in _THEIR_MODES}}
    with _served(tmp_path / "media") as url:
        (tmp_path / "urls.txt").write_text("\n".join(f"{url}/{name}" for name in names), encoding="utf-8")
        for turn in range(_TURNS):
            for place, (mode, options) in enumerate(_THEIR_MODES.items()):
                folder = tmp_path / f"theirs-{turn}-{place}"
                seconds[mode].append(_their_seconds(interpreter, tmp_path / "urls.txt", folder, options, len(names)))
                if place == 0:
                    seconds["ours"].append(_our_seconds(tmp_path / "urls.txt", tmp_path / f"ours-{turn}", len(names)))
            print(f"\nturn {turn}, load {os.getloadavg()[0]:.1f}: "
                  f"{ {name: round(times[-1], 2) for name, times in seconds.items()} }")  # fmt: skip
    ratios = {
        mode: statistics.median(theirs / ours for theirs, ours in zip(seconds[mode], seconds["ours"], strict=True))
        for mode in _THEIR_MODES
    }
    print(f"{len(names)} pictures, median over {_TURNS} turns of img2dataset's time over ours:")
    for mode, ratio in ratios.items():
        print(f"  {ratio:.2f}  {mode}")
    assert ratios[_DEFAULT_MODE] >= 1.0


def _write_pictures(folder: Path) -> list[str]:
    """Write every picture of the world, drawn as its 1280x1920 rendition."""
    folder.mkdir()
    names = []
    for picture in World(_SETTINGS, Faults()).pictures.values():
        name = f"{picture.number}.{picture.extension}"
        (folder / name).write_bytes(picture_bytes(scaled(picture.recipe, 1280, 1920)))
        names.append(name)
    return names


def _our_seconds(urls: Path, data: Path, num: int) -> float:
    words = [sys.executable, "-c", _OUR_STAGE, str(data), str(urls), str(_THREADS)]
    done = subprocess.run(words, env=environment(data.parent), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept, seconds = done.stdout.split()
    assert int(kept) == num
    return float(seconds)


def _their_seconds(interpreter: str, urls: Path, folder: Path, options: dict[str, object], num: int) -> float:
    script = folder.parent / "theirs.py"
    script.write_text(_THEIR_STAGE, encoding="utf-8")
    words = [interpreter, str(script), str(urls), str(folder), str(_THREADS), json.dumps(options)]
    environ = environment(folder.parent, PYTHONPATH="", NO_ALBUMENTATIONS_UPDATE="1")
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stats = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*_stats.json")]
    assert sum(shard["successes"] for shard in stats) == num
    return max(shard["end_time"] for shard in stats) - min(shard["start_time"] for shard in stats)

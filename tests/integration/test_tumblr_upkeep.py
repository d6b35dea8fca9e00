"""What happens to pictures after they were kept: labelled, recorded, regated, retried, forgotten, credited."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from collectors.attribution import write_attribution
from collectors.dataset_tracking import find_removed, track_labels, track_records
from collectors.errors import InputError
from collectors.forgetting import forget, read_target
from collectors.image_quality import QualityThresholds
from collectors.ledger import Ledger, open_ledger
from collectors.ledger_reports import ledger_status
from collectors.regating import regate
from collectors.retrying import retry_refused
from tests.support.collecting import collect_here, options, outcomes
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings

_FAULTS = Faults(
    blurry=0.08, dark=0.04, same_bytes=0.06, smaller_copy=0.08, mirrored=0.06, constant_500=0.06, reblogged=0.1
)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeTumblr]:
    with FakeTumblr(World(WorldSettings(posts=70, width=360, height=270), _FAULTS)) as fake:
        yield fake


@pytest.fixture
def data(served: FakeTumblr, tmp_path: Path) -> Path:
    collect_here(tmp_path / "data", served.url)
    return tmp_path / "data"


@pytest.fixture
def ledger(data: Path) -> Iterator[Ledger]:
    opened = open_ledger(data)
    yield opened
    opened.close()


def _kept(ledger: Ledger) -> list[Path]:
    rows = ledger.connection.execute(
        "SELECT path FROM media WHERE state IN ('kept', 'labelled', 'recorded') ORDER BY id"
    )
    return [ledger.root / row["path"] for row in rows]


def _files(data: Path) -> set[str]:
    return {path.relative_to(data).as_posix() for path in data.rglob("*") if path.suffix in (".jpg", ".png", ".xml")}


def _label(image: Path, split: str, *, move: bool = True) -> Path:
    """Put an XML where LabelImg would, and move the picture as people do."""
    class_dir = image.parents[2]
    xml = class_dir / split / f"{image.stem}.xml"
    xml.parent.mkdir(parents=True, exist_ok=True)
    xml.write_text("<annotation/>", encoding="utf-8")
    if move:
        (class_dir / split / "images").mkdir(exist_ok=True)
        image.rename(class_dir / split / "images" / image.name)
    return xml


def test_labelled_pictures_are_followed_and_counted(ledger: Ledger, data: Path) -> None:
    first, second, third = _kept(ledger)[:3]
    _label(first, "training")
    xml = _label(second, "verification", move=False)
    _label(third, "unlabeled", move=False)
    assert track_labels(ledger) == 3
    assert track_labels(ledger) == 3
    paths = {path.relative_to(data).as_posix() for path in _kept(ledger)}
    assert f"pose/training/images/{first.name}" in paths
    assert f"pose/unlabeled/images/{second.name}" in paths
    assert ledger_status(ledger).states["labelled"] == 3
    xml.unlink()
    assert track_labels(ledger) == 2
    assert find_removed(ledger) == 0


def test_recorded_pictures_are_known_by_their_content(ledger: Ledger, data: Path, tmp_path: Path) -> None:
    first, second = _kept(ledger)[:2]
    for image in (first, second):
        _label(image, "training")
    track_labels(ledger)
    sha256 = ledger.connection.execute("SELECT sha256 FROM media WHERE state = 'labelled' ORDER BY id").fetchone()[0]
    records = tmp_path / "records"
    records.mkdir()
    manifest = {"records": [{"file": "pose_training.record", "examples": [{"image": "x.jpg", "image_sha256": sha256}]}]}
    (records / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert track_records(ledger, [records, tmp_path / "none"]) == 1
    states = ledger_status(ledger).states
    assert (states["recorded"], states["labelled"]) == (1, 1)
    (records / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="manifest cannot be read"):
        track_records(ledger, [records])
    (records / "manifest.json").unlink()
    assert track_records(ledger, [records]) == 0
    assert ledger_status(ledger).states["labelled"] == 2


def test_what_people_delete_stays_out(served: FakeTumblr, ledger: Ledger, data: Path) -> None:
    gone = _kept(ledger)[4]
    gone.unlink()
    assert find_removed(ledger) == 1
    requests = len(served.media_requests)
    collect_here(data, served.url)
    assert not gone.exists()
    assert len(served.media_requests) == requests
    assert Counter(outcomes(data).values())["removed_by_hand"] == 1
    tally = retry_refused(ledger, options(), agent="tests", stop=Event(), codes=["removed_by_hand"])
    assert tally.kept == 1
    assert gone.is_file()


def test_a_disk_that_is_not_there_changes_nothing(ledger: Ledger, data: Path) -> None:
    (data / "pose").rename(data / "elsewhere")
    assert find_removed(ledger) == 0


def test_regate_there_and_back_again_downloads_nothing(served: FakeTumblr, ledger: Ledger, data: Path) -> None:
    before, files = outcomes(data), _files(data)
    before_kept = list(before.values()).count("kept")
    requests = len(served.media_requests)
    strict = QualityThresholds(min_side=300)
    preview = regate(ledger, strict, dry_run=True)
    assert outcomes(data) == before
    report = regate(ledger, strict)
    assert report.refused == preview.refused
    assert set(report.refused) == {"too_small"}
    assert report.unchanged == 0
    assert not list((data / "pose" / "unlabeled" / "images").iterdir())
    loose = regate(ledger, QualityThresholds(min_sharpness=0, min_brightness=0))
    judged = [code for code in before.values() if code in ("kept", "blurry", "dark")]
    assert loose.kept + loose.still_refused == len(judged)
    assert loose.kept > before_kept
    back = regate(ledger, QualityThresholds())
    assert set(back.refused) == {"blurry", "dark"}
    # Copies whose best was out for a while may stand for themselves: they wait to be fetched again.
    after = outcomes(data)
    assert {key: code for key, code in after.items() if code != "seen"}.items() <= before.items()
    assert list(after.values()).count("kept") == before_kept
    assert len(served.media_requests) == requests
    collect_here(data, served.url)
    assert outcomes(data) == before
    assert _files(data) == files


def test_regate_leaves_labelled_pictures(ledger: Ledger) -> None:
    image = _kept(ledger)[0]
    _label(image, "training", move=False)
    track_labels(ledger)
    regate(ledger, QualityThresholds(min_side=5_000))
    assert _kept(ledger) == [image]
    assert image.is_file()


def test_retry_takes_only_what_can_succeed(served: FakeTumblr, ledger: Ledger, data: Path) -> None:
    before = outcomes(data)
    failed = {key for key, code in before.items() if code == "http_500"}
    assert failed
    requests = len(served.media_requests)
    mended = sorted(failed)[0]
    served.world.pictures[mended].lasting = ""
    try:
        tally = retry_refused(ledger, options(), agent="tests", stop=Event())
    finally:
        served.world.pictures[mended].lasting = "constant_500"
    after = outcomes(data)
    assert after[mended] in ("kept", "duplicate", "near_duplicate", "blurry", "dark")
    assert sum(tally.refused.values()) + tally.kept == len(failed)
    assert {key for key in before if before[key] != after[key]} >= {mended}
    asked = {request.path.split("/")[1] for request in served.media_requests[requests:]}
    assert len(asked) == len(failed)


def test_a_labelled_picture_stays_though_a_larger_copy_comes(served: FakeTumblr, tmp_path: Path) -> None:
    world = World(WorldSettings(posts=60, width=400, height=300), Faults(smaller_copy=0.5))
    with FakeTumblr(world) as fake:
        posts = list(world.posts)
        small, key = next(
            (post, picture.media_key) for post in posts for picture in post.pictures if picture.recipe.copy and
            picture.recipe.master not in {other.recipe.master for other in post.pictures if not other.recipe.copy}
        )  # fmt: skip
        world.posts = [small]
        data = tmp_path / "data"
        collect_here(data, fake.url)
        ledger = open_ledger(data)
        path = data / ledger.connection.execute("SELECT path FROM media WHERE media_key = ?", (key,)).fetchone()[0]
        _label(path, "training")
        track_labels(ledger)
        ledger.close()
        world.posts = [post for post in posts if post is not small]
        for post in world.posts:
            post.order += 10**6
            post.timestamp += 10**6
        collect_here(data, fake.url)
        larger = world.pictures[key].recipe.master
        rival = next(p.media_key for p in world.pictures.values() if p.recipe.master == larger and not p.recipe.copy)
        assert outcomes(data)[rival] == "near_duplicate"
        assert outcomes(data)[key] == "labelled"
        assert (data / "pose" / "training" / "images" / path.name).is_file()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("802850807956602881", ("post", "802850807956602881")),
        ("https://me.tumblr.com/post/802850807956602881/a-title", ("post", "802850807956602881")),
        ("https://www.tumblr.com/blog/view/me/802850807956602881", ("post", "802850807956602881")),
        ("https://www.tumblr.com/me/802850807956602881/title", ("post", "802850807956602881")),
        ("me", ("blog", "me")),
        ("me.tumblr.com", ("blog", "me")),
        ("https://me.tumblr.com/", ("blog", "me")),
        ("https://www.tumblr.com/me", ("blog", "me")),
        ("t:abc_-", ("blog", "t:abc_-")),
        ("A" * 64, ("hash", "a" * 64)),
        ("1" * 32 + ":" + "2" * 16 + "-0a", ("media_key", "1" * 32 + ":" + "2" * 16 + "-0a")),
    ],
)
def test_what_is_to_be_forgotten_can_be_named_in_many_ways(text: str, expected: tuple[str, str]) -> None:
    assert read_target(text) == expected


@pytest.mark.parametrize("kind", ["post", "blog", "hash"])
def test_what_is_forgotten_is_gone_everywhere_and_never_comes_back(
    served: FakeTumblr, ledger: Ledger, data: Path, tmp_path: Path, kind: str
) -> None:
    row = ledger.connection.execute(
        "SELECT media.id, media.path, media.sha256, posts.post_id, posts.blog FROM media "
        "JOIN sightings ON sightings.media = media.id JOIN posts ON posts.id = sightings.post WHERE state = 'kept' "
        "AND EXISTS (SELECT 1 FROM media AS copy WHERE copy.duplicate_of = media.id) ORDER BY media.id LIMIT 1"
    ).fetchone()
    image = data / row["path"]
    content = image.read_bytes()
    xml = _label(image, "training")
    track_labels(ledger)
    copied = data / "other class" / "images" / "renamed by hand.jpg"
    copied.parent.mkdir(parents=True)
    copied.write_bytes(content)
    records = tmp_path / "records"
    records.mkdir()
    manifest = {"records": [{"file": "pose_training.record", "examples": [
        {"image": f"pose/training/images/{image.name}", "image_sha256": row["sha256"]}]},
        {"file": "other.record", "examples": [{"image": "y.jpg", "image_sha256": "0" * 64}]}]}  # fmt: skip
    (records / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    target = {"post": row["post_id"], "blog": f"{row['blog']}.tumblr.com", "hash": row["sha256"]}[kind]

    preview = forget(ledger, target, records_dirs=[records], dry_run=True)
    assert xml.is_file()
    report = forget(ledger, target, records_dirs=[records])
    assert (report.files, report.records) == (preview.files, preview.records)
    assert report.records == [(records / "pose_training.record").as_posix()]
    assert {xml.relative_to(data).as_posix(), f"pose/training/images/{image.name}"} <= set(report.files)
    assert copied.relative_to(data).as_posix() in report.files
    assert not any((data / name).exists() for name in report.files)
    assert not any(path.read_bytes() == content for path in data.rglob("*.jpg"))
    rows = ledger.connection.execute("SELECT count(*) FROM media WHERE sha256 = ?", (row["sha256"],)).fetchone()
    assert rows[0] == 0
    status = ledger_status(ledger)
    assert status.num_forgotten > 0
    assert status.num_pictures == ledger.connection.execute("SELECT count(*) FROM media").fetchone()[0]
    # Everything is read again: what is forgotten is neither stored nor fetched, nor are copies of it kept.
    ledger.connection.execute("DELETE FROM walks WHERE id NOT IN (SELECT walk_id FROM media)")
    ledger.connection.execute("UPDATE walks SET state = 'open', before = NULL, note = 'under way'")
    kept = {path.name for path in data.rglob("tumblr-*.jpg")}
    collect_here(data, served.url)
    assert not any(path.read_bytes() == content for path in data.rglob("*.jpg"))
    assert {path.name for path in data.rglob("tumblr-*.jpg")} == kept
    assert forget(ledger, target, records_dirs=[]).files == []


def test_every_kept_picture_is_credited_copies_merged(ledger: Ledger, data: Path, served: FakeTumblr) -> None:
    paths, num = write_attribution(ledger)
    rows = list(csv.DictReader(paths[0].read_text(encoding="utf-8").splitlines()))
    assert len(rows) == num
    assert {row["file"] for row in rows} == {path.relative_to(data).as_posix() for path in _kept(ledger)}
    by_file = Counter(row["file"] for row in rows)
    assert max(by_file.values()) > 1  # a picture from several posts
    for row in rows:
        assert row["post_url"].startswith("https://blog-")
        assert row["blog"]
        assert row["root_blog"]
        assert "pose" in row["tags"].split(", ")
        assert "licence was not checked" in row["licence"]
        assert row["query"] == "#pose"
    assert any(row["root_blog"].startswith("root-") for row in rows)
    assert any(row["alt_text"].startswith("picture number") for row in rows)
    text = paths[1].read_text(encoding="utf-8")
    assert all(f"| {row['file']} |" in text for row in rows)
    first = [path.read_bytes() for path in paths]
    write_attribution(ledger)
    assert first == [path.read_bytes() for path in paths]

import shutil
from pathlib import Path

import pytest

from collectors.errors import ConfigError, InputError
from labeling.errors import DatasetError
from labeling.placing import Outcome, PlacingReport, place_labels, read_names, stem_of
from labeling.validate import check_dataset
from tests.unit.labeling.labeled_pictures import picture_bytes, write_pair


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for seed, stem in enumerate(["a", "b", "c.2", "d"]):
        write_pair(folder, stem, seed=seed)
    return folder


def _place(
    source: Path, out: Path, training: list[str], verification: list[str], *, dry_run: bool = False
) -> PlacingReport:
    names = {"training": training, "verification": verification}
    return place_labels(source, out, class_name="cat", names=names, dry_run=dry_run)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_copies_pairs_byte_for_byte(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    report = _place(source, out, ["c.2", "a"], ["b"])
    assert [(one.name, one.split, one.outcome) for one in report.placements] == [
        ("a", "training", Outcome.COPIED),
        ("c.2", "training", Outcome.COPIED),
        ("b", "verification", Outcome.COPIED),
    ]
    assert report.unnamed == (source / "d.xml",)
    assert _tree(out) == {
        f"cat/{split}/{name}": (source / name).read_bytes()
        for split, names in (("training", ("a", "c.2")), ("verification", ("b",)))
        for stem in names
        for name in (f"{stem}.xml", f"images/{stem}.jpg")
    }
    assert {image.split for image in check_dataset(out).images} == {"training", "verification"}


def test_second_run_finds_everything_in_place(source: Path, tmp_path: Path) -> None:
    _place(source, tmp_path / "data", ["a"], ["b"])
    before = _tree(tmp_path / "data")
    report = _place(source, tmp_path / "data", ["a"], ["b"])
    assert {one.outcome for one in report.placements} == {Outcome.PRESENT}
    assert _tree(tmp_path / "data") == before


def test_half_placed_pair_is_completed(source: Path, tmp_path: Path) -> None:
    _place(source, tmp_path / "data", ["a"], [])
    (tmp_path / "data" / "cat" / "training" / "a.xml").unlink()
    (one,) = _place(source, tmp_path / "data", ["a"], []).placements
    assert one.outcome is Outcome.COPIED
    assert (tmp_path / "data" / "cat" / "training" / "a.xml").exists()


def test_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    report = _place(source, tmp_path / "data", ["a"], ["none"], dry_run=True)
    assert [one.outcome for one in report.placements] == [Outcome.COPIED, Outcome.REFUSED]
    assert not (tmp_path / "data").exists()


def test_every_refusal_has_its_reason(source: Path, tmp_path: Path) -> None:
    (source / "images" / "b.jpg").unlink()
    (source / "images" / "d.png").write_bytes(picture_bytes("PNG"))
    write_pair(source / "more", "a", seed=9)
    report = _place(source, tmp_path / "data", ["a", "b", "c.2", "x"], ["c.2", "d"])
    assert {one.outcome for one in report.placements} == {Outcome.REFUSED}
    reasons = {f"{one.name} {one.split}": one.reason for one in report.placements}
    assert reasons["x training"] == "no XML of this stem in the source"
    assert reasons["b training"] == "no picture of this stem in the source"
    assert reasons["c.2 training"] == reasons["c.2 verification"] == "it stands in both lists"
    assert reasons["d verification"] == "several pictures of this stem: d.jpg, d.png"
    assert reasons["a training"].startswith("several XML of this stem: ")
    assert not (tmp_path / "data").exists()


def test_nothing_is_overwritten(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    _place(source, out, ["a", "b"], [])
    (out / "cat" / "training" / "a.xml").write_bytes(b"mine")
    (out / "cat" / "training" / "images" / "b.jpg").write_bytes(b"mine")
    before = _tree(out)
    report = _place(source, out, ["a", "b"], [])
    assert [one.outcome for one in report.placements] == [Outcome.REFUSED, Outcome.REFUSED]
    assert all("with other content" in one.reason for one in report.placements)
    assert _tree(out) == before


def test_a_pair_never_gets_into_both_splits(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    _place(source, out, ["a"], [])
    (one,) = _place(source, out, [], ["a"]).placements
    assert (one.outcome, one.reason) == (Outcome.REFUSED, "it is in training/ already")
    assert not (out / "cat" / "verification").exists()


def test_a_second_picture_of_the_stem_is_not_made(source: Path, tmp_path: Path) -> None:
    images = tmp_path / "data" / "cat" / "training" / "images"
    images.mkdir(parents=True)
    (images / "a.png").write_bytes(b"")
    (one,) = _place(source, tmp_path / "data", ["a"], []).placements
    assert one.outcome is Outcome.REFUSED
    assert one.reason.endswith("a.png has the same stem")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b"])
def test_class_name_must_be_a_folder_name(name: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a folder"):
        place_labels(source, tmp_path / "data", class_name=name, names={"training": ["a"]})


def test_full_disk_leaves_no_half_file(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(old: Path, new: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(InputError, match="No space left"):
        _place(source, tmp_path / "data", ["a"], [])
    assert _tree(tmp_path / "data") == {}
    monkeypatch.undo()
    assert _place(source, tmp_path / "data", ["a"], []).count("training", Outcome.COPIED) == 1


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("list.csv", "filename,width,class\na.jpg,1,x\nb.jpg,1,x\na.jpg,1,x\n", ("a", "b")),
        ("list.csv", "class, Filename\nx,images/a.JPG\n", ("a",)),
        ("list.csv", "a.jpg\nb.jpg\n", ("a", "b")),
        ("list.txt", "# the split\n\na\n  b.png \nC:\\pictures\\c.2.jpeg\nv1.5\n", ("a", "b", "c.2", "v1.5")),
        ("list.txt", "\ufeffa.xml\r\nb.xml\r\n", ("a", "b")),
        ("list.txt", "a, the first.jpg\n", ("a, the first",)),
    ],
)
def test_reads_names(name: str, content: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_names(path) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names nothing"),
        (b"# none\n", "names nothing"),
        (b"image,class\na,b\n", "no `filename` column"),
        (b"\xff", "UTF-8"),
    ],
)
def test_useless_lists_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_names(path)
    with pytest.raises(InputError, match="cannot read the list"):
        read_names(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.jpg", "a"), ("x/a.b.png", "a.b"), ("a", "a"), (".jpg", ".jpg"), ("a.tar", "a.tar"), ("a.xml", "a")],
)
def test_stem(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_source_must_have_labels(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        _place(tmp_path / "none", tmp_path / "data", ["a"], [])
    write_pair(tmp_path / "source", "a")
    shutil.rmtree(tmp_path / "source")
    (tmp_path / "source").mkdir()
    with pytest.raises(DatasetError, match="no XML labels"):
        _place(tmp_path / "source", tmp_path / "data", ["a"], [])

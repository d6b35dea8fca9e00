"""The card of a records folder: valid Croissant, readable through it, true to the manifest and the ledger."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import pytest

from collectors.errors import InputError
from collectors.ledger_schema import LEDGER_PATH, connect
from records.build import build_records
from records.croissant import CardWords
from records.dataset_card import FileState, is_card_stale, write_card
from records.errors import ManifestError
from records.manifest import read_manifest
from records.verify import verify_records
from tests.unit.records.pictures import add_picture, make_data, picture_bytes

_NAMES = ["croissant.json", "label_map.csv", "label_map.pbtxt", "README.md"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("card")
    data = make_data(root / "data")
    add_picture(data, "cat", "training", "two", boxes=[(1, 1, 9, 9), (14, 4, 40, 20)], labels=["cat", "dog"])
    add_picture(data, "cat", "verification", "none", boxes=[])
    add_picture(data, "dog", "training", "bad", boxes=[(9, 9, 3, 3)])
    build_records(data, root / "records")
    return root


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "records", tmp_path / "my records"))


# rdflib, on which the validator stands, calls its own class out of date.
_OF_RDFLIB = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")


def _dataset(folder: Path):
    with warnings.catch_warnings():
        # Of the validator's dependencies, at their import.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        import mlcroissant
    return mlcroissant.Dataset(jsonld=folder / "croissant.json")


@_OF_RDFLIB
def test_the_card_is_valid_croissant_and_its_record_sets_can_be_read(folder, caplog):
    write_card(
        folder,
        CardWords(
            description="Cats | dogs", licences=("https://creativecommons.org/licenses/by/4.0/",), creator="A & B",
            url="https://example.com/set", citation="@misc{x}", published="2026-11-21",
        ),
    )  # fmt: skip
    dataset = _dataset(folder)
    issues = dataset.metadata.ctx.issues
    assert (list(issues.errors), list(issues.warnings)) == ([], [])
    assert "@context" not in caplog.text
    assert dataset.metadata.name == "my records"
    assert len(dataset.metadata.file_objects) == 4 + 3
    for file in dataset.metadata.file_objects:
        content = (folder / file.content_url).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.content_size == f"{len(content)} B"
    classes = [(one["classes/id"], one["classes/name"]) for one in dataset.records("classes")]
    assert classes == [(1, "cat"), (2, "dog")]
    assert [one["splits/name"] for one in dataset.records("splits")] == ["training", "verification"]
    listed = read_manifest(folder)
    assert listed is not None
    sources = [source for entry in listed.records for source in entry.all_examples()]
    pictures = list(dataset.records("pictures"))
    assert len(pictures) == len(sources) == 12
    for picture, source in zip(pictures, sources, strict=True):
        assert picture["pictures/source_id"] == source.source_id
        assert picture["pictures/image"].decode() == source.image_path
        assert picture["pictures/split"].decode() == source.split
        boxes = [
            (one["pictures/boxes/text"].decode(), one["pictures/boxes/xmin"], one["pictures/boxes/ymax"])
            for one in picture["pictures/boxes"]
        ]
        assert boxes == [(item.text, item.box.xmin, item.box.ymax) for item in source.objects]


@_OF_RDFLIB
def test_without_any_words_it_is_valid_too(folder):
    write_card(folder, CardWords())
    dataset = _dataset(folder)
    assert not list(dataset.metadata.ctx.issues.errors)
    assert "12 pictures with 12 boxes of 2 classes (cat, dog)" in dataset.metadata.description


def test_the_counts_of_readme_and_report_are_those_of_the_manifest(folder):
    report = write_card(folder, CardWords())
    cat, dog = report.totals.classes["cat"], report.totals.classes["dog"]
    assert (cat["training"].num_pictures, cat["training"].num_boxes, cat["verification"].num_boxes) == (4, 4, 2)
    assert (dog["training"].num_pictures, dog["training"].num_boxes, dog["training"].num_truncated) == (4, 4, 0)
    assert report.totals.negatives == {"training": 0, "verification": 1}
    assert report.totals.refused == {"B02": 1}
    text = (folder / "README.md").read_text()
    assert "| cat | 4 | 2 | 4 | 2 | 0 | 0 |" in text
    assert "| dog | 4 | 2 | 4 | 2 | 0 | 0 |" in text
    assert "* verification: 5 pictures, 1 of them without any object" in text
    assert "| B02 | 1 |" in text
    assert "the origin of 12 of 12 different pictures is not known" in text


def test_writing_it_again_changes_nothing_and_keeps_what_was_said(folder, made):
    words = CardWords(name="Cats", description="Mine.", licences=("MIT", "CC0-1.0"), creator="Me", version="2.1.0")
    first = write_card(folder, words)
    assert first.files == {
        "label_map.pbtxt": "up to date", "label_map.csv": "up to date",
        "croissant.json": "written", "README.md": "written",
    }  # fmt: skip
    before = {name: (folder / name).read_bytes() for name in _NAMES}
    again = write_card(folder, CardWords())
    assert set(again.files.values()) == {FileState.UP_TO_DATE}
    assert again.has_licence
    assert before == {name: (folder / name).read_bytes() for name in _NAMES}
    other = write_card(folder, CardWords(version="2.2.0"), dry_run=True)
    assert other.files["croissant.json"] == "planned"
    assert before == {name: (folder / name).read_bytes() for name in _NAMES}


def test_the_label_map_is_mended(folder):
    (folder / "label_map.csv").unlink()
    (folder / "label_map.pbtxt").write_text("nonsense {")
    write_card(folder, CardWords())
    assert (folder / "label_map.csv").read_text() == "1,cat\n2,dog\n"
    assert verify_records(folder).findings == ()


def test_a_card_of_other_records_is_found_by_verify_and_figures_follow_the_build(made, tmp_path):
    data = Path(shutil.copytree(made / "data", tmp_path / "data"))
    folder = tmp_path / "records"
    build_records(data, folder)
    write_card(folder, CardWords(creator="Me"))
    assert verify_records(folder).findings == ()
    add_picture(data, "cat", "training", "new")
    build_records(data, folder)
    assert [finding.code for finding in verify_records(folder).findings] == ["V21"]
    write_card(folder, CardWords())
    assert verify_records(folder).findings == ()
    document = json.loads((folder / "croissant.json").read_text())
    assert "13 pictures" in document["description"]
    assert document["creator"]["name"] == "Me"
    for text in ("[]", "nonsense", '{"distribution": [1]}'):
        (folder / "croissant.json").write_text(text)
        listed = read_manifest(folder)
        assert listed is not None
        assert is_card_stale(folder, listed)
        write_card(folder, CardWords())


def test_attribution_comes_from_the_ledger_of_the_data_root(folder, tmp_path):
    sha256 = hashlib.sha256(picture_bytes("cat/training/cat_training_00")).hexdigest()
    _collect(tmp_path / "data", sha256, blogs=("first", "second"))
    report = write_card(folder, CardWords(), data_root=tmp_path / "data")
    who = report.totals.attribution
    assert (who.num_pictures, who.num_credited, who.num_unknown, who.num_posts, who.num_blogs) == (12, 1, 11, 2, 1)
    assert who.num_nsfw == 1
    text = (folder / "README.md").read_text()
    assert "1 of 12 different pictures come from 2 public posts, first posted by 1 blog," in text
    assert (
        "all rights reserved unless the post says otherwise"
        in json.loads((folder / "croissant.json").read_text())["license"]
    )
    assert not report.has_licence
    (tmp_path / "data" / LEDGER_PATH).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(InputError, match="the ledger cannot be read"):
        write_card(folder, CardWords(), data_root=tmp_path / "data")


def test_what_is_in_the_way_is_refused_and_nothing_is_changed(folder, tmp_path):
    (folder / "README.md").write_text("# My own words\n")
    with pytest.raises(InputError, match="not written by"):
        write_card(folder, CardWords())
    assert not (folder / "croissant.json").exists()
    write_card(folder, CardWords(), replace_readme=True)
    path = folder / "cat_training.record"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match="not the one of the manifest"):
        write_card(folder, CardWords())
    path.unlink()
    with pytest.raises(InputError, match="it is not there"):
        write_card(folder, CardWords())
    with pytest.raises(ManifestError, match=r"no manifest\.json"):
        write_card(tmp_path, CardWords())


def _collect(root: Path, sha256: str, *, blogs: tuple[str, ...]) -> None:
    """Write a ledger in which one kept picture was seen in a post of each blog, first posted by the first of them."""
    connection = connect(root / LEDGER_PATH, create=True)
    connection.execute("INSERT INTO queries VALUES (1, 'cat', 'cat', '', 0, 0)")
    connection.execute("INSERT INTO walks (id, query_id, state, is_head, floor) VALUES (1, 1, 'done', 0, 0)")
    connection.execute(
        "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, walk_id, state, "
        "sha256, path) VALUES (1, 'k', 'u', 1, 1, 'cat', 1, 1, 'kept', ?, 'cat/unlabeled/images/x.jpg')",
        (sha256,),
    )
    for number, blog in enumerate(blogs, start=1):
        connection.execute(
            "INSERT INTO posts VALUES (?, ?, ?, '', ?, 0, '2020-01-01', '[]', 'text', ?, 0, 1, 1, 0)",
            (number, str(number), blog, f"https://{blog}.example/{number}", number - 1),
        )
        connection.execute("INSERT INTO sightings VALUES (1, ?, 0, 'u', '', ?, '1')", (number, blogs[0]))
    connection.close()

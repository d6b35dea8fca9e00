"""Labels as titles, from every place that has labels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from labeling.label_map import LabelMap, format_csv, write_label_map
from labeling.label_titles import read_labels, same_titles, title_of
from tests.support.command import tagbox_here

# Letters of every kind, and what stands between words.
_LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("raccoon", "Raccoon"),
        ("ice cream", "Ice Cream"),
        ("ice_cream", "Ice Cream"),
        ("  ice   cream ", "Ice Cream"),
        ("The Eiffel Tower", "The Eiffel Tower"),
        ("t-shirt", "T-Shirt"),
        ("bird's nest", "Bird's Nest"),
        ("o\u2019clock", "O\u2019clock"),
        ("TV", "TV"),
        ("iPhone 4s", "iPhone 4S"),
        ("\u00e9clair", "\u00c9clair"),
        ("\u732b", "\u732b"),
    ],
)
def test_titles(label, title):
    assert title_of(label) == title


@given(_LABELS)
def test_a_title_is_its_own_title_and_loses_no_letter(label):
    title = title_of(label)
    assert title_of(title) == title
    kept = "".join(label.replace("_", "").split())
    assert "".join(title.split()).upper() == kept.upper()


def test_the_order_of_labels_is_kept(tmp_path):
    path = tmp_path / "retrained_labels.txt"
    path.write_bytes(b"\xef\xbb\xbfzebra crossing\r\ncat\r\nant\r\n")
    assert read_labels(path) == ["zebra crossing", "cat", "ant"]


def test_of_a_label_map_the_line_is_the_id(tmp_path):
    label_map = LabelMap(((1, "cat"), (3, "dog")))
    write_label_map(label_map, tmp_path / "label_map.pbtxt")
    (tmp_path / "map.csv").write_text(format_csv(label_map), encoding="utf-8")
    assert read_labels(tmp_path / "map.csv") == read_labels(tmp_path) == ["cat", "???", "dog"]


def test_of_a_folder_of_label_folders(tmp_path):
    for name in ("dog", "cat", ".tagbox"):
        (tmp_path / name).mkdir()
    assert read_labels(tmp_path) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "there are no labels"),
        (b"\n \n", "there are no labels"),
        (b"cat\n\ndog\n", r"labels.txt:2: this line has no label"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"PK\x00\x01", "not a text file"),
    ],
)
def test_what_has_no_labels_is_refused(tmp_path, content, words):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_labels(path)


def test_the_command_prints_writes_and_warns(tmp_path):
    path = tmp_path / "retrained_labels.txt"
    path.write_text("ice cream\ncat\n", encoding="utf-8")
    assert tagbox_here("labels", "titles", path).out == "Ice Cream\nCat\n"
    answer = tagbox_here("labels", "titles", path, "--out", path, "--json")
    assert json.loads(answer.out)[0] == {"label": "ice cream", "title": "Ice Cream"}
    assert path.read_text(encoding="utf-8") == "Ice Cream\nCat\n"
    path.write_text("ice cream\nice_cream\n", encoding="utf-8")
    answer = tagbox_here("labels", "titles", path)
    assert (answer.code, answer.out) == (1, "Ice Cream\nIce Cream\n")
    assert "'ice cream' and 'ice_cream' have the same title" in answer.err
    missing = tagbox_here("labels", "titles", tmp_path / "gone.txt")
    assert (missing.code, "No such file" in missing.error_line) == (6, True)


def test_labels_with_one_title():
    assert same_titles(["a b", "c", "ab"]) == []
    assert same_titles(["a b", "c", "A_b"]) == [("a b", "A_b")]

"""Which label map a build uses, and how it grows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from labeling.errors import LabelMapError
from labeling.label_map import LabelMap, read_label_map
from records.errors import LabelIdsMovedError
from records.label_ids import plan_label_map, union_of_label_maps

_NAMES = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True)


def test_a_new_map_is_made_with_its_csv(tmp_path):
    plan = plan_label_map(tmp_path, ["dog", "cat"], None)
    assert not (tmp_path / "label_map.pbtxt").exists()
    assert plan.write()
    assert read_label_map(tmp_path / "label_map.pbtxt").items == ((1, "cat"), (2, "dog"))
    assert (tmp_path / "label_map.csv").read_text() == "1,cat\n2,dog\n"


def test_a_map_that_has_all_classes_is_not_touched(tmp_path):
    path = tmp_path / "label_map.pbtxt"
    path.write_text("item { name: 'cat' id: 1 }  # mine\n")
    assert not plan_label_map(tmp_path, ["cat"], None).write()
    assert path.read_text() == "item { name: 'cat' id: 1 }  # mine\n"
    assert not (tmp_path / "label_map.csv").exists()


def test_a_new_class_goes_to_the_end_and_every_old_line_stays(tmp_path):
    path = tmp_path / "label_map.pbtxt"
    old = "# animals\nitem { name: 'dog' id: 4 display_name: 'Dog!' }\nitem { name: 'cat' id: 2 }"
    path.write_text(old)
    plan = plan_label_map(tmp_path, ["ant", "cat", "dog"], None)
    assert plan.added == ("ant",)
    plan.write()
    assert path.read_text().startswith(old)
    assert read_label_map(path).items == ((2, "cat"), (4, "dog"), (5, "ant"))
    assert (tmp_path / "label_map.csv").read_text() == "2,cat\n4,dog\n5,ant\n"


@given(st.lists(_NAMES, max_size=5))
def test_ids_never_move_however_classes_come(tmp_path_factory, waves):
    root = tmp_path_factory.mktemp("data")
    known: dict[str, int] = {}
    for wave in waves:
        plan_label_map(root, wave, None).write()
        path = root / "label_map.pbtxt"
        ids = read_label_map(path).ids if path.exists() else {}
        assert known.items() <= ids.items()
        assert set(wave) <= set(ids)
        known = ids


def test_a_map_of_the_caller_is_used_as_it_is(tmp_path):
    path = tmp_path / "mine.pbtxt"
    path.write_text("item { name: 'cat' id: 9 }")
    plan = plan_label_map(tmp_path, ["cat", "dog"], path)
    assert plan.label_map.items == ((9, "cat"),)
    assert not plan.write()
    assert path.read_text() == "item { name: 'cat' id: 9 }"
    assert not (tmp_path / "label_map.pbtxt").exists()


def test_a_map_of_the_caller_that_is_absent_is_made_from_the_data_roots(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / "label_map.pbtxt").write_text("item { name: 'dog' id: 1 }")
    path = tmp_path / "maps" / "mine.pbtxt"
    assert plan_label_map(root, ["cat", "dog"], path).write()
    assert read_label_map(path).items == ((1, "dog"), (2, "cat"))
    assert (root / "label_map.pbtxt").read_text() == "item { name: 'dog' id: 1 }"


def test_an_absent_map_named_csv_is_written_as_csv(tmp_path):
    path = tmp_path / "map.csv"
    plan_label_map(tmp_path, ["cat"], path).write()
    assert [item.name for item in tmp_path.iterdir()] == ["map.csv"]
    assert read_label_map(path).items == ((1, "cat"),)


def test_a_broken_map_is_named_with_its_line(tmp_path):
    (tmp_path / "label_map.pbtxt").write_text("item {\n id: 'one'\n}")
    with pytest.raises(LabelMapError, match=r"label_map\.pbtxt:2"):
        plan_label_map(tmp_path, ["cat"], None)


def test_a_folder_in_place_of_a_map(tmp_path):
    with pytest.raises(InputError, match="cannot read the label map"):
        plan_label_map(tmp_path, ["cat"], tmp_path)


def test_the_union_keeps_classes_that_were_given_up():
    new = LabelMap(((1, "cat"), (3, "ant")))
    assert union_of_label_maps([(1, "cat"), (2, "dog")], new, where=Path("r")).items == (
        (1, "cat"), (2, "dog"), (3, "ant"),
    )  # fmt: skip


@pytest.mark.parametrize("old", [[(2, "cat")], [(1, "dog")], [(1, "cat"), (3, "cat ")]])
def test_moved_ids_are_refused(old):
    new = LabelMap(((1, "cat"), (3, "ant")))
    with pytest.raises(LabelIdsMovedError, match="Ids must never move"):
        union_of_label_maps(old, new, where=Path("records"))

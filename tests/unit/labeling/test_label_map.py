import csv
import io
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from labeling.errors import LabelMapError
from labeling.label_map import LabelMap, format_csv, format_pbtxt, read_label_map, write_label_map
from labeling.label_map_text import parse_items

_NAME = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(str.strip)


def _reference_message() -> Any:
    """The message class of the object detection API, declared anew: the oracle of our reader and writer."""
    file = descriptor_pb2.FileDescriptorProto(name="label_map_reference.proto", package="reference", syntax="proto2")
    item = file.message_type.add(name="StringIntLabelMapItem")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(
        [("name", kinds.TYPE_STRING), ("id", kinds.TYPE_INT32), ("display_name", kinds.TYPE_STRING)], start=1
    ):
        item.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    label_map = file.message_type.add(name="StringIntLabelMap")
    label_map.field.add(
        name="item",
        number=1,
        type=kinds.TYPE_MESSAGE,
        type_name=".reference.StringIntLabelMapItem",
        label=kinds.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("reference.StringIntLabelMap"))


_REFERENCE = _reference_message()


def _read(tmp_path: Path, text: str) -> LabelMap:
    path = tmp_path / "label_map.pbtxt"
    path.write_text(text, encoding="utf-8")
    return read_label_map(path)


@pytest.mark.parametrize(
    "text",
    [
        "item {\n  id: 1\n  name: 'cat'\n}\n\nitem {\n  id: 2\n  name: 'dog'\n}\n",
        'item{name:"cat" id:1}item{name:"dog" id:2}',
        'item: {\n  name: "cat"\n  id: 1\n}\nitem: <id: 2, name: "dog">;',
        '# classes\nitem { id: 1 # first\n name: "cat" }\n\n\n\titem\n{\n\tname\t:\t"dog"\n\tid\t:\t2\n}\n',
        'item { id: 2 name: "d" \'og\' }\nitem { id: 1 name: "\\143\\x61t" }',
        "item { id: 1 name: 'cat' keypoints { id: 3 label: 'nose' } frequency: COMMON ancestor_ids: [1, 2] }\r\n"
        "item { id: 2 name: 'dog' }",
        "\ufeffitem { id: 1 name: 'cat' } item { id: 2 name: 'dog' }",
    ],
)
def test_reads_every_way_people_write_it(text: str, tmp_path: Path) -> None:
    assert _read(tmp_path, text) == LabelMap(((1, "cat"), (2, "dog")))


def test_reads_display_names_and_escapes(tmp_path: Path) -> None:
    label_map = _read(tmp_path, 'item { name: "/m/01\\"\\\\" id: 7 display_name: "Caf\\303\\251\\n\\u732b" }')
    assert label_map == LabelMap(((7, '/m/01"\\'),), ((7, "Café\n猫"),))


def test_empty_file_is_an_empty_map(tmp_path: Path) -> None:
    assert _read(tmp_path, "# nothing yet\n") == LabelMap()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("item { id: 0 name: 'background' }", 1, "ids start at 1"),
        ("item { id: 1 name: 'cat' }\n\nitem { id: 1 name: 'dog' }", 3, "id 1 is there twice"),
        ("item { id: 1 name: 'cat' }\nitem { id: 2 name: 'cat' }", 2, "'cat' is there twice"),
        ("item { id: 1 name: 'cat' }\nitem { id: 2 }", 2, "no name"),
        ("item { id: 1 name: '' }", 1, "name of id 1 is empty"),
        ("\nitem { name: 'cat' }", 2, "no id"),
        ("item { id: -1 name: 'cat' }", 1, "ids start at 1"),
        ("item { id: 1 id: 2 name: 'cat' }", 1, "`id` is there twice in one item"),
        ("item { id: '1' name: 'cat' }", 1, "whole number"),
        ("item { id: 1.0 name: 'cat' }", 1, "whole number"),
        ("item { id: 99999999999 name: 'cat' }", 1, "too large"),
        ("item { id: 1\n name: cat }", 2, "text in quotes, got 'cat'"),
        ("item { id: 1\n name: 'cat\n' }", 2, "unexpected"),
        ("item { id: 1 name: 'cat' ", 1, "the file ends"),
        ("item { id: 1 name: 'c\\q' }", 1, "unknown escape"),
        ("item { id: 1 name: '\\xff' }", 1, "not UTF-8"),
        ("item { id: 1 name: '\\ud800' }", 1, "not a character"),
        ("cat\n", 1, "expected `item`, got 'cat'"),
        ("item { id: 1 name: 'a' x " + "{ x " * 100, 1, "nested too deeply"),
        ("{}", 1, "expected `item`"),
    ],
)
def test_refuses_a_broken_map_with_the_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(LabelMapError) as caught:
        _read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'label_map.pbtxt'}:{line}"
    assert words in str(caught.value)


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the label map"):
        read_label_map(tmp_path / "none.pbtxt")
    (tmp_path / "latin.pbtxt").write_bytes(b"item { id: 1 name: 'caf\xe9' }")
    with pytest.raises(LabelMapError, match="not UTF-8"):
        read_label_map(tmp_path / "latin.pbtxt")


@given(st.dictionaries(_NAME, st.integers(1, 2**31 - 1), max_size=6), st.data())
def test_what_is_written_reads_back_the_same(ids: dict[str, int], data: st.DataObject) -> None:
    items = tuple({class_id: name for name, class_id in ids.items()}.items())
    shown = tuple((class_id, data.draw(_NAME)) for class_id, _ in items[:2])
    label_map = LabelMap(items, shown)
    text = format_pbtxt(label_map)
    read = parse_items(text, Path("label_map.pbtxt"))
    assert [(item.class_id, item.name) for item in read] == list(label_map.items)
    reference = text_format.Parse(text, _REFERENCE())
    assert [(item.id, item.name) for item in reference.item] == list(label_map.items)
    assert {item.id: item.display_name for item in reference.item if item.display_name} == dict(label_map.display_names)


@given(st.lists(st.tuples(st.integers(1, 2**31 - 1), _NAME), max_size=4), st.booleans(), st.booleans())
def test_reads_what_protobuf_writes(items: list[tuple[int, str]], as_utf8: bool, one_line: bool) -> None:
    reference = _REFERENCE()
    for class_id, name in items:
        reference.item.add(id=class_id, name=name)
    text = text_format.MessageToString(reference, as_utf8=as_utf8, as_one_line=one_line)
    assert [(item.class_id, item.name) for item in parse_items(text, Path("x"))] == items


@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*"{}<>:[],;'\"\\#\n", "item", " id", "name", "1"])).map("".join)
)
def test_random_text_raises_nothing_but_the_own_error(text: str) -> None:
    try:
        parse_items(text, Path("x"))
    except LabelMapError as error:
        line = int(error.where.rpartition(":")[2])
        assert 1 <= line <= text.count("\n") + 1


def test_csv_is_what_model_garden_reads(tmp_path: Path) -> None:
    label_map = LabelMap(((1, "cat"), (3, 'a "b", c')))
    write_label_map(label_map, tmp_path / "label_map.pbtxt")
    content = (tmp_path / "label_map.csv").read_text(encoding="utf-8")
    assert content == '1,cat\n3,"a ""b"", c"\n'
    # The reader of tf_example_label_map_decoder: two columns a row, the first a number, no heading.
    assert {row[1]: int(row[0]) for row in csv.reader(io.StringIO(content))} == label_map.ids
    assert read_label_map(tmp_path / "label_map.csv") == read_label_map(tmp_path / "label_map.pbtxt") == label_map


def test_csv_with_a_heading_or_a_broken_row(tmp_path: Path) -> None:
    path = tmp_path / "label_map.csv"
    path.write_text("id,name\n1,cat\n\n")
    assert read_label_map(path) == LabelMap(((1, "cat"),))
    path.write_text("1,cat\ndog,2\n")
    with pytest.raises(LabelMapError, match=r"label_map\.csv:2: not an `id,name` row"):
        read_label_map(path)
    assert format_csv(LabelMap()) == ""


@given(st.sets(_NAME, max_size=5), st.sets(_NAME, max_size=5), st.sets(_NAME, max_size=5))
def test_extending_never_renumbers(first: set[str], second: set[str], third: set[str]) -> None:
    grown = LabelMap.from_names(first).extended_with(second)
    last = grown.extended_with(third)
    assert dict(last.items[: len(grown)]) == dict(grown.items)
    assert set(last.names) == first | second | third
    assert sorted(last.ids.values()) == list(range(1, len(last) + 1))
    new = last.names[len(grown) :]
    assert list(new) == sorted(new)


def test_new_classes_come_after_the_highest_id_in_sorted_order() -> None:
    label_map = LabelMap(((1, "dog"), (5, "cow"))).extended_with(["zebra", "ant", "dog"])
    assert label_map.items == ((1, "dog"), (5, "cow"), (6, "ant"), (7, "zebra"))
    assert label_map.max_id == 7
    assert "ant" in label_map
    assert "cat" not in label_map


def test_nothing_new_gives_the_same_map() -> None:
    label_map = LabelMap.from_names(["b", "a"])
    assert label_map.items == ((1, "a"), (2, "b"))
    assert label_map.extended_with(["a"]) is label_map


@pytest.mark.parametrize("items", [((0, "a"),), ((1, "a"), (1, "b")), ((1, "a"), (2, "a")), ((1, " "),)])
def test_an_impossible_map_cannot_be_made(items: tuple[tuple[int, str], ...]) -> None:
    with pytest.raises(LabelMapError):
        LabelMap(items)

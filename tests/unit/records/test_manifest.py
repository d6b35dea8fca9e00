"""The manifest: round trip, stability, refusal of what is none."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Box
from records.errors import ManifestError
from records.features import ExampleObject, ExampleSource
from records.manifest import Manifest, RecordEntry, format_manifest, read_manifest
from records.plan import Refusal
from records.shard import ShardSummary

# Any text but lone surrogates, which no file can hold.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
_SIZE = st.integers(1, 10**6)
_EDGE = st.floats(0, 10**6)
_OBJECT = st.builds(
    ExampleObject,
    label=_SIZE,
    text=_TEXT,
    box=st.builds(Box, _EDGE, _EDGE, _EDGE, _EDGE),
    difficult=st.booleans(),
    truncated=st.booleans(),
    view=_TEXT,
)


def _examples(draw, class_name, split):
    return draw(
        st.lists(
            st.builds(
                ExampleSource,
                source_id=_SIZE,
                image_path=_TEXT,
                xml_path=_TEXT,
                image_sha256=_TEXT,
                xml_sha256=_TEXT,
                width=_SIZE,
                height=_SIZE,
                format=_TEXT,
                class_folder=st.just(class_name),
                split=st.just(split),
                objects=st.lists(_OBJECT, max_size=2).map(tuple),
            ),
            max_size=2,
        ).map(tuple)
    )


@st.composite
def _entries(draw):
    class_name, split = draw(_TEXT), draw(_TEXT)
    groups = [_examples(draw, class_name, split) for _ in range(draw(st.integers(0, 2)))]
    return RecordEntry(
        file=draw(_TEXT),
        class_name=class_name,
        split=split,
        fingerprint=draw(_TEXT),
        shards=tuple(ShardSummary(draw(_TEXT), len(group), draw(_SIZE), draw(_TEXT)) for group in groups),
        examples=tuple(groups),
        refused=tuple(draw(st.lists(st.builds(Refusal, _TEXT, _TEXT, _TEXT), max_size=2))),
        num_unlabeled=draw(_SIZE),
    )


@given(st.lists(_entries(), max_size=2, unique_by=lambda entry: entry.file), _TEXT)
def test_round_trip(tmp_path_factory, entries, version):
    folder = tmp_path_factory.mktemp("records")
    manifest = Manifest(((1, "cat"),), tuple(sorted(entries, key=lambda entry: entry.file)), version)
    text = format_manifest(manifest)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    assert read_manifest(folder) == manifest
    totals = json.loads(text)["totals"]
    assert totals["found"] == totals["written"] + totals["refused"]


def _entry(name: str) -> RecordEntry:
    example = ExampleSource(1, f"{name}.jpg", f"{name}.xml", "a", "b", 4, 3, "jpeg", "cat", "training")
    shard = ShardSummary(f"{name}.record", 1, 10, "c")
    return RecordEntry(f"{name}.record", "cat", "training", "f", (shard,), ((example,),), (Refusal("x", "X01", "y"),))


def test_the_order_of_the_records_does_not_matter_and_examples_stand_one_a_line():
    entries = (_entry("b"), _entry("a"))
    text = format_manifest(Manifest((), entries))
    assert text == format_manifest(Manifest((), entries[::-1]))
    assert sum('"image": "a.jpg"' in line for line in text.splitlines()) == 1
    assert text.endswith("}\n")


def test_no_manifest_is_none(tmp_path):
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "not there") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read the manifest"),
        ("{", "cannot read the manifest"),
        ("[" * 100_000, "cannot read the manifest"),
        ("[]", "not a manifest of tagbox records"),
        ('{"format": "webpack"}', "not a manifest of tagbox records"),
        ('{"format": "tagbox-records", "version": 99}', "version 99"),
        ('{"format": "tagbox-records", "version": 1}', "damaged"),
        ('{"format": "tagbox-records", "version": 1, "tagbox": "", "voc_convention": "", "label_map": [],'
         ' "records": [{"shards": 3}]}', "damaged"),
    ],
)  # fmt: skip
def test_other_files_of_that_name_are_refused_not_overwritten(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path)


@given(st.data())
def test_a_cut_or_changed_manifest_is_refused_or_read_but_never_crashes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("records")
    content = bytearray(format_manifest(Manifest(((1, "cat"),), (_entry("a"),))).encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "manifest.json").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ManifestError):
        read_manifest(folder)


def test_the_reference_page_names_every_key(repository):
    text = (repository / "docs" / "reference" / "records.md").read_text()
    document = json.loads(format_manifest(Manifest(((1, "cat"),), (_entry("a"),))))
    record = document["records"][0]
    keys = {*document, *document["totals"], *record, *record["shards"][0], *record["examples"][0]}
    assert [key for key in sorted(keys) if not any(f"{mark}{key}" in text for mark in "`{ ")] == []

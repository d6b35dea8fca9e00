"""The manifest of classification records comes back as it was written."""

import json

from hypothesis import given
from hypothesis import strategies as st

from records.classification_manifest import (
    ClassificationManifest,
    ClassificationRecord,
    LabelledPictureEntry,
    SourceAccount,
    format_classification_manifest,
    read_classification_manifest,
)
from records.plan import Refusal
from records.shard import ShardSummary

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_COUNT = st.integers(0, 2**40)
_SHARD = st.builds(ShardSummary, file=_TEXT, num_examples=_COUNT, num_bytes=_COUNT, sha256=_TEXT)
_PICTURE = st.builds(LabelledPictureEntry, _TEXT, _TEXT, st.lists(_TEXT, max_size=3).map(tuple), _TEXT)
_COUNTS = st.dictionaries(_TEXT, _COUNT, max_size=3).map(lambda counts: tuple(counts.items()))


@st.composite
def _record(draw, number):
    shards = tuple(draw(st.lists(_SHARD, max_size=3)))
    has_pictures = draw(st.booleans()) and shards
    groups = tuple(tuple(draw(st.lists(_PICTURE, min_size=1, max_size=2))) for _ in shards) if has_pictures else ()
    return ClassificationRecord(f"{number}.record", "training", draw(_TEXT), shards, draw(_COUNTS), groups)


@st.composite
def _manifest(draw):
    return ClassificationManifest(
        label_map=tuple(enumerate(draw(st.lists(_TEXT, unique=True, max_size=3)), start=1)),
        content=draw(st.dictionaries(_TEXT, st.one_of(_COUNT, _TEXT, st.booleans(), st.none()), max_size=3)),
        records=tuple(draw(_record(number)) for number in range(draw(st.integers(0, 3)))),
        sources=tuple(
            SourceAccount(f"label{number}", draw(_TEXT), *(draw(_COUNT) for _ in range(5)))
            for number in range(draw(st.integers(0, 3)))
        ),
        refusals=tuple(draw(st.lists(st.builds(Refusal, _TEXT, _TEXT, _TEXT), max_size=3))),
        tagbox_version=draw(_TEXT),
    )


@given(_manifest())
def test_round_trip(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("manifest")
    text = format_classification_manifest(manifest)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    assert read_classification_manifest(folder) == manifest
    assert format_classification_manifest(manifest) == text
    assert text.endswith("}\n")


def test_totals_are_those_of_the_sources(tmp_path):
    sources = (SourceAccount("a", "a.npy", 10, 5, 2, 2, 1), SourceAccount("b", "b.npy", 4, 3, 1, 0, 0))
    text = format_classification_manifest(ClassificationManifest((), {}, (), sources))
    assert json.loads(text)["totals"] == {"found": 14, "written": 11, "unused": 2, "refused": 1}


def test_without_a_manifest_there_is_none(tmp_path):
    assert read_classification_manifest(tmp_path) is None

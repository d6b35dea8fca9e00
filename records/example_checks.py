"""Whether one example of a record is sound to train and to evaluate on.

Each check yields ``(code, message)`` pairs; the codes are those of `records.verify.CODES`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from records.example import BytesList, Feature, FloatList, Int64List
from records.features import ExampleSource, detection_features

_MAX_SOURCE_ID = 2**31 - 1
_ONE_BYTES = ("image/encoded", "image/filename", "image/format", "image/key/sha256", "image/source_id")
_ONE_INT = ("image/height", "image/width")
_EDGES = tuple(f"image/object/bbox/{edge}" for edge in ("xmin", "ymin", "xmax", "ymax"))
_OBJECT_LISTS: dict[str, type[BytesList | FloatList | Int64List]] = {
    **dict.fromkeys((*_EDGES, "image/object/area"), FloatList),
    **dict.fromkeys(
        (
            "image/object/class/label",
            "image/object/is_crowd",
            "image/object/difficult",
            "image/object/truncated",
        ),
        Int64List,
    ),
    **dict.fromkeys(("image/object/class/text", "image/object/view"), BytesList),
}


def check_example(
    features: Mapping[str, Feature], *, label_names: Mapping[int, str], source: ExampleSource | None
) -> Iterator[tuple[str, str]]:
    """Judge the keys of one example.

    Args:
        features: The example.
        label_names: Class names by id.
        source: What the manifest says the example is; ``None`` when it lists none at its place.

    Yields:
        Code and message of everything that is wrong. An example whose keys or lengths are wrong is not looked at
        further.
    """
    problems = list(_wrong_keys(features)) or list(_wrong_lengths(features))
    if problems:
        yield from problems
        return
    yield from _wrong_boxes(features)
    yield from _wrong_labels(features, label_names)
    yield from _wrong_picture(features)
    if source is not None:
        expected = detection_features(source, _values(features, "image/encoded")[0])
        keys = sorted(key for key in {*features, *expected} if features.get(key) != expected.get(key))
        if keys:
            yield "V15", f"the manifest says otherwise of: {', '.join(keys)}"


def source_id_of(features: Mapping[str, Feature]) -> int | None:
    """Return the number of the example, or ``None`` when it has none from 1 to 2147483647."""
    values = _values(features, "image/source_id")
    text = values[0].decode(errors="replace") if len(values) == 1 and isinstance(values[0], bytes) else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if 1 <= number <= _MAX_SOURCE_ID else None


def num_boxes(features: Mapping[str, Feature]) -> int:
    """Return how many objects the example has, going by its first list of edges."""
    return len(_values(features, _EDGES[0]))


def _wrong_keys(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for key, kind in (*((k, BytesList) for k in _ONE_BYTES), *((k, Int64List) for k in _ONE_INT)):
        if not isinstance(features.get(key), kind) or len(_values(features, key)) != 1:
            yield "V07", f"{key} is {_words(features.get(key))}, not one value of {kind.__name__}"
    for key, kind in _OBJECT_LISTS.items():
        if not isinstance(features.get(key), kind):
            yield "V07", f"{key} is {_words(features.get(key))}, not a {kind.__name__}"


def _wrong_boxes(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for number, box in enumerate(zip(*(_values(features, key) for key in _EDGES), strict=True), start=1):
        xmin, ymin, xmax, ymax = box
        if not (0 <= xmin < xmax <= 1 and 0 <= ymin < ymax <= 1):
            yield "V09", f"box {number} is ({', '.join(f'{edge:g}' for edge in box)})"


def _wrong_labels(features: Mapping[str, Feature], names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    labels = _values(features, "image/object/class/label")
    texts = _values(features, "image/object/class/text")
    for number, (label, text) in enumerate(zip(labels, texts, strict=True), start=1):
        name = text.decode(errors="replace")
        if label not in names:
            yield "V11", f"label {label} of box {number} ({name!r}) is not in the label map"
        elif names[label] != name:
            yield "V11", f"box {number} has label {label} ({names[label]!r}) but text {name!r}"


def _wrong_picture(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    digest = hashlib.sha256(_values(features, "image/encoded")[0]).hexdigest()
    if _values(features, "image/key/sha256")[0] != digest.encode():
        yield "V12", f"image/encoded has SHA-256 {digest[:12]}..., image/key/sha256 says another"


def _wrong_lengths(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    count = num_boxes(features)
    lengths = {key: len(_values(features, key)) for key in _OBJECT_LISTS}
    other = [f"{length} {key}" for key, length in lengths.items() if length != count]
    if other:
        yield "V08", f"{count} {_EDGES[0]} but {', '.join(other)}"


def _values(features: Mapping[str, Feature], key: str) -> tuple[Any, ...]:
    feature = features.get(key)
    return () if feature is None else feature.values


def _words(feature: Feature) -> str:
    if feature is None:
        return "missing"
    return f"a {type(feature).__name__} of {len(feature.values)}"

"""Whether one example of a record is sound to train and to evaluate on.

Each check yields ``(code, message)`` pairs; the codes are those of `records.verify_findings.CODES`.
"""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping

from records.errors import ExampleError
from records.example import BytesList, Feature, FloatList, Int64List
from records.example_values import values_of
from records.features import ExampleObject, ExampleSource, detection_features

_MAX_SOURCE_ID = 2**31 - 1
_ONE_BYTES = ("image/encoded", "image/filename", "image/format", "image/key/sha256", "image/source_id")
_ONE_INT = ("image/height", "image/width")
_EDGES = tuple(f"image/object/bbox/{edge}" for edge in ("xmin", "ymin", "xmax", "ymax"))
_LABEL, _TEXT = "image/object/class/label", "image/object/class/text"
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
    yield from _wrong_hash(features)
    if source is not None:
        try:
            expected = detection_features(source, values_of(features, "image/encoded")[0])
        except ExampleError as error:
            yield "V15", f"the entry of the manifest is unsound: {error.what}"
            return
        keys = sorted(key for key in {*features, *expected} if features.get(key) != expected.get(key))
        if keys:
            yield "V15", f"the manifest says otherwise of: {', '.join(keys)}"


def check_foreign_example(
    features: Mapping[str, Feature], *, label_names: Mapping[int, str] | None
) -> Iterator[tuple[str, str]]:
    """Judge the keys of an example that another tool may have written: what is absent may be, what is there must fit.

    Args:
        features: The example.
        label_names: Class names by id; ``None`` when no label map is known.

    Yields:
        As `check_example` does.
    """
    problems = list(_wrong_kinds(features)) or list(_wrong_lengths(features, absent_is_fine=True))
    if problems:
        yield from problems
        return
    yield from _wrong_boxes(features)
    if label_names is not None:
        yield from _wrong_labels(features, label_names)
    else:
        for number, label in enumerate(values_of(features, _LABEL), start=1):
            if label < 1:
                yield "V11", f"label {label} of box {number} is no class: ids count from 1, 0 is the background"
    if values_of(features, "image/encoded") and values_of(features, "image/key/sha256")[:1] not in ((), (b"",)):
        yield from _wrong_hash(features)


def check_objects(objects: Iterable[ExampleObject], label_names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """Judge the labels of an example that is known to be what the manifest says."""
    for number, item in enumerate(objects, start=1):
        yield from _wrong_label(number, item.label, item.text, label_names)


def check_picture(encoded: bytes, *, width: int, height: int) -> Iterator[tuple[str, str]]:
    """Decode a picture whole and compare its size with what the example says; 0 says nothing."""
    # Only here: it brings the libraries that compare pictures, and a worker that decodes nothing starts sooner.
    from labeling.image_probe import probe_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts = probe_bytes(encoded, digest="not needed")
    size = (facts.width, facts.height)
    if facts.problem:
        yield "V18", f"the picture does not decode ({facts.problem}): {facts.detail}"
    elif facts.foreign_to_tensorflow:
        yield "V18", f"Model Garden's decoder does not take the picture: {facts.foreign_to_tensorflow}"
    elif (width or size[0], height or size[1]) != size:
        yield "V18", f"the picture has {size[0]} x {size[1]} px, the example says {width} x {height}"


def size_of(features: Mapping[str, Feature]) -> tuple[int, int]:
    """Return width and height as the example says them, 0 for what it does not say."""
    width, height = (values_of(features, key)[:1] or (0,) for key in ("image/width", "image/height"))
    return width[0], height[0]


def source_id_of(features: Mapping[str, Feature]) -> int | None:
    """Return the number of the example, or ``None`` when it has none from 1 to 2147483647."""
    values = values_of(features, "image/source_id")
    text = values[0].decode(errors="replace") if len(values) == 1 and isinstance(values[0], bytes) else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if 1 <= number <= _MAX_SOURCE_ID else None


def num_boxes(features: Mapping[str, Feature]) -> int:
    """Return how many objects the example has, going by its first list of edges."""
    return len(values_of(features, _EDGES[0]))


def _wrong_keys(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for key, kind in (*((k, BytesList) for k in _ONE_BYTES), *((k, Int64List) for k in _ONE_INT)):
        if not isinstance(features.get(key), kind) or len(values_of(features, key)) != 1:
            yield "V07", f"{key} is {_words(features.get(key))}, not one value of {kind.__name__}"
    for key, kind in _OBJECT_LISTS.items():
        if not isinstance(features.get(key), kind):
            yield "V07", f"{key} is {_words(features.get(key))}, not a {kind.__name__}"


def _wrong_kinds(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for key, kind in (*((k, BytesList) for k in _ONE_BYTES), *((k, Int64List) for k in _ONE_INT)):
        values = values_of(features, key)
        if values and (not isinstance(features[key], kind) or len(values) != 1):
            yield "V07", f"{key} is {_words(features[key])}, not one value of {kind.__name__}"
    for key, kind in _OBJECT_LISTS.items():
        if values_of(features, key) and not isinstance(features[key], kind):
            yield "V07", f"{key} is {_words(features[key])}, not a {kind.__name__}"
    if not any(values_of(features, "image/encoded")) and not any(values_of(features, "image/raw")):
        yield "V07", "image/encoded is missing or empty, so there is no picture"


def _wrong_boxes(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    for number, box in enumerate(zip(*(values_of(features, key) for key in _EDGES), strict=True), start=1):
        xmin, ymin, xmax, ymax = box
        if not (0 <= xmin < xmax <= 1 and 0 <= ymin < ymax <= 1):
            yield "V09", f"box {number} is ({', '.join(f'{edge:g}' for edge in box)})"


def _wrong_labels(features: Mapping[str, Feature], names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    labels = values_of(features, _LABEL)
    texts = [text.decode(errors="replace") for text in values_of(features, _TEXT)] or [None] * len(labels)
    for number, (label, text) in enumerate(zip(labels, texts, strict=True), start=1):
        yield from _wrong_label(number, label, text, names)


def _wrong_label(number: int, label: int, text: str | None, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    if label not in names:
        yield "V11", f"label {label} of box {number}{'' if text is None else f' ({text!r})'} is not in the label map"
    elif text is not None and names[label] != text:
        yield "V11", f"box {number} has label {label} ({names[label]!r}) but text {text!r}"


def _wrong_hash(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    digest = hashlib.sha256(values_of(features, "image/encoded")[0]).hexdigest()
    if values_of(features, "image/key/sha256")[0] != digest.encode():
        yield "V12", f"image/encoded has SHA-256 {digest[:12]}..., image/key/sha256 says another"


def _wrong_lengths(features: Mapping[str, Feature], *, absent_is_fine: bool = False) -> Iterator[tuple[str, str]]:
    count = num_boxes(features)
    lengths = {key: len(values_of(features, key)) for key in _OBJECT_LISTS}
    if absent_is_fine:
        lengths = {key: length for key, length in lengths.items() if length or key in (*_EDGES, _LABEL)}
    other = [f"{length} {key}" for key, length in lengths.items() if length != count]
    if other:
        yield "V08", f"{count} {_EDGES[0]} but {', '.join(other)}"


def _words(feature: Feature) -> str:
    if feature is None:
        return "missing"
    return f"a {type(feature).__name__} of {len(feature.values)}"

"""Reading detection records back: from paths, globs and shard names to pictures with boxes."""

import glob
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from records.errors import DamagedRecordError, ExampleError
from records.example import BytesList, Feature, FloatList, Int64List, decode_example
from records.tfrecord import has_frame_at_start, read_tfrecord

_SHARD = re.compile(r"(?P<base>.+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})$")
_MAX_SHARDS = 100_000
_RECORD_NAMES = ("*.record*", "*.tfrecord*", "*.tfrec*")
_HEAD_BYTES = 12
_List = TypeVar("_List", BytesList, FloatList, Int64List)
_EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, eq=False)
class DetectionExample:
    """One labelled picture of a record.

    Attributes:
        path: The record file it stands in.
        index: Its place there, from 0.
        source_id: What evaluation knows the picture by.
        filename: Name of the picture; empty when the record has none.
        encoded: Bytes of the picture file, JPEG or PNG as a rule; not decoded and not checked here.
        format: What the record calls them, for example ``jpeg``; empty when it does not say.
        width: In pixels, 0 when the record does not say.
        height: In pixels, 0 when the record does not say.
        boxes_norm: Shape ``(n, 4)``, 32-bit floats, columns ``xmin ymin xmax ymax`` as fractions of the width and
            height, as they stand in the record; nothing is clipped.
        labels: Shape ``(n,)``, ids of the label map.
        texts: ``n`` class names; empty strings when the record has none.
        is_crowd: Shape ``(n,)``, booleans; false when the record does not say.
        difficult: Shape ``(n,)``, booleans; false when the record does not say.
        features: Every key of the example.
    """

    path: Path
    index: int
    source_id: str
    filename: str
    encoded: bytes = field(repr=False)
    format: str
    width: int
    height: int
    boxes_norm: NDArray[np.float32]
    labels: NDArray[np.int64]
    texts: tuple[str, ...]
    is_crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    features: Mapping[str, Feature] = field(repr=False)

    @property
    def num_boxes(self) -> int:
        """Number of objects, 0 for a negative picture."""
        return len(self.labels)


def expand_record_paths(patterns: Iterable[str | Path], *, refuse_gaps: bool = True) -> list[Path]:
    """Find the files that record names mean.

    Args:
        patterns: Each is a file, a folder, a glob such as ``records/*_training.record*``, or the name that shards
            share (``records/cat_training.record`` for ``...record-00000-of-00004`` and so on).
        refuse_gaps: Refuse a set of shards of which some are missing.

    Returns:
        The files, sorted within each pattern, each once.

    Raises:
        InputError: A pattern matches nothing, or some shards of a set are missing.
    """
    paths: dict[Path, None] = {}
    for pattern in patterns:
        found = _expand(str(pattern))
        # A file that was named is what is meant, be it one shard of many.
        if refuse_gaps and found != [Path(pattern)]:
            _refuse_gaps(found)
        paths.update(dict.fromkeys(found))
    return list(paths)


def read_examples(patterns: Iterable[str | Path]) -> Iterator[DetectionExample]:
    """Read every example of the records, file after file.

    Args:
        patterns: See `expand_record_paths`.

    Raises:
        InputError: A file is missing, cannot be read, or has 0 bytes (TensorFlow would take it for no examples).
        DamagedRecordError: A file is cut or bytes in it changed.
        ExampleError: An example is no detection example; the message has file and index.
    """
    for path in expand_record_paths(patterns):
        for index, features in enumerate(read_features(path)):
            yield detection_example(features, path=path, index=index)


def read_features(path: Path) -> Iterator[dict[str, Feature]]:
    """Read every example of one record file as it stands, whatever its keys are.

    Raises:
        InputError: The file is missing, cannot be read or has 0 bytes.
        DamagedRecordError: It is cut or bytes in it changed.
        ExampleError: A record in it is no ``tf.train.Example``; the message has file and index.
    """
    index = -1
    for index, frame in enumerate(read_tfrecord(path)):
        try:
            features = decode_example(frame.payload)
        except ExampleError as error:
            raise ExampleError(error.what, where=_where(path, index)) from error
        yield features
    if index < 0:
        raise DamagedRecordError("the file has no examples", path=str(path), offset=0)


def read_features_at(paths: Iterable[Path], places: Collection[int]) -> Iterator[tuple[int, dict[str, Feature]]]:
    """Read the examples at some places as they stand; what comes behind the last of them is not read.

    Args:
        paths: Record files, in their order.
        places: Numbers of examples, from 0, counted through all files; those that are too large are passed over.

    Yields:
        Place and example, in the order of the files.

    Raises:
        InputError: As for `read_features`, and so are the other errors.
    """
    last = max(places, default=-1)
    examples = (features for path in paths for features in read_features(path))
    for place, features in enumerate(itertools.islice(examples, last + 1)):
        if place in places:
            yield place, features


def detection_example(features: Mapping[str, Feature], *, path: Path, index: int) -> DetectionExample:
    """Take the keys of the Object Detection API out of an example.

    Args:
        features: The example.
        path: Its file, for messages.
        index: Its place in the file, for messages.

    Raises:
        ExampleError: It has no picture, a key has values of another kind, or the lists of its objects differ in
            length.
    """
    reader = _Features(features, _where(path, index))
    edges = [reader.floats(f"image/object/bbox/{edge}") for edge in _EDGES]
    labels = reader.ints("image/object/class/label")
    count = len(edges[0])
    for name, values in (*zip(_EDGES, edges, strict=True), ("class/label", labels)):
        if len(values) != count:
            raise reader.error(f"it has {count} xmin but {len(values)} {name}")
    encoded = reader.one_bytes("image/encoded")
    if not encoded:
        raise reader.error("image/encoded is missing or empty, so it is no detection example")
    return DetectionExample(
        path=path,
        index=index,
        source_id=reader.text("image/source_id"),
        filename=reader.text("image/filename"),
        encoded=encoded,
        format=reader.text("image/format"),
        width=reader.one_int("image/width"),
        height=reader.one_int("image/height"),
        boxes_norm=np.array(edges, np.float32).T.reshape(count, 4),
        labels=np.array(labels, np.int64),
        texts=reader.texts("image/object/class/text", count),
        is_crowd=reader.flags("image/object/is_crowd", count),
        difficult=reader.flags("image/object/difficult", count),
        features=features,
    )


class _Features:
    """Takes values of a given kind out of an example, and says which key is not of it."""

    def __init__(self, features: Mapping[str, Feature], where: str) -> None:
        self._features = features
        self._where = where

    def error(self, what: str) -> ExampleError:
        return ExampleError(what, where=self._where)

    def floats(self, key: str) -> tuple[float, ...]:
        return self._of(key, FloatList).values

    def ints(self, key: str) -> tuple[int, ...]:
        return self._of(key, Int64List).values

    def one_bytes(self, key: str) -> bytes:
        values = self._of(key, BytesList).values
        if len(values) > 1:
            raise self.error(f"{key} has {len(values)} values, not one")
        return values[0] if values else b""

    def one_int(self, key: str) -> int:
        values = self.ints(key)
        if len(values) > 1:
            raise self.error(f"{key} has {len(values)} values, not one")
        return values[0] if values else 0

    def text(self, key: str) -> str:
        return self.one_bytes(key).decode(errors="replace")

    def texts(self, key: str, count: int) -> tuple[str, ...]:
        values = self._of(key, BytesList).values or (b"",) * count
        self._expect(key, len(values), count)
        return tuple(value.decode(errors="replace") for value in values)

    def flags(self, key: str, count: int) -> NDArray[np.bool_]:
        values = self.ints(key) or (0,) * count
        self._expect(key, len(values), count)
        return np.array(values, np.bool_)

    def _expect(self, key: str, length: int, count: int) -> None:
        if length != count:
            raise self.error(f"it has {count} boxes but {length} values of {key}")

    def _of(self, key: str, kind: type[_List]) -> _List:
        feature = self._features.get(key)
        if isinstance(feature, kind):
            return feature
        # An empty list of any kind, or no list at all, is no values.
        if feature is None or not feature.values:
            return kind()
        raise self.error(f"{key} is a {type(feature).__name__}, not a {kind.__name__}")


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        found = record_files_in(path)
        if not found:
            raise _nothing_matches(path)
        return found
    if path.exists():
        return [path]
    found = [Path(name) for name in sorted(glob.glob(pattern))]  # noqa: PTH207 - takes absolute patterns as well
    if not found:
        found = sorted(
            other
            for other in (path.parent.iterdir() if path.parent.is_dir() else ())
            if base_name(other) == path.name != other.name
        )
    if not found:
        raise _nothing_matches(path)
    return found


def _refuse_gaps(paths: Iterable[Path]) -> None:
    """Refuse a set of shards of which some are missing: training on the rest would pass unnoticed."""
    missing = missing_shards(paths)
    if missing:
        match = _SHARD.match(missing[0].name)
        assert match is not None
        count = sum(base_name(path) == match["base"] and path.parent == missing[0].parent for path in missing)
        raise InputError(
            f"{count} of {int(match['count'])} shards are missing, the first is number {int(match['index'])}",
            where=str(missing[0].parent / match["base"]),
            fix="Build the records again, or give the shards you mean one by one.",
        )


def record_files_in(folder: Path) -> list[Path]:
    """Find the record files of a folder, those of other tools too; sub-folders are not looked into.

    A file counts when its name says so (``.record``, ``.tfrecord``, ``.tfrec``, also with a shard's number) or when it
    begins as a TFRecord does. Hidden files and unfinished ``.tmp`` ones do not.

    Returns:
        The files, sorted; none when there is none.

    Raises:
        InputError: The folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if _is_record_file(path))
    except OSError as error:
        raise InputError(f"cannot read the folder: {error.strerror or error}", where=str(folder)) from error


def _is_record_file(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix == ".tmp" or not path.is_file():
        return False
    if any(path.match(pattern) for pattern in _RECORD_NAMES):
        return True
    try:
        with path.open("rb") as stream:
            return has_frame_at_start(stream.read(_HEAD_BYTES))
    except OSError:
        return False


def missing_shards(paths: Iterable[Path]) -> list[Path]:
    """Name the shards that sets of shards lack, sorted within each set; none where every set is whole.

    The width of the numbers is that of the shards which are there. A set of which nothing is there is not known.
    """
    sets: dict[tuple[Path, str, str], dict[int, int]] = {}
    for path in paths:
        if match := _SHARD.match(path.name):
            key = (path.parent, match["base"], match["count"])
            sets.setdefault(key, {})[int(match["index"])] = len(match["index"])
    return [
        folder / f"{base}-{index:0{next(iter(there.values()))}d}-of-{count}"
        for (folder, base, count), there in sets.items()
        # A count that nobody can have written is a name like another, not a billion missing files.
        for index in (range(int(count)) if int(count) <= _MAX_SHARDS else ())
        if index not in there
    ]


def base_name(path: Path) -> str:
    """Return the name that the shards of a record share; that of the file itself when it is no shard."""
    match = _SHARD.match(path.name)
    return match["base"] if match else path.name


def _nothing_matches(path: Path) -> InputError:
    folder = path if path.is_dir() else path.parent
    there = sorted(other.name for other in folder.glob("*.record*")) if folder.is_dir() else []
    shown = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
    fix = f"There are: {shown}." if there else "Build it with: tagbox records build"
    return InputError("no such record", where=str(path), fix=fix)


def _where(path: Path, index: int) -> str:
    return f"{path}: example {index}"

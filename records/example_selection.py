"""Picking one example out of records: by its place, its number or its file name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ConfigError, InputError
from records.errors import DamagedRecordError, ExampleError
from records.example import Feature, decode_example
from records.example_values import texts_of
from records.reading import expand_record_paths
from records.tfrecord import read_tfrecord

_PATH_KEYS = ("tagbox/image_path", "tagbox/xml_path")


@dataclass(frozen=True, slots=True)
class SelectedExample:
    """One example and where it stands.

    Attributes:
        path: Its file.
        index: Its place in that file, from 0.
        features: Its keys.
        num_others: How many more examples fit the selection; only the first is read.
    """

    path: Path
    index: int
    features: Mapping[str, Feature] = field(repr=False)
    num_others: int = 0


def select_example(
    patterns: Iterable[str | Path],
    *,
    index: int | None = None,
    source_id: str | None = None,
    filename: str | None = None,
) -> SelectedExample:
    """Find one example in records of any tool.

    Args:
        patterns: Files, folders, globs or names that shards share; the files count as one, in the order of their names.
        index: Its place among all examples, from 0; 0 when nothing is asked for.
        source_id: Its ``image/source_id``, as text.
        filename: Its ``image/filename``, or the end of its path (``raccoon-1.jpg``, ``training/raccoon-1.xml``).

    Raises:
        ConfigError: More than one way of selecting is used.
        InputError: Nothing is there, or no example fits.
        DamagedRecordError: A file is damaged before the example was found.
        ExampleError: A record on the way is no ``tf.train.Example``.
    """
    if sum(one is not None for one in (index, source_id, filename)) > 1:
        raise ConfigError("an example is selected in one way only", fix="Give --index, --source-id or --filename.")
    paths = expand_record_paths(patterns)
    if source_id is None and filename is None:
        return _at(paths, index or 0)
    found: SelectedExample | None = None
    others = 0
    for path in paths:
        for place, frame in enumerate(read_tfrecord(path)):
            features = _decode(frame.payload, path, place)
            if (
                texts_of(features, "image/source_id") == [source_id]
                if filename is None
                else _is_named(features, filename)
            ):
                others += found is not None
                found = found or SelectedExample(path, place, features)
    if found is None:
        wanted = f"image/source_id {source_id!r}" if filename is None else f"the file name {filename!r}"
        raise InputError(
            f"no example has {wanted}", where=_shown(paths), fix="tagbox records show --index 0 shows one."
        )
    return SelectedExample(found.path, found.index, found.features, others)


def _at(paths: list[Path], index: int) -> SelectedExample:
    count = 0
    for path in paths:
        first = count
        for place, frame in enumerate(read_tfrecord(path)):
            if count == index:
                return SelectedExample(path, place, _decode(frame.payload, path, place))
            count += 1
        if count == first:
            raise DamagedRecordError("the file has no examples", path=str(path), offset=0)
    raise InputError(
        f"there is no example {index}", where=_shown(paths), fix=f"It has {count}: give --index 0 to {count - 1}."
    )


def _decode(payload: bytes, path: Path, place: int) -> dict[str, Feature]:
    try:
        return decode_example(payload)
    except ExampleError as error:
        raise ExampleError(error.what, where=f"{path}: example {place}") from error


def _is_named(features: Mapping[str, Feature], name: str) -> bool:
    if name in texts_of(features, "image/filename"):
        return True
    return any(path == name or path.endswith(f"/{name}") for key in _PATH_KEYS for path in texts_of(features, key))


def _shown(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")

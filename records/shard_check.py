"""Checking one record file: a function of the file and of what the manifest says of it.

It runs in a process of its own as well as in this one, and keeps no picture: what must be compared over all files comes
back as numbers and hashes.
"""

import gzip
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, cast

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from records.errors import DamagedRecordError, ExampleError
from records.example import BytesList, Feature, Int64List, decode_example
from records.example_checks import (
    check_example,
    check_foreign_example,
    check_objects,
    check_picture,
    num_boxes,
    size_of,
    source_id_of,
)
from records.example_values import first_bytes, first_text
from records.expected_payload import picture_as_expected
from records.features import ExampleSource
from records.file_kinds import HEAD_BYTES
from records.shard import HashingStream, ShardSummary
from records.tfrecord import is_gzip, not_a_tfrecord, read_frames
from records.verify_findings import RecordFinding

_LABEL, _TEXT = "image/object/class/label", "image/object/class/text"


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One file to check.

    Attributes:
        path: The file.
        label_names: Class names by id; ``None`` when no label map is known.
        listed: What the manifest says of the file; ``None`` for a file of another tool.
        sources: What the manifest says of its examples, in order; empty for a file of another tool.
        decode: Decode every picture. Those that are not proven by the manifest are decoded in any case.
    """

    path: Path
    label_names: Mapping[int, str] | None
    listed: ShardSummary | None = None
    sources: tuple[ExampleSource, ...] = ()
    decode: bool = False


@dataclass(slots=True)
class ShardCheck:
    """What was found in one file.

    Attributes:
        findings: In the order of the file.
        num_examples: Examples read.
        num_boxes: Objects in them.
        num_bytes: Size of the file.
        num_decoded: Pictures decoded whole.
        source_ids: The number of each example, or its text where that is no number; empty text when there is none,
            ``None`` when none is needed: the example is one of classification.
        picture_sha256: Of each example's picture, 32 bytes each; empty where the example has no picture.
        splits: Of each example; empty where neither it nor the manifest says.
        texts: The class names seen with each label, in examples of another tool.
        remarks: How many examples have something worth a word, by what it is; see `records.verify`.
        was_read: Whether there was a file to read.
    """

    findings: list[RecordFinding] = field(default_factory=list)
    num_examples: int = 0
    num_boxes: int = 0
    num_bytes: int = 0
    num_decoded: int = 0
    source_ids: list[int | str | None] = field(default_factory=list)
    picture_sha256: list[bytes] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    texts: dict[int, set[str]] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    was_read: bool = False


def check_shard(task: ShardTask, *, progress: Progress = no_progress) -> ShardCheck:
    """Read every byte of a file and judge it.

    Args:
        task: The file.
        progress: Told of every example.

    Returns:
        Everything found; a file that cannot be read is a finding, never an error.
    """
    check = ShardCheck()
    check.findings.extend(_check_file(task, check, progress))
    return check


def _check_file(task: ShardTask, check: ShardCheck, progress: Progress) -> Iterator[RecordFinding]:
    path, listed = task.path, task.listed
    had = f"; it had {listed.num_examples} examples" if listed else ""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        yield RecordFinding("V01", path, None, f"the file is missing{had}")
        return
    except OSError as error:
        yield RecordFinding("V01", path, None, f"the file cannot be read: {error.strerror or error}")
        return
    with stream:
        hashing = HashingStream(stream)
        try:
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
            yield from _check_stream(task, check, hashing, head, progress)
            while hashing.read(1 << 20):  # the rest of a damaged file, for its size and hash
                pass
        except OSError as error:
            yield RecordFinding("V01", path, None, f"the file cannot be read: {error.strerror or error}")
            return
    check.was_read = True
    check.num_bytes = hashing.num_bytes
    if not hashing.num_bytes:
        yield RecordFinding("V02", path, None, f"the file has 0 bytes{had}")
        return
    if listed is None:
        return
    if (hashing.num_bytes, hashing.sha256) != (listed.num_bytes, listed.sha256):
        yield RecordFinding(
            "V04",
            path,
            None,
            f"it has {hashing.num_bytes} bytes and SHA-256 {hashing.sha256[:12]}..., "
            f"the manifest says {listed.num_bytes} and {listed.sha256[:12]}...",
        )
    if check.num_examples != listed.num_examples:
        yield RecordFinding(
            "V05", path, None, f"{check.num_examples} examples could be read, the manifest says {listed.num_examples}"
        )


def _check_stream(
    task: ShardTask, check: ShardCheck, hashing: HashingStream, head: bytes, progress: Progress
) -> Iterator[RecordFinding]:
    path = task.path
    if kind := not_a_tfrecord(head):
        yield RecordFinding("V20", path, None, f"this is {kind}")
        return
    stream = cast(IO[bytes], hashing)
    if is_gzip(head):
        yield RecordFinding("V19", path, None, "the file is gzip-compressed, and training reads plain ones: gunzip it")
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    total = len(task.sources) or None
    try:
        for index, frame in enumerate(read_frames(stream, path=str(path))):
            source = task.sources[index] if index < len(task.sources) else None
            for code, message in _check_payload(frame.payload, source, task, check):
                yield RecordFinding(code, path, index, message)
            check.num_examples += 1
            progress(check.num_examples, total)
    except DamagedRecordError as error:
        nothing = "" if check.num_examples or error.offset else "; or this is no TFRecord at all"
        yield RecordFinding("V03", path, check.num_examples, f"byte {error.offset}: {error.what}{nothing}")
    except InputError as error:
        yield RecordFinding("V03", path, check.num_examples, error.what)


def _check_payload(
    payload: bytes, source: ExampleSource | None, task: ShardTask, check: ShardCheck
) -> Iterator[tuple[str, str]]:
    if source is not None and (proven := _proven_picture(payload, source)) is not None:
        check.num_boxes += len(source.objects)
        check.source_ids.append(source.source_id)
        check.picture_sha256.append(proven.sha256)
        check.splits.append(source.split)
        yield from check_objects(source.objects, task.label_names or {})
        if task.decode:
            check.num_decoded += 1
            yield from check_picture(proven.encoded, width=source.width, height=source.height)
        return
    try:
        features = decode_example(payload)
    except ExampleError as error:
        check.source_ids.append("")
        check.picture_sha256.append(b"")
        check.splits.append("")
        yield "V06", error.what
        return
    check.num_boxes += num_boxes(features)
    if task.listed is not None:
        yield from check_example(features, label_names=task.label_names or {}, source=source)
    else:
        yield from check_foreign_example(features, label_names=task.label_names)
        _note(features, check)
    number = source_id_of(features)
    if number is None and "image/class/label" in features and not num_boxes(features):
        check.source_ids.append(None)
    else:
        check.source_ids.append(first_text(features, "image/source_id") if number is None else number)
    check.splits.append(first_text(features, "tagbox/split"))
    encoded = first_bytes(features, "image/encoded")
    check.picture_sha256.append(hashlib.sha256(encoded).digest() if encoded else b"")
    if encoded:
        check.num_decoded += 1
        width, height = size_of(features)
        yield from check_picture(encoded, width=width, height=height)


class _Proven(NamedTuple):
    """A picture that is the one of the manifest, and its SHA-256."""

    encoded: bytes
    sha256: bytes


def _proven_picture(payload: bytes, source: ExampleSource) -> _Proven | None:
    """Return the picture of an example that is exactly what the manifest says, the picture's hash too."""
    try:
        found = picture_as_expected(payload, source)
    except ExampleError:
        return None
    if found is None or not 1 <= source.source_id < 1 << 31:
        return None
    encoded, hexdigest = found
    digest = hashlib.sha256(encoded)
    return _Proven(encoded, digest.digest()) if digest.hexdigest() == hexdigest else None


def _note(features: Mapping[str, Feature], check: ShardCheck) -> None:
    """Count what is no fault of another tool's example but worth a word."""
    number, text = source_id_of(features), first_text(features, "image/source_id")
    check.remarks["text-source-id"] += number is None and bool(text)
    check.remarks["no-boxes-keys"] += "image/object/bbox/xmin" not in features
    labels, texts = features.get(_LABEL), features.get(_TEXT)
    if isinstance(labels, Int64List) and isinstance(texts, BytesList):
        for label, name in zip(labels.values, texts.values, strict=False):
            check.texts.setdefault(label, set()).add(name.decode(errors="replace"))

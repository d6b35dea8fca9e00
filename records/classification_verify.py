"""Judging a folder of classification records against its manifest.

The findings are those of `records.verify`; drawings and pictures have no boxes, so the codes about boxes and source ids
never come up. `V17` is a picture or drawing that stands in both splits.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from records.classification_features import ENCODED, RAW, STROKE_LAYERS
from records.classification_manifest import (
    ClassificationManifest,
    ClassificationRecord,
    LabelledPictureEntry,
    read_classification_manifest,
)
from records.errors import DamagedRecordError, ExampleError, ManifestError
from records.example import BytesList, Feature, Int64List, decode_example
from records.example_values import first_bytes, first_text, texts_of, values_of
from records.plan import SPLITS
from records.shard import HashingStream, ShardSummary
from records.shard_jobs import open_workers
from records.stroke_layers import lay_over, unpack_layers
from records.tfrecord import read_frames
from records.verify_findings import RecordFinding
from records.verify_surroundings import check_surroundings

_BYTES_WORTH_PROCESSES = 50_000_000
_NAME_KEY = b"tagbox/drawing"


@dataclass(frozen=True, slots=True)
class ClassificationVerifyReport:
    """What was read and found; findings in the order of the manifest, then by place."""

    folder: Path
    num_files: int
    num_examples: int
    num_bytes: int
    findings: tuple[RecordFinding, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "folder": str(self.folder),
            "files": self.num_files,
            "examples": self.num_examples,
            "bytes": self.num_bytes,
            "findings": [finding.as_json() for finding in self.findings],
        }


def verify_classification(
    folder: Path, *, progress: Progress = no_progress, jobs: int | None = None
) -> ClassificationVerifyReport:
    """Read every byte of a folder of classification records and hold it against the manifest.

    Args:
        folder: A folder that `tagbox records drawings` or `tagbox records folder` made.
        progress: Told of the examples after every file.
        jobs: Processes; ``None`` chooses.

    Raises:
        ManifestError: There is no manifest, it cannot be read, or it is of other records.
    """
    listed = read_classification_manifest(folder)
    if listed is None:
        raise ManifestError("there is no manifest.json", where=str(folder), fix="Give the folder that a build wrote.")
    has_layers, may_lack_label = "stroke_layers" in listed.content, bool(listed.content.get("only_tags"))
    tasks = [
        _Task(
            folder / shard.file, shard, dict(listed.label_map), _pictures_of(record, index), has_layers, may_lack_label
        )
        for record in listed.records
        for index, shard in enumerate(record.shards)
    ]
    total = sum(record.num_examples for record in listed.records)
    checks: dict[Path, _Check] = {}
    done = 0
    is_large = sum(record.num_bytes for record in listed.records) >= _BYTES_WORTH_PROCESSES
    with open_workers(jobs, is_worth_processes=is_large and len(tasks) > 1) as workers:
        for place, check in workers.run(_check_shard, tasks):
            checks[tasks[place].path] = check
            done += check.num_examples
            progress(done, total)
    findings = [finding for task in tasks for finding in checks[task.path].findings]
    findings += _wrong_counts(folder, listed, checks)
    findings += _overlap(folder, listed, checks)
    named = {shard.file for record in listed.records for shard in record.shards}
    findings += check_surroundings(folder, named, listed.label_map)
    read = [check for check in checks.values() if check.was_read]
    return ClassificationVerifyReport(
        folder,
        len(read),
        sum(check.num_examples for check in read),
        sum(check.num_bytes for check in read),
        tuple(findings),
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """One file to check; ``pictures`` are listed for pictures, ``has_layers`` is of drawings with their strokes.

    ``may_lack_label``: labels are tags alone, which a picture need not have.
    """

    path: Path
    listed: ShardSummary
    names: Mapping[int, str]
    pictures: tuple[LabelledPictureEntry, ...]
    has_layers: bool = False
    may_lack_label: bool = False


@dataclass(slots=True)
class _Check:
    """What was found in one file; ``contents`` are hashes of the pixels or pictures, in its order."""

    findings: list[RecordFinding] = field(default_factory=list)
    num_examples: int = 0
    num_bytes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    contents: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    was_read: bool = False


class _Skeletons:
    """Examples of drawings but for pixels and name, as far as they were found sound.

    All drawings of a class and source share theirs, so that only the first one is taken apart.
    """

    def __init__(self) -> None:
        self._pixels_at: dict[int, list[int]] = {}
        self._known: dict[tuple[int, bytes], tuple[int, int, bytes, bytes, str]] = {}

    def learn(self, payload: bytes, pixels: bytes, name: bytes, text: str) -> None:
        """Remember a sound example."""
        pixels_at = payload.find(pixels)
        behind_at = pixels_at + len(pixels)
        name_at = payload.find(name, payload.find(_NAME_KEY, behind_at) + len(_NAME_KEY))
        if not pixels or not name or min(pixels_at, name_at) < 0 or payload.find(_NAME_KEY, behind_at) < 0:
            return
        places = self._pixels_at.setdefault(len(payload), [])
        if pixels_at not in places:
            places.append(pixels_at)
        key = (len(payload), payload[:pixels_at])
        self._known[key] = behind_at, name_at, payload[behind_at:name_at], payload[name_at + len(name) :], text

    def match(self, payload: bytes) -> tuple[bytes, str] | None:
        """Return pixels and class of an example that differs from a sound one in pixels and name alone."""
        for pixels_at in self._pixels_at.get(len(payload), ()):
            known = self._known.get((len(payload), payload[:pixels_at]))
            if known is not None:
                behind_at, name_at, middle, end, text = known
                if payload[behind_at:name_at] == middle and payload.endswith(end):
                    return payload[pixels_at:behind_at], text
        return None


def _check_shard(task: _Task) -> _Check:
    check = _Check()
    path, listed = task.path, task.listed
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        words = f"the file is missing; it had {listed.num_examples} examples"
        check.findings.append(RecordFinding("V01", path, None, words))
        return check
    except OSError as error:
        check.findings.append(RecordFinding("V01", path, None, f"the file cannot be read: {error.strerror or error}"))
        return check
    check.was_read = True
    digests: list[bytes] = []
    skeletons = _Skeletons()
    with stream:
        hashing = HashingStream(stream)
        try:
            for index, frame in enumerate(read_frames(hashing, path=str(path))):
                _check_payload(frame.payload, index, task, check, skeletons, digests)
                check.num_examples += 1
        except DamagedRecordError as error:
            words = f"byte {error.offset}: {error.what}"
            check.findings.append(RecordFinding("V03", path, check.num_examples, words))
        except InputError as error:
            check.findings.append(RecordFinding("V03", path, check.num_examples, error.what))
        while hashing.read(1 << 20):  # the rest of a damaged file, for its size and hash
            pass
    check.num_bytes = hashing.num_bytes
    check.contents = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
    check.findings += _wrong_file(path, listed, hashing, check.num_examples)
    return check


def _wrong_file(path: Path, listed: ShardSummary, read: HashingStream, num_examples: int) -> Iterator[RecordFinding]:
    if not read.num_bytes:
        yield RecordFinding("V02", path, None, f"the file has 0 bytes; it had {listed.num_examples} examples")
        return
    if (read.num_bytes, read.sha256) != (listed.num_bytes, listed.sha256):
        yield RecordFinding(
            "V04",
            path,
            None,
            f"it has {read.num_bytes} bytes and SHA-256 {read.sha256[:12]}..., "
            f"the manifest says {listed.num_bytes} and {listed.sha256[:12]}...",
        )
    if num_examples != listed.num_examples:
        words = f"{num_examples} examples could be read, the manifest says {listed.num_examples}"
        yield RecordFinding("V05", path, None, words)


def _check_payload(
    payload: bytes, index: int, task: _Task, check: _Check, skeletons: _Skeletons, digests: list[bytes]
) -> None:
    if match := skeletons.match(payload):
        pixels, text = match
        digests.append(hashlib.sha256(pixels).digest()[:8])
        check.counts[text] += 1
        return
    try:
        features = decode_example(payload)
    except ExampleError as error:
        check.findings.append(RecordFinding("V06", task.path, index, error.what))
        digests.append(bytes(8))
        return
    problems = list(_problems_of(features, task.names, may_lack_label=task.may_lack_label))
    if not problems and (task.has_layers or STROKE_LAYERS in features):
        problems += _problems_of_layers(features)
    texts = texts_of(features, "image/class/text")
    check.counts.update(texts)
    content = first_bytes(features, RAW) or first_bytes(features, ENCODED)
    digests.append(hashlib.sha256(content).digest()[:8])
    if task.pictures and not problems:
        problems += _other_than_listed(features, texts, task.pictures, index)
    check.findings += [RecordFinding(code, task.path, index, message) for code, message in problems]
    # No two drawings have the same strokes; what surrounds one is of no use for the next.
    if not problems and RAW in features and STROKE_LAYERS not in features:
        skeletons.learn(payload, content, first_bytes(features, "tagbox/drawing"), texts[0])


def _problems_of(
    features: Mapping[str, Feature], names: Mapping[int, str], *, may_lack_label: bool
) -> Iterator[tuple[str, str]]:
    """Find what is wrong with one example, by code and message."""
    kinds: dict[str, type[BytesList | Int64List]] = {
        "image/class/label": Int64List,
        "image/class/text": BytesList,
        "image/height": Int64List,
        "image/width": Int64List,
    }
    may_be_empty = ("image/class/label", "image/class/text") if may_lack_label else ()
    wrong = [
        key
        for key, kind in kinds.items()
        if not isinstance(features.get(key), kind) or not (values_of(features, key) or key in may_be_empty)
    ]
    contents = [key for key in (RAW, ENCODED) if isinstance(features.get(key), BytesList)]
    if len(contents) != 1 or len(values_of(features, contents[0])) != 1:
        wrong.append(f"{RAW} or {ENCODED}")
    if wrong:
        yield "V07", f"missing, or of another kind or number: {', '.join(wrong)}"
        return
    labels, texts = values_of(features, "image/class/label"), values_of(features, "image/class/text")
    if len(labels) != len(texts):
        yield "V11", f"{len(labels)} labels but {len(texts)} names"
    for label, text in zip(labels, texts, strict=False):
        if names.get(label) != text.decode(errors="replace"):
            yield "V11", f"label {label} with name {text.decode(errors='replace')!r}, which the label map does not have"
    content = values_of(features, contents[0])[0]
    height, width = values_of(features, "image/height")[0], values_of(features, "image/width")[0]
    if contents[0] == RAW:
        if len(content) != height * width:
            yield "V07", f"{RAW} has {len(content)} bytes for {width} x {height} px"
    elif values_of(features, "image/key/sha256") != (hashlib.sha256(content).hexdigest().encode(),):
        yield "V12", f"{ENCODED} has another SHA-256 than image/key/sha256 says"


def _problems_of_layers(features: Mapping[str, Feature]) -> Iterator[tuple[str, str]]:
    """Find strokes that do not make the drawing."""
    feature, raw = features.get(STROKE_LAYERS), features.get(RAW)
    if not isinstance(feature, BytesList) or len(feature.values) != 1 or not isinstance(raw, BytesList):
        yield "V07", f"missing, or of another kind or number: {STROKE_LAYERS}, or {RAW} beside it"
        return
    shape = values_of(features, "image/height")[0], values_of(features, "image/width")[0]
    try:
        drawn = lay_over(unpack_layers(feature.values[0], *shape))
    except ExampleError as error:
        yield "V22", error.what
        return
    pixels = np.frombuffer(raw.values[0], np.uint8).reshape(shape)
    difference = int(np.abs(drawn.astype(int) - pixels).max())
    if difference > 1:  # another machine may round a half the other way
        yield "V22", f"the stroke layers are not the strokes of the drawing: a pixel differs by {difference} of 255"


def _other_than_listed(
    features: Mapping[str, Feature], texts: Sequence[str], pictures: Sequence[LabelledPictureEntry], index: int
) -> Iterator[tuple[str, str]]:
    if index >= len(pictures):
        return
    listed = pictures[index]
    path = first_text(features, "tagbox/image_path")
    if (path, tuple(texts)) != (listed.image_path, listed.labels):
        words = f"it is {path} ({', '.join(texts)}), the manifest says {listed.image_path} ({', '.join(listed.labels)})"
        yield "V15", words
    elif not listed.transcoded and values_of(features, "image/key/sha256") != (listed.image_sha256.encode(),):
        yield "V15", f"the picture of {path} is not the one of the manifest"


def _wrong_counts(
    folder: Path, listed: ClassificationManifest, checks: Mapping[Path, _Check]
) -> Iterator[RecordFinding]:
    for record in listed.records:
        counts: Counter[str] = Counter()
        for shard in record.shards:
            counts.update(checks[folder / shard.file].counts)
        expected = Counter(dict(record.counts))
        other = sorted(name for name in {*counts, *expected} if counts[name] != expected[name])
        if other and all(checks[folder / shard.file].was_read for shard in record.shards):
            shown = ", ".join(f"{name} {counts[name]} (manifest: {expected[name]})" for name in other[:5])
            yield RecordFinding("V15", folder / record.file, None, f"examples by class: {shown}")


def _overlap(folder: Path, listed: ClassificationManifest, checks: Mapping[Path, _Check]) -> Iterator[RecordFinding]:
    """Find what is trained on and evaluated on, by content."""
    contents = {split: np.zeros(0, np.uint64) for split in SPLITS}
    for record in listed.records:
        found = [checks[folder / shard.file].contents for shard in record.shards]
        contents[record.split] = np.concatenate([contents.get(record.split, np.zeros(0, np.uint64)), *found])
    both = np.intersect1d(contents[SPLITS[0]], contents[SPLITS[1]])
    for record in listed.records if len(both) else ():
        if record.split != SPLITS[1]:
            continue
        for shard in record.shards:
            path = folder / shard.file
            for index in np.flatnonzero(np.isin(checks[path].contents, both)).tolist():
                yield RecordFinding("V17", path, index, "the same picture stands in training as well")


def _pictures_of(record: ClassificationRecord, index: int) -> tuple[LabelledPictureEntry, ...]:
    return record.pictures[index] if record.pictures else ()

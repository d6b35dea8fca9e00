"""Judging a records folder against its manifest: is every record whole, and sound to train on?

Trainers hide what is wrong in a record: a file of 0 bytes is an empty one, an inverted box never becomes a positive,
a label past the last class is background. Each of these is a finding here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.errors import InputError, TagboxError
from collectors.progress import Progress, no_progress
from labeling.label_map import read_label_map
from records import label_ids, manifest, staging
from records.errors import DamagedRecordError, ExampleError, ManifestError
from records.example import decode_example
from records.example_checks import check_example, num_boxes, source_id_of
from records.features import ExampleSource
from records.manifest import Manifest
from records.shard import HashingStream, ShardSummary
from records.tfrecord import read_frames

CODES = {
    "V01": "a record file is missing",
    "V02": "a record file has 0 bytes",
    "V03": "a record file is cut, or bytes in it changed",
    "V04": "a record file is not the one of the manifest (size or SHA-256)",
    "V05": "a record file has another number of examples than the manifest says",
    "V06": "a record is no tf.train.Example",
    "V07": "a key is missing, or has values of another kind or number",
    "V08": "the lists of the objects differ in length",
    "V09": "a box is outside 0..1, inverted, empty or not a number",
    "V10": "a source_id is no number from 1 to 2147483647, or stands twice",
    "V11": "a label is not in the label map, or its text is another class",
    "V12": "the bytes of a picture do not match their SHA-256",
    "V13": "a record file is not in the manifest",
    "V14": "a copy of the label map is missing or differs from the manifest",
    "V15": "an example is not what the manifest says",
    "V16": "a build was interrupted",
    "V17": "a picture is in training and in verification",
}


@dataclass(frozen=True, slots=True)
class RecordFinding:
    """One thing that is wrong.

    Attributes:
        code: A key of `CODES`; its meaning never changes.
        file: The file it is about.
        example: Which example of the file, from 0; ``None`` when it is about the file.
        message: What is wrong, with the values.
    """

    code: str
    file: Path
    example: int | None
    message: str

    def __str__(self) -> str:
        place = "" if self.example is None else f": example {self.example}"
        return f"{self.file}{place}: {self.code} {self.message}"

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object; ``example`` is ``null`` when it is about the file."""
        return {"code": self.code, "file": str(self.file), "example": self.example, "message": self.message}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify_records` read and found; findings in the order of the manifest, then by place."""

    folder: Path
    num_files: int
    num_examples: int
    num_boxes: int
    num_bytes: int
    findings: tuple[RecordFinding, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "folder": str(self.folder),
            "files": self.num_files,
            "examples": self.num_examples,
            "boxes": self.num_boxes,
            "bytes": self.num_bytes,
            "findings": [finding.as_json() for finding in self.findings],
        }


@dataclass(slots=True)
class _Tally:
    """What is counted over all files."""

    names: Mapping[int, str]
    source_ids: dict[int, str] = field(default_factory=dict)
    num_files: int = 0
    num_examples: int = 0
    num_boxes: int = 0
    num_bytes: int = 0


def verify_records(folder: Path, *, progress: Progress = no_progress) -> VerifyReport:
    """Read every byte of a records folder and hold it against the manifest.

    Args:
        folder: A folder that `tagbox records build` made.
        progress: Told of every example.

    Raises:
        ManifestError: There is no manifest, or it cannot be read.
    """
    listed = manifest.read_manifest(folder)
    if listed is None:
        raise ManifestError(
            "there is no manifest.json",
            where=str(folder),
            fix="Give the folder that `tagbox records build` wrote; `tagbox records show FILE` looks into any record.",
        )
    tally = _Tally(names=dict(listed.label_map))
    total = sum(entry.num_written for entry in listed.records)
    findings: list[RecordFinding] = []
    for entry in listed.records:
        for shard, examples in zip(entry.shards, entry.examples, strict=True):
            findings += _verify_shard(folder / shard.file, shard, examples, tally, progress, total)
    findings += _verify_folder(folder, listed)
    return VerifyReport(folder, tally.num_files, tally.num_examples, tally.num_boxes, tally.num_bytes, tuple(findings))


def _verify_shard(
    path: Path,
    shard: ShardSummary,
    sources: Sequence[ExampleSource],
    tally: _Tally,
    progress: Progress,
    total: int,
) -> Iterator[RecordFinding]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        yield RecordFinding("V01", path, None, f"the file is missing; it had {shard.num_examples} examples")
        return
    except OSError as error:
        yield RecordFinding("V01", path, None, f"the file cannot be read: {error.strerror or error}")
        return
    with stream:
        hashing = HashingStream(stream)
        index = -1
        try:
            for index, frame in enumerate(read_frames(hashing, path=str(path))):
                source = sources[index] if index < len(sources) else None
                for code, message in _verify_payload(frame.payload, source, f"{path}: example {index}", tally):
                    yield RecordFinding(code, path, index, message)
                tally.num_examples += 1
                progress(tally.num_examples, total)
        except DamagedRecordError as error:
            yield RecordFinding("V03", path, index + 1, f"byte {error.offset}: {error.what}")
        except InputError as error:
            yield RecordFinding("V03", path, index + 1, error.what)
        while hashing.read(1 << 20):  # the rest of a damaged file, for its size and hash
            pass
    tally.num_files += 1
    tally.num_bytes += hashing.num_bytes
    if not hashing.num_bytes:
        yield RecordFinding("V02", path, None, f"the file has 0 bytes; it had {shard.num_examples} examples")
    elif (hashing.num_bytes, hashing.sha256) != (shard.num_bytes, shard.sha256):
        yield RecordFinding(
            "V04",
            path,
            None,
            f"it has {hashing.num_bytes} bytes and SHA-256 {hashing.sha256[:12]}..., "
            f"the manifest says {shard.num_bytes} and {shard.sha256[:12]}...",
        )
    if hashing.num_bytes and index + 1 != shard.num_examples:
        yield RecordFinding(
            "V05", path, None, f"{index + 1} examples could be read, the manifest says {shard.num_examples}"
        )


def _verify_payload(
    payload: bytes, source: ExampleSource | None, where: str, tally: _Tally
) -> Iterator[tuple[str, str]]:
    try:
        features = decode_example(payload)
    except ExampleError as error:
        yield "V06", error.what
        return
    tally.num_boxes += num_boxes(features)
    yield from check_example(features, label_names=tally.names, source=source)
    number = source_id_of(features)
    if number is None:
        yield "V10", "image/source_id is no number from 1 to 2147483647; evaluation crashes on it"
    elif number in tally.source_ids:
        yield "V10", f"source_id {number} stands also in {tally.source_ids[number]}"
    else:
        tally.source_ids[number] = where


def _verify_folder(folder: Path, listed: Manifest) -> Iterator[RecordFinding]:
    """Look for what stands beside the records: files nobody lists, label maps, an unfinished build."""
    named = {shard.file for entry in listed.records for shard in entry.shards}
    for path in sorted(folder.glob("*.record*")):
        if path.name not in named:
            yield RecordFinding("V13", path, None, "the manifest does not name this file, a glob may train on it")
    for name in (label_ids.FILE_NAME, Path(label_ids.FILE_NAME).with_suffix(".csv").name):
        try:
            same = read_label_map(folder / name).items == listed.label_map
            message = "it differs from the label map of the manifest"
        except TagboxError as error:
            same, message = False, str(error)
        if not same:
            yield RecordFinding("V14", folder / name, None, message)
    if (folder / staging.FOLDER_NAME).is_dir():
        yield RecordFinding(
            "V16", folder / staging.FOLDER_NAME, None, "a build did not finish; run it again and it goes on"
        )

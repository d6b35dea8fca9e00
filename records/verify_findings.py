"""What `tagbox records verify` can find, each with a code whose meaning never changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    "V18": "a picture does not decode, or has another size than the example says",
    "V19": "a record file is compressed",
    "V20": "a file is no TFRecord",
    "V21": "the dataset card is of other records",
    "V22": "the stroke layers of a drawing do not unpack, or do not make its pixels",
    "V30": "Model Garden's decoder refuses an example",
    "V31": "no anchor answers for a box",
    "V32": "the best anchor overlaps a box too little",
    "V33": "a box takes no part in training",
}

_UNREADABLE = {"V01", "V02", "V03", "V19", "V20"}


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
    """What was read and found.

    Attributes:
        paths: What was asked for.
        files: Those that could be read, in order.
        num_examples: Examples read.
        num_boxes: Objects in them.
        num_bytes: Size of the files.
        num_decoded: Pictures that were decoded whole. Those of a record with a manifest were decoded when it was
            built, and their hashes prove that they are the same.
        findings: In the order of the files, then by place.
        notices: What to know that is not wrong.
    """

    paths: tuple[Path, ...]
    files: tuple[Path, ...]
    num_examples: int
    num_boxes: int
    num_bytes: int
    num_decoded: int
    findings: tuple[RecordFinding, ...]
    notices: tuple[str, ...] = ()

    @property
    def num_files(self) -> int:
        """Files read."""
        return len(self.files)

    @property
    def sound_files(self) -> tuple[Path, ...]:
        """The files that TensorFlow can read to their end."""
        damaged = {finding.file for finding in self.findings if finding.code in _UNREADABLE}
        return tuple(path for path in self.files if path not in damaged)

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "paths": [str(path) for path in self.paths],
            "files": self.num_files,
            "examples": self.num_examples,
            "boxes": self.num_boxes,
            "bytes": self.num_bytes,
            "decoded": self.num_decoded,
            "findings": [finding.as_json() for finding in self.findings],
            "notices": list(self.notices),
        }

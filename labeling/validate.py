"""The judgement of a whole data set: which pictures can be used, which are refused and why, and what else was found."""

import hashlib
import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from collectors.progress import Progress, no_progress
from labeling.annotations import Annotation
from labeling.checks import check_pair, check_whole
from labeling.checks.subject import Subject
from labeling.checks.whole import Whole
from labeling.dataset import DatasetFiles, LabelFile, find_dataset
from labeling.findings import Finding, Severity
from labeling.image_probe import ImageFacts, probe_image
from labeling.label_map import LabelMap
from labeling.voc_reader import MAX_BYTES, Problem, Reading, examine


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """A labelled picture that can be used: it decodes, and its boxes are inside it.

    Attributes:
        class_name: Name of the class folder; empty in a plain folder.
        split: ``training`` or ``verification``; empty in a plain folder.
        xml_path: The annotation file.
        image_path: The picture.
        annotation: The annotation as it stands in the file. A box may reach up to two pixels beyond the edge (finding
            B04): clip it to ``[0, width] x [0, height]``. No objects: a negative picture.
        width: Columns of the decoded picture, as stored (EXIF not applied, as TensorFlow decodes it).
        height: Rows of the decoded picture.
        format: ``jpeg``, ``png`` or ``bmp``, from the content.
        mode: Pillow's mode, such as ``RGB``, ``L``, ``P``, ``CMYK``.
        sha256: Hex digest of the picture's bytes.
        xml_sha256: Hex digest of the annotation file's bytes.
    """

    class_name: str
    split: str
    xml_path: Path
    image_path: Path
    annotation: Annotation
    width: int
    height: int
    format: str
    mode: str
    sha256: str
    xml_sha256: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A pair that is not used.

    Attributes:
        path: The XML file.
        code: Code of the first error found in it; every error stands in the findings.
        reason: That finding's message.
        image_paths: Its pictures, none when there are none.
        class_name: Name of the class folder; empty in a plain folder.
        split: ``training`` or ``verification``; empty in a plain folder.
    """

    path: Path
    code: str
    reason: str
    image_paths: tuple[Path, ...] = ()
    class_name: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check_dataset` found, every tuple sorted by path.

    Every XML file is in ``images`` or in ``refused``; every picture is in ``images``, in ``refused`` or in
    ``unlabeled``.

    Attributes:
        images: Pictures that can be used.
        findings: Everything found, by file, line and code.
        refused: XML files that are not used, with the reason.
        unlabeled: Pictures without an XML file.
        class_names: Class folders looked at, sorted; empty for a plain folder.
    """

    images: tuple[CheckedImage, ...]
    findings: tuple[Finding, ...]
    refused: tuple[Refused, ...]
    unlabeled: tuple[Path, ...]
    class_names: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)


def check_dataset(
    root: Path,
    *,
    label_map: LabelMap | None = None,
    class_names: Sequence[str] | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
) -> CheckReport:
    """Read every annotation, decode every labelled picture and run every check.

    The result does not depend on ``jobs``, on the order of the folder or on the clock.

    Args:
        root: A data root with class folders, one class folder, or any folder of XML files; see `labeling.dataset`.
        label_map: Labels that are allowed; ``None`` allows all.
        class_names: Look at these class folders only; ``None`` for all.
        progress: Called after each pair.
        jobs: Threads that read and decode; ``None`` for one a processor.

    Raises:
        DatasetError: The folder is missing, cannot be listed, or holds no XML at all.
    """
    files = find_dataset(root, class_names)
    looked_at = _look_at_all(files, progress, jobs or os.cpu_count() or 1)
    return _judge(files, looked_at, label_map)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one pair is: everything that needs a file opened."""

    reading: Reading
    xml_sha256: str
    image: ImageFacts | None


def _look_at_all(files: DatasetFiles, progress: Progress, jobs: int) -> list[_Look]:
    """Read and decode every pair, in the order of ``files.labels``."""
    looks: list[_Look] = []
    total = len(files.labels)
    progress(0, total)
    # Pillow tells of large pictures by a warning; here they become findings. Decoding runs outside Python's lock.
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        warnings.simplefilter("ignore")
        try:
            for look in pool.map(_look_at, files.labels):
                looks.append(look)
                progress(len(looks), total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return looks


def _look_at(label: LabelFile) -> _Look:
    image = probe_image(label.image_paths[0]) if len(label.image_paths) == 1 else None
    try:
        with label.xml_path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problem = Problem("X12", None, None, error.strerror or str(error), "a readable file")
        return _Look(Reading(None, (problem,)), "", image)
    return _Look(examine(content), hashlib.sha256(content).hexdigest(), image)


def _judge(files: DatasetFiles, looks: list[_Look], label_map: LabelMap | None) -> CheckReport:
    claims: dict[str, list[Path]] = defaultdict(list)
    for label in files.labels:
        for image_path in label.image_paths:
            claims[os.path.normpath(image_path)].append(label.xml_path)
    findings: list[Finding] = []
    images: list[CheckedImage] = []
    refused: list[Refused] = []
    usable: list[Subject] = []
    for label, look in zip(files.labels, looks, strict=True):
        claimants = {path for image in label.image_paths for path in claims[os.path.normpath(image)]}
        rivals = tuple(sorted(claimants - {label.xml_path}))
        subject = Subject(label, look.reading, look.image, label_map, rivals)
        found = check_pair(subject)
        findings += found
        error = next((finding for finding in found if finding.severity is Severity.ERROR), None)
        if error is not None:
            refused.append(_refused(label, error))
        else:
            usable.append(subject)
            images.append(_checked(subject, look))
    findings += check_whole(Whole(files, tuple(usable)))
    return CheckReport(
        images=tuple(sorted(images, key=lambda image: str(image.xml_path))),
        findings=tuple(sorted(findings, key=lambda finding: finding.sort_key)),
        refused=tuple(sorted(refused, key=lambda one: str(one.path))),
        unlabeled=tuple(sorted((image.path for image in files.unlabeled), key=str)),
        class_names=tuple(folder.name for folder in files.class_folders),
    )


def _refused(label: LabelFile, error: Finding) -> Refused:
    return Refused(label.xml_path, error.code, error.message, label.image_paths, label.class_name, label.split)


def _checked(subject: Subject, look: _Look) -> CheckedImage:
    image, annotation, image_path = subject.decoded, subject.annotation, subject.image_path
    assert image is not None
    assert annotation is not None
    assert image_path is not None, "a pair without exactly one sound picture has an error"
    return CheckedImage(
        class_name=subject.files.class_name,
        split=subject.files.split,
        xml_path=subject.files.xml_path,
        image_path=image_path,
        annotation=annotation,
        width=image.width,
        height=image.height,
        format=image.format,
        mode=image.mode,
        sha256=image.sha256,
        xml_sha256=look.xml_sha256,
    )

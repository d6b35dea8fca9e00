"""The judgement of a whole data set: which pictures can be used, which are refused and why, and what else was found."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.ledger_schema import LEDGER_PATH
from collectors.processes import num_cores
from collectors.progress import Progress, no_progress
from labeling.annotations import Annotation
from labeling.check_cache import CheckCache
from labeling.check_results import keep_report, question_of, recall_report
from labeling.checks import check_pair, check_whole
from labeling.checks.subject import Subject
from labeling.checks.whole import Whole
from labeling.dataset import SPLITS, DatasetFiles, LabelFile, find_dataset
from labeling.findings import Finding, Severity
from labeling.label_map import LabelMap
from labeling.label_map_file import judge_label_map
from labeling.pair_reading import PairFacts, read_pairs
from labeling.provenance import posts_by_picture
from labeling.surroundings import find_neighbours


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
        annotation: The annotation as far as it could be read, ``None`` when it could not at all. For people to look at.
    """

    path: Path
    code: str
    reason: str
    image_paths: tuple[Path, ...] = ()
    class_name: str = ""
    split: str = ""
    annotation: Annotation | None = None


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
    cache: CheckCache | None = None,
    label_map_path: Path | None = None,
) -> CheckReport:
    """Read every annotation, decode every labelled picture and run every check.

    The result does not depend on ``jobs``, on the order of the folder or on the clock.

    Args:
        root: A data root with class folders, one class folder, or any folder of XML files; see `labeling.dataset`.
        label_map: Labels that are allowed; ``None`` allows all.
        class_names: Look at these class folders only; ``None`` for all.
        progress: Called after each pair.
        jobs: Threads that read and decode; ``None`` for one a processor.
        label_map_path: The data set's own label map, judged with it (C05) and used where ``label_map`` is ``None``.
        cache: What earlier checks of this root found out; brought up to date. ``None`` reads every file.

    Raises:
        DatasetError: The folder is missing, cannot be listed, or holds no XML at all.
    """
    question = None
    if cache is not None:
        question = question_of(root, class_names, label_map, label_map_path)
        known = None if question is None else recall_report(cache, question)
        if known is not None:
            num_pairs = len(known.images) + len(known.refused)
            progress(0, num_pairs)
            progress(num_pairs, num_pairs)
            return known
    files = find_dataset(root, class_names)
    # Looks are compared between the splits only; without two of them they are not needed.
    with_looks = {label.split for label in files.labels} >= set(SPLITS)
    facts = read_pairs(files.labels, progress=progress, jobs=jobs or num_cores(), with_looks=with_looks, cache=cache)
    map_findings: tuple[Finding, ...] = ()
    allowed = label_map
    if label_map_path is not None:
        own_map, map_findings = judge_label_map(label_map_path)
        allowed = own_map if label_map is None else label_map
    posts = posts_by_picture(root)
    report = _judge(files, facts, allowed, map_findings, posts)
    if cache is not None:
        # Another program may hold the ledger for a while: what is judged without its posts is not kept.
        has_posts = bool(posts) or not (root / LEDGER_PATH).is_file()
        # Asked again before anything is written: what came, went or changed meanwhile makes another question.
        if has_posts and question is not None and question == question_of(root, class_names, label_map, label_map_path):
            keep_report(cache, question, report)
        cache.save()
    return report


def _judge(
    files: DatasetFiles,
    pairs: list[PairFacts],
    label_map: LabelMap | None,
    map_findings: tuple[Finding, ...],
    posts: Mapping[str, frozenset[str]],
) -> CheckReport:
    rivals = _rivals(files.labels)
    findings = list(map_findings)
    images: list[CheckedImage] = []
    refused: list[Refused] = []
    usable: list[Subject] = []
    real_folders: dict[str, str] = {}
    for label, facts in zip(files.labels, pairs, strict=True):
        real_folder = _real_folder(label, real_folders)
        subject = Subject(
            label,
            facts.reading,
            facts.image,
            label_map,
            rivals.get(label.xml_path, ()),
            facts.salvaged,
            real_folder,
        )
        found = check_pair(subject)
        findings += found
        error = next((finding for finding in found if finding.severity is Severity.ERROR), None)
        if error is not None:
            refused.append(_refused(subject, error))
        else:
            usable.append(subject)
            images.append(_checked(subject, facts))
    findings += check_whole(Whole(files, tuple(usable), find_neighbours(files), posts))
    return CheckReport(
        images=tuple(sorted(images, key=lambda image: str(image.xml_path))),
        findings=tuple(sorted(findings, key=lambda finding: finding.sort_key)),
        refused=tuple(sorted(refused, key=lambda one: str(one.path))),
        unlabeled=tuple(sorted((image.path for image in files.unlabeled), key=str)),
        class_names=tuple(folder.name for folder in files.class_folders),
    )


def _rivals(labels: Sequence[LabelFile]) -> dict[Path, tuple[Path, ...]]:
    """The other XML files that claim a picture of an XML file, sorted; nothing for those that have none."""
    claims: dict[str, list[LabelFile]] = defaultdict(list)
    for label in labels:
        for image_path in label.image_paths:
            claims[os.path.normpath(image_path)].append(label)
    rivals: dict[Path, set[Path]] = defaultdict(set)
    for claimants in claims.values():
        if len(claimants) > 1:
            paths = {label.xml_path for label in claimants}
            for path in paths:
                rivals[path] |= paths - {path}
    return {path: tuple(sorted(others)) for path, others in rivals.items()}


def _real_folder(label: LabelFile, known: dict[str, str]) -> str | None:
    """Follow the links of a picture's folder, once for all pictures in it."""
    if len(label.image_paths) != 1:
        return None
    folder = os.path.dirname(label.image_paths[0])  # noqa: PTH120
    if folder not in known:
        known[folder] = os.path.realpath(folder)
    return known[folder]


def _refused(subject: Subject, error: Finding) -> Refused:
    label = subject.files
    return Refused(
        path=label.xml_path,
        code=error.code,
        reason=error.message,
        image_paths=label.image_paths,
        class_name=label.class_name,
        split=label.split,
        annotation=subject.annotation,
    )


def _checked(subject: Subject, facts: PairFacts) -> CheckedImage:
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
        xml_sha256=facts.xml_sha256,
    )

"""Every labelled picture of a data root, in a split or waiting in ``unlabeled/``, with what it is and looks like."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from collectors.processes import num_cores
from collectors.progress import Progress, no_progress
from labeling.annotations import Annotation
from labeling.check_cache import CheckCache
from labeling.checks import check_pair
from labeling.checks.subject import Subject
from labeling.dataset import SPLITS, UNLABELED, LabelFile, find_dataset
from labeling.errors import DatasetError
from labeling.findings import Finding, Severity
from labeling.image_probe import ImageFacts
from labeling.label_map import LabelMap
from labeling.pair_reading import read_pairs
from labeling.waiting_labels import waiting_folders


class Content(StrEnum):
    """What a person said about a picture; three ways of having no box are three different things."""

    BOXES = "boxes"
    VERIFIED_EMPTY = "verified empty"  # an XML without objects that a person confirmed (the space bar in LabelImg)
    NEGATIVE = "negative"  # an XML without objects, not confirmed
    UNLABELLED = "unlabelled"  # no XML: nobody looked


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One XML file with its picture.

    Attributes:
        label: The files; ``class_name`` and ``split`` of it are empty for waiting ones.
        class_name: Name of the class folder.
        class_dir: The class folder.
        split: ``training``, ``verification`` or ``unlabeled``.
        annotation: The annotation, ``None`` when it cannot be read.
        image: The picture's facts, ``None`` when there is none or more than one.
        xml_sha256: Hash of the XML's bytes.
        error: The first error that refuses the pair, ``None`` when it can be used.
    """

    label: LabelFile
    class_name: str
    class_dir: Path
    split: str
    annotation: Annotation | None
    image: ImageFacts | None
    xml_sha256: str
    error: Finding | None

    @property
    def stem(self) -> str:
        """The key of the pair, which stays when it is moved."""
        return self.label.xml_path.stem

    @property
    def image_path(self) -> Path:
        """The picture, or the XML when there is not exactly one."""
        return self.label.image_paths[0] if len(self.label.image_paths) == 1 else self.label.xml_path

    @property
    def content(self) -> Content:
        """What a person said about the picture."""
        if self.annotation is None or self.annotation.objects:
            return Content.BOXES
        return Content.VERIFIED_EMPTY if self.annotation.verified else Content.NEGATIVE


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A data root as splits and audits see it.

    Attributes:
        root: The data root, or one class folder.
        pictures: Pairs, placed ones first, each sorted by path.
        unlabelled: Pictures without XML: class name, split or ``unlabeled``, path.
    """

    root: Path
    pictures: tuple[LabelledPicture, ...]
    unlabelled: tuple[tuple[str, str, Path], ...]


def look_at_labels(
    root: Path,
    *,
    label_map: LabelMap | None = None,
    class_names: Sequence[str] | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
    cache: CheckCache | None = None,
) -> LabelledSet:
    """Read and decode every labelled picture of a data root, whether placed or waiting.

    Args:
        root: A data root with class folders, or one class folder.
        label_map: Labels that are allowed; ``None`` allows all.
        class_names: Look at these class folders only; ``None`` for all.
        progress: Called after each pair.
        jobs: Threads; ``None`` for one a processor.
        cache: What earlier checks found out; saved here.

    Raises:
        DatasetError: The folder is missing, is no data root, or nothing in it is labelled.
    """
    found: list[tuple[LabelFile, str, Path, str]] = []
    unlabelled: list[tuple[str, str, Path]] = []
    is_class_folder = any((root / name).is_dir() for name in (*SPLITS, UNLABELED))
    problem: DatasetError | None = None
    try:
        placed = find_dataset(root, class_names)
        if not placed.class_folders:
            raise DatasetError("no class folders", where=str(root), fix="Give a data root: DIR/<class>/unlabeled.")
        found += [(one, one.class_name, root if is_class_folder else root / one.class_name, one.split)
                  for one in placed.labels]  # fmt: skip
        unlabelled += [(one.class_name, one.split, one.path) for one in placed.unlabeled]
    except DatasetError as error:
        problem = error
    for name, folder in waiting_folders(root, class_names):
        try:
            waiting = find_dataset(folder)
        except DatasetError:
            continue
        found += [(one, name, folder.parent, UNLABELED) for one in waiting.labels]
        unlabelled += [(name, UNLABELED, one.path) for one in waiting.unlabeled]
    if not found and problem is not None:
        raise problem
    labels = [label for label, _, _, _ in found]
    facts = read_pairs(labels, progress=progress, jobs=jobs or num_cores(), with_looks=True, cache=cache)
    if cache is not None:
        cache.save()
    claims: dict[str, list[Path]] = defaultdict(list)
    for label in labels:
        for image_path in label.image_paths:
            claims[os.path.normpath(image_path)].append(label.xml_path)
    pictures = []
    for (label, class_name, class_dir, split), fact in zip(found, facts, strict=True):
        claimants = {path for image in label.image_paths for path in claims[os.path.normpath(image)]}
        rivals = tuple(sorted(claimants - {label.xml_path}))
        subject = Subject(label, fact.reading, fact.image, label_map, rivals, fact.salvaged)
        refusal = next((one for one in check_pair(subject) if one.severity is Severity.ERROR), None)
        annotation = fact.reading.annotation
        pictures.append(
            LabelledPicture(label, class_name, class_dir, split, annotation, fact.image, fact.xml_sha256, refusal)
        )
    return LabelledSet(root, tuple(pictures), tuple(unlabelled))

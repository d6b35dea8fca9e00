"""The labelled pictures of one class folder, checked: those that become examples, and those that stay out.

Pairs are read, judged and taken down to the few values that a record needs in groups, so the memory of a build does
not depend on what the checks know of a picture.
"""

import ast
import contextlib
import os
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import InputError
from collectors.progress import Progress
from labeling.annotations import Box
from labeling.check_cache import CheckCache
from labeling.checks import check_pair
from labeling.checks.subject import Subject
from labeling.dataset import DatasetFiles, LabelFile, NormalPaths
from labeling.findings import Finding, Severity
from labeling.label_map import LabelMap
from labeling.pair_reading import PairFacts, read_pairs
from labeling.provenance import origins_of
from records.box_filters import BoxFilters
from records.errors import ExampleError
from records.features import FORMATS, ExampleObject, ExampleSource, normalized_box
from records.picture_conversion import kind_of, plan_conversion
from records.plan import SPLITS, Refusal

# Why a picture that passed the checks stays out all the same; the reason says what is wrong with it.
NOT_AN_EXAMPLE = "R01"
FORGOTTEN = "R02"
NO_BOX_LEFT = "R03"

_GROUP = 1024
_WHOLE = [float(number) for number in range(4096)]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of pictures and boxes, and what is known of where they came from.

    Attributes:
        label_map: Ids of the labels.
        filters: Boxes to leave out.
        transcode: Keys of `records.picture_conversion.KINDS`: pictures to convert.
        posts: URLs of posts, from `labeling.provenance.post_urls_by_picture`.
        forgotten: SHA-256 of pictures that must not come back.
        with_looks: Find out what the pictures look like.
    """

    label_map: LabelMap
    filters: BoxFilters = field(default_factory=BoxFilters)
    transcode: frozenset[str] = frozenset()
    posts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()
    with_looks: bool = False


@dataclass(slots=True)
class SplitCandidates:
    """One split of a class folder.

    Attributes:
        examples: With the size of the picture file in bytes; no ``source_id`` yet.
        refused: What stays out.
        dropped: Boxes left out on request, by reason.
        num_unlabeled: Pictures without XML.
        looks: By SHA-256 of a picture, a number that is the same for equal pixels; only where they are asked for.
    """

    examples: list[tuple[ExampleSource, int]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    num_unlabeled: int = 0
    looks: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class CheckTally:
    """What the checks said besides, over all class folders.

    Attributes:
        num_warnings: Findings that refuse nothing.
        unknown_labels: Labels that are not in the label map, with the number of times.
        convertible: Refused pictures that a conversion would let in, by its kind.
        different_labels: ``(path, other path)`` of equal pictures in one class folder with different labels.
    """

    num_warnings: int = 0
    unknown_labels: Counter[str] = field(default_factory=Counter)
    convertible: Counter[str] = field(default_factory=Counter)
    different_labels: list[tuple[str, str]] = field(default_factory=list)


def examine_class(
    files: DatasetFiles,
    selection: Selection,
    tally: CheckTally,
    *,
    progress: Progress,
    jobs: int,
    cache: CheckCache | None,
    splits: Sequence[str] = SPLITS,
) -> dict[str, SplitCandidates]:
    """Check the pictures of one class folder.

    Args:
        files: What lies in it.
        selection: What is asked.
        tally: Is added to.
        progress: Told of every pair, counted within the class.
        jobs: Threads that read and decode.
        cache: What earlier checks found out; see `labeling.check_cache`.
        splits: Only these.

    Returns:
        Candidates by split.
    """
    normal = NormalPaths()
    claims: dict[str, list[Path]] = defaultdict(list)
    for label in files.labels:
        for image_path in label.image_paths:
            claims[normal.of(image_path)].append(label.xml_path)
    labels = [label for label in files.labels if label.split in splits]
    # What the check of this folder would look at, so that its cache serves both.
    with_looks = selection.with_looks or {label.split for label in files.labels} >= set(SPLITS)
    found = {split: SplitCandidates() for split in splits}
    judge = _Judge(files.root, selection, tally)
    for start in range(0, len(labels), _GROUP):
        group = labels[start : start + _GROUP]

        def advance(done: int, total: int | None, note: str = "", start: int = start) -> None:  # noqa: ARG001
            progress(start + done, len(labels), note)

        for label, facts in zip(
            group, read_pairs(group, progress=advance, jobs=jobs, with_looks=with_looks, cache=cache), strict=True
        ):
            judge.judge(label, facts, _rivals(label, claims, normal), found[label.split])
    for image in files.unlabeled:
        if image.split in found:
            found[image.split].num_unlabeled += 1
    tally.different_labels += _different_labels(found)
    return found


@dataclass(frozen=True, slots=True)
class _Judge:
    root: Path
    selection: Selection
    tally: CheckTally
    real_folders: dict[Path, str] = field(default_factory=dict)

    def judge(self, label: LabelFile, facts: PairFacts, rivals: tuple[Path, ...], split: SplitCandidates) -> None:
        subject = Subject(
            label,
            facts.reading,
            facts.image,
            self.selection.label_map,
            rivals,
            facts.salvaged,
            self._real_folder(label),
        )
        findings = check_pair(subject)
        self._count(findings)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        cures = [kind_of(finding.code, subject.decoded) for finding in errors]
        error = next((e for e, cure in zip(errors, cures, strict=True) if cure not in self.selection.transcode), None)
        if error is not None:
            if None not in cures:
                self.tally.convertible.update({cure for cure in cures if cure is not None})
            split.refused.append(self._refusal(label, error.code, error.message))
            return
        try:
            source, dropped = self._example(subject, facts)
        except _StaysOutError as reason:
            split.refused.append(self._refusal(label, reason.code, reason.what))
            return
        except ExampleError as problem:
            split.refused.append(
                self._refusal(label, errors[0].code, f"{errors[0].message}; {problem.what}")
                if errors
                else self._refusal(label, NOT_AN_EXAMPLE, problem.what)
            )
            return
        split.dropped.update(dropped)
        if self.selection.with_looks and facts.image is not None and facts.image.look is not None:
            look = facts.image.look
            split.looks[source.image_sha256] = look.phash << 32 | zlib.crc32(look.colours)
        split.examples.append((source, facts.image.num_bytes if facts.image is not None else 0))

    def _real_folder(self, label: LabelFile) -> str | None:
        if len(label.image_paths) != 1:
            return None
        folder = label.image_paths[0].parent
        if folder not in self.real_folders:
            self.real_folders[folder] = os.path.realpath(folder)
        return self.real_folders[folder]

    def _count(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self.tally.num_warnings += finding.severity is Severity.WARNING
            if finding.code == "C01":
                # The finding quotes the label as Python does.
                with contextlib.suppress(ValueError, SyntaxError):
                    self.tally.unknown_labels[str(ast.literal_eval(finding.got))] += 1

    def _refusal(self, label: LabelFile, code: str, reason: str) -> Refusal:
        return Refusal(_relative(label.xml_path, self.root), code, reason)

    def _example(self, subject: Subject, facts: PairFacts) -> tuple[ExampleSource, Counter[str]]:
        """Turn a sound pair into the source of an example.

        Raises:
            ExampleError: It cannot be one.
            _StaysOutError: It is not wanted.
        """
        image, annotation, image_path = subject.decoded, subject.annotation, subject.image_path
        assert image is not None
        assert annotation is not None
        assert image_path is not None, "a pair without exactly one sound picture has an error"
        if image.sha256 in self.selection.forgotten:
            raise _StaysOutError(FORGOTTEN, "the picture was forgotten (tagbox collect forget); remove both files")
        xml_path = subject.files.xml_path
        paths = [_below(path, self.root) for path in (image_path, xml_path)]
        if not all(map(_is_unicode, paths)):
            raise ExampleError("its name is not valid UTF-8; rename the picture and its XML")
        made = plan_conversion(image, annotation, self.selection.transcode, lambda: _read(image_path))
        if made.format not in FORMATS:
            raise ExampleError(f"a picture of format {made.format!r} cannot be trained on; save it as JPEG or PNG")
        objects = []
        for item in annotation.objects:
            box = Box(*map(_shared_float, (item.box.xmin, item.box.ymin, item.box.xmax, item.box.ymax)))
            normalized_box(box, width=made.width, height=made.height)
            if item.name not in self.selection.label_map:
                raise ExampleError(f"the label {item.name!r} is not in the label map")
            # Names and poses repeat by the hundred thousand: one string each.
            text, view = sys.intern(item.name), sys.intern(item.pose)
            objects.append(
                ExampleObject(self.selection.label_map.ids[text], text, box, item.difficult, item.truncated, view)
            )
        kept, dropped = self.selection.filters.apply(objects, width=made.width, height=made.height)
        if objects and not kept:
            # With no box it would teach that the object is not there.
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
            raise _StaysOutError(NO_BOX_LEFT, f"every box is left out on request ({reasons})")
        source = ExampleSource(
            source_id=0,
            image_path=paths[0],
            xml_path=paths[1],
            image_sha256=image.sha256,
            xml_sha256=facts.xml_sha256,
            width=made.width,
            height=made.height,
            format=sys.intern(made.format),
            class_folder=sys.intern(subject.files.class_name),
            split=sys.intern(subject.files.split),
            objects=kept,
            post_urls=tuple(sorted(self._posts(image.sha256, image_path))),
            transcoding=sys.intern(made.recipe),
        )
        return source, dropped

    def _posts(self, sha256: str, image_path: Path) -> frozenset[str]:
        if not self.selection.posts:
            return frozenset()
        class_name = _below(image_path, self.root).partition("/")[0]
        return origins_of(self.selection.posts, sha256, class_name, image_path.stem)


class _StaysOutError(Exception):
    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what


def _rivals(label: LabelFile, claims: Mapping[str, list[Path]], normal: NormalPaths) -> tuple[Path, ...]:
    claimed = [claims[normal.of(image)] for image in label.image_paths]
    if all(len(paths) == 1 for paths in claimed):
        return ()  # itself, as nearly always
    return tuple(sorted({path for paths in claimed for path in paths} - {label.xml_path}))


def _different_labels(found: Mapping[str, SplitCandidates]) -> list[tuple[str, str]]:
    first: dict[str, ExampleSource] = {}
    different = []
    for candidates in found.values():
        for example, _ in candidates.examples:
            other = first.setdefault(example.image_sha256, example)
            if other is not example and _label_counts(other) != _label_counts(example):
                different.append((example.image_path, other.image_path))
    return sorted(different)


def _label_counts(example: ExampleSource) -> Counter[str]:
    return Counter(item.text for item in example.objects)


def _shared_float(value: float) -> float:
    """Return the number as a float; one object for all whole numbers of its size, which most edges are."""
    return _WHOLE[int(value)] if 0 <= value < len(_WHOLE) and value == int(value) else float(value)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the picture: {error.strerror or error}", where=str(path)) from error


def _relative(path: Path, data_root: Path) -> str:
    """Return a path below the data root as text that any file can hold; bytes that are no UTF-8 become U+FFFD."""
    return _below(path, data_root).encode(errors="surrogateescape").decode(errors="replace")


def _below(path: Path, data_root: Path) -> str:
    # Five times as fast as Path.relative_to, which is asked twice a picture.
    text, prefix = str(path), os.path.join(data_root, "")  # noqa: PTH118
    below = text[len(prefix) :] if text.startswith(prefix) else str(path.relative_to(data_root))
    return below if os.sep == "/" else below.replace(os.sep, "/")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

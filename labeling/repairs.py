"""Mends what can be mended safely in the labels of a data set: shows every change first, and can take it back."""

import difflib
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from collectors.processes import num_cores
from collectors.progress import Progress, no_progress
from labeling.dataset import LabelFile
from labeling.image_probe import probe_image
from labeling.pair_repair import LeftAlone, Mended, PairRepair, RepairOptions, plan_pair
from labeling.repair_log import Repair, RepairLog, dataset_root_of
from labeling.transcoding import NotTranscodableError
from labeling.voc_reader import MAX_BYTES
from labeling.waiting_labels import find_labels


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair of a data set would do.

    Attributes:
        root: The folder that was looked through.
        num_pairs: XML files looked at.
        repairs: Those in which something changes, sorted by path.
        left: Findings that have a repair which does not apply to them, with the reason, sorted by path.
    """

    root: Path
    num_pairs: int
    repairs: tuple[PairRepair, ...]
    left: tuple[LeftAlone, ...]

    @property
    def mended(self) -> tuple[Mended, ...]:
        """Everything that is mended, in the order of ``repairs``."""
        return tuple(one for repair in self.repairs for one in repair.mended)

    def counts(self) -> dict[str, int]:
        """How often each code is mended, by code."""
        return dict(sorted(Counter(one.code for one in self.mended).items()))


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a repair did.

    Attributes:
        repair: Its entry in the log; ``None`` when nothing had to change.
        mended: What was mended.
        left: What was planned but could not be done, with the reason.
        changed_in_between: Files that somebody changed while the repair ran, with the reason.
    """

    repair: Repair | None
    mended: tuple[Mended, ...]
    left: tuple[LeftAlone, ...]
    changed_in_between: tuple[str, ...]


def plan_repairs(
    root: Path,
    options: RepairOptions,
    *,
    class_names: Sequence[str] | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
) -> RepairPlan:
    """Look at every XML file with its picture and work out what to mend; nothing is written.

    Pictures in ``unlabeled/`` that have an XML already are looked at as well. The result does not depend on ``jobs``.

    Args:
        root: A data root, one class folder, or any folder of XML files.
        options: What to mend and how.
        class_names: Look at these class folders only; ``None`` for all.
        progress: Called after each pair.
        jobs: Threads that read and decode; ``None`` for one a processor.

    Raises:
        DatasetError: The folder is missing, cannot be listed, or holds no XML at all.
    """
    labels = [label for files in find_labels(root, class_names) for label in files.labels]
    claims: dict[str, list[Path]] = defaultdict(list)
    for label in labels:
        for image_path in label.image_paths:
            claims[os.path.normpath(image_path)].append(label.xml_path)

    def plan_one(label: LabelFile) -> PairRepair | None:
        claimants = {path for image in label.image_paths for path in claims[os.path.normpath(image)]}
        return _plan_one(label, tuple(sorted(claimants - {label.xml_path})), options)

    repairs: list[PairRepair] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=max(1, jobs or num_cores())) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of large pictures, the checks report them
        try:
            for number, repair in enumerate(pool.map(plan_one, labels), start=1):
                repairs += [repair] if repair is not None else []
                progress(number, len(labels))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    repairs.sort(key=lambda repair: str(repair.label.xml_path))
    left = tuple(one for repair in repairs for one in repair.left)
    return RepairPlan(root, len(labels), tuple(repair for repair in repairs if repair.mended), left)


def apply_repairs(plan: RepairPlan, progress: Progress = no_progress) -> RepairResult:
    """Carry out a plan; see `labeling.repair_log` for what a kill leaves and how it is undone.

    Raises:
        RepairError: An earlier repair was interrupted and has to be finished or undone first.
        InputError: The disk refuses; nothing is half done.
    """
    if not plan.repairs:
        return RepairResult(None, (), (), ())
    log = RepairLog(dataset_root_of(plan.root))
    draft = log.begin("fix")
    mended: list[Mended] = []
    left: list[LeftAlone] = []
    try:
        for number, repair in enumerate(plan.repairs, start=1):
            reason = ""
            try:
                notes = [note_of(one, log) for one in repair.mended]
                reason = draft.add(repair.changes(), notes)
            except (NotTranscodableError, OSError, ValueError) as error:
                reason = str(error)
            if reason:
                left += [LeftAlone(one.code, one.path, one.object_index, reason) for one in repair.mended]
            else:
                mended += repair.mended
            progress(number, len(plan.repairs), "prepared")
    except BaseException:
        draft.discard()
        raise
    if not len(draft):
        draft.discard()
        return RepairResult(None, (), tuple(left), ())
    done, changed = draft.apply(progress)
    return RepairResult(done, tuple(mended), tuple(left), changed)


def note_of(one: Mended, log: RepairLog) -> str:
    """Return one line that says what was mended where, with the path below the dataset root."""
    which = f" (object {one.object_index})" if one.object_index is not None else ""
    return f"{one.code} {log.relative(one.path)}{which}: {one.what}"


def diff_lines(repair: PairRepair, root: Path) -> Iterator[str]:
    """Yield what a repair changes as a unified diff, as git shows it; pictures get one line each.

    Args:
        repair: The repair of one pair.
        root: Paths are shown relative to it.
    """
    old, new = (_shown(path, root) for path in (repair.label.xml_path, repair.xml_target))
    if old != new:
        yield f"rename from {old}"
        yield f"rename to {new}"
    for one in repair.mended:
        if one.path == repair.image_path and repair.image_path != repair.label.xml_path:
            yield f"picture {_shown(one.path, root)}: {one.what}"
    if repair.after != repair.before:
        before, after = (content.decode("utf-8", "replace").splitlines() for content in (repair.before, repair.after))
        yield from difflib.unified_diff(before, after, f"a/{old}", f"b/{new}", lineterm="")


def _plan_one(label: LabelFile, rivals: tuple[Path, ...], options: RepairOptions) -> PairRepair | None:
    try:
        with label.xml_path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError:
        return None  # the checks report it
    image = probe_image(label.image_paths[0]) if len(label.image_paths) == 1 else None
    repair = plan_pair(label, content, image, rivals, options)
    return repair if repair.mended or repair.left else None


def _shown(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()

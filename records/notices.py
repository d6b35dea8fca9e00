"""What a person should know about a build that refuses no picture."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.dataset import ClassFolder
from labeling.label_map import LabelMap, format_pbtxt
from records.candidates import CheckTally
from records.features import ExampleSource
from records.label_ids import LabelMapPlan
from records.manifest import RecordEntry
from records.merging import MergeConflict
from records.plan import MERGED, SPLITS, RecordPlan

_SHOWN = 5
_SHOWN_LABELS = 30


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know; ``code`` never changes its meaning."""

    code: str
    message: str


def empty_class_notice(folder: ClassFolder) -> Notice:
    """Say that a class folder has no labels, and what to do about it."""
    waiting = (
        f"XML waiting in unlabeled/: {folder.num_waiting}; move them to training/ and verification/ with their pictures"
        if folder.num_waiting
        else "label its pictures in LabelImg and save the XML in training/ and verification/, or remove the folder"
    )
    return Notice("empty-class", f"{folder.name}: no labelled pictures, so no record. {waiting}".rstrip() + ".")


def label_map_notices(plan: LabelMapPlan, class_names: Sequence[str]) -> list[Notice]:
    """Say which class folders are no label of the map in use, with the text to add."""
    missing = [name for name in class_names if name not in plan.label_map]
    if not missing:
        return []
    items = _items(plan.label_map.extended_with(missing), missing)
    return [
        Notice(
            "class-not-in-label-map",
            f"{plan.path} has no {', '.join(missing)}. If that is a label and not only a folder, add: {items}",
        )
    ]


def record_notices(
    data_root: Path, records: Sequence[RecordPlan], wanted: Sequence[tuple[str, str, str]]
) -> list[Notice]:
    """Say which records there will not be, and which pictures stay out because nobody labelled them.

    Args:
        data_root: For the paths in the messages.
        records: What is planned.
        wanted: Class, split and file name of every record there could be.
    """
    found = {(record.class_name, record.split) for record in records}
    missing = [item for item in wanted if item[:2] not in found]
    return [
        *(_no_record(data_root, *item) for item in missing),
        *(_all_refused(record) for record in records if not record.num_written),
        *(_unlabeled(record) for record in records if record.num_unlabeled),
    ]


def split_overlap_notices(examples: Callable[[], Iterable[ExampleSource]]) -> list[Notice]:
    """Say which pictures, by their bytes, stand in training and in verification; none, when none does.

    Args:
        examples: Gives all examples, as often as it is called.
    """
    first, second = ({e.image_sha256 for e in examples() if e.split == split} for split in SPLITS)
    both = first & second
    if not both:
        return []
    paths: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    for example in examples():
        if example.image_sha256 in both:
            paths[example.split].setdefault(example.image_sha256, example.image_path)
    training, verification = (paths[split] for split in SPLITS)
    shared = sorted((training[sha256], verification[sha256]) for sha256 in both)
    shown = "; ".join(f"{one} = {other}" for one, other in shared[:_SHOWN])
    more = f"; and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
    return [
        Notice(
            "both-splits",
            f"PICTURES IN TRAINING AND IN VERIFICATION: {len(shared)}, so the score will be too good: {shown}{more}. "
            "They are in the records all the same; remove each from one of the two splits.",
        )
    ]


def foreign_record_notices(kept: Iterable[RecordEntry], class_names: Sequence[str]) -> list[Notice]:
    """Say which records stay that are of no class folder of this data root; none, when none is."""
    known = (*class_names, MERGED)
    files = sorted(shard.file for entry in kept if entry.class_name not in known for shard in entry.shards)
    if not files:
        return []
    return [
        Notice(
            "other-records",
            f"records of classes that this data root has not: {', '.join(files)}. They stay, and a training on the "
            "whole folder reads them. Remove the files and build again if they are given up.",
        )
    ]


def check_notices(tally: CheckTally, plan: LabelMapPlan, data_root: Path) -> list[Notice]:
    """Say what the checks found that the refusals do not tell; nothing, when nothing."""
    notices = _unknown_labels(tally, plan)
    different = tally.different_labels
    if different:
        shown = "; ".join(f"{path} = {other}" for path, other in different[:_SHOWN])
        more = f"; and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        notices.append(
            Notice(
                "different-labels",
                f"the same picture with different labels: {len(different)} times, all in the records: {shown}{more}",
            )
        )
    if tally.convertible:
        shown = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.convertible.items()))
        flags = " ".join(f"--transcode {kind}" for kind in sorted(tally.convertible))
        notices.append(Notice("convertible", f"refused, but a conversion would let them in: {shown}. Add {flags}."))
    if tally.num_warnings:
        notices.append(
            Notice(
                "check-warnings",
                f"warnings of the checks about single pictures: {tally.num_warnings}; "
                f"see: tagbox labels check {data_root}",
            )
        )
    return notices


def merge_notices(records: Iterable[RecordPlan], conflicts: Sequence[MergeConflict], num_repeated: int) -> list[Notice]:
    """Say what was merged, and where two folders contradict each other."""
    num_merged = sum(record.num_merged for record in records)
    notices = []
    if num_merged:
        notices.append(
            Notice(
                "merged",
                f"pictures that stand in several places: {num_merged} went into the example of an equal one"
                + (f"; boxes that both had: {num_repeated}, each kept once." if num_repeated else "."),
            )
        )
    if conflicts:
        shown = "; ".join(conflict.message for conflict in conflicts[:_SHOWN])
        more = f"; and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        notices.append(
            Notice(
                "merge-conflicts",
                f"XML files that contradict each other about a picture: {len(conflicts)}, all boxes are in the "
                f"records: {shown}{more}",
            )
        )
    return notices


def dropped_notices(records: Iterable[RecordPlan]) -> list[Notice]:
    """Say how many boxes were left out on request."""
    dropped: Counter[str] = Counter()
    for record in records:
        dropped.update(record.dropped)
    if not dropped:
        return []
    shown = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    return [Notice("dropped-boxes", f"boxes left out on request: {shown}.")]


def forgotten_notices(entries: Iterable[RecordEntry], forgotten: frozenset[str]) -> list[Notice]:
    """Say which records that this build leaves alone hold a picture that was forgotten."""
    files = [
        entry.file for entry in entries if any(example.image_sha256 in forgotten for example in entry.all_examples())
    ]
    if not forgotten or not files:
        return []
    return [
        Notice(
            "forgotten",
            f"records that this build leaves alone hold pictures that were forgotten: {', '.join(sorted(files))}. "
            "Build their classes too, or remove the files.",
        )
    ]


def _unknown_labels(tally: CheckTally, plan: LabelMapPlan) -> list[Notice]:
    """Say which labels refused pictures for want of an id, with the text that gives them one."""
    counts = tally.unknown_labels
    if not counts:
        return []
    shown = ", ".join(f"{name!r} ({count} times)" for name, count in sorted(counts.items())[:_SHOWN_LABELS])
    more = f" and {len(counts) - _SHOWN_LABELS} more" if len(counts) > _SHOWN_LABELS else ""
    names = sorted(counts)[:_SHOWN_LABELS]
    extended = plan.label_map.extended_with(names)
    # A file that is still to be made needs every item, one that is there the new ones.
    items = _items(extended, names if plan.exists else extended.names)
    return [
        Notice(
            "unknown-labels",
            f"labels outside the label map: {shown}{more}. Correct them, or, where they are right, put this at the end "
            f"of {plan.path} and build again: {items}",
        )
    ]


def _items(label_map: LabelMap, names: Iterable[str]) -> str:
    return " ".join(format_pbtxt(LabelMap(tuple((label_map.ids[name], name) for name in names))).split())


def _no_record(data_root: Path, class_name: str, split: str, file: str) -> Notice:
    use = "a detector cannot be evaluated" if split == "verification" else "nothing can be trained"
    return Notice(
        f"no-{split}",
        f"{class_name}: NO {split.upper()} PICTURES, so there is no {file} and {use} on this class. "
        f"Move some XML with their pictures to {data_root / class_name / split}/ and build again.",
    )


def _all_refused(record: RecordPlan) -> Notice:
    return Notice(
        "all-refused",
        f"{record.class_name}/{record.split}: every picture is refused ({len(record.refused)}), so there is no "
        f"{record.file}.",
    )


def _unlabeled(record: RecordPlan) -> Notice:
    return Notice(
        "unlabeled",
        f"{record.class_name}/{record.split}: pictures without XML, left out: {record.num_unlabeled}. "
        "Label them, or move them to unlabeled/; one without the object needs an XML too (LabelImg: Verify Image).",
    )

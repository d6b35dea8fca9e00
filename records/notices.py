"""What a person should know about a build that refuses no picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.dataset import ClassFolder
from labeling.findings import Severity
from labeling.label_map import LabelMap, format_pbtxt
from labeling.validate import CheckReport
from records.features import ExampleSource
from records.label_ids import LabelMapPlan
from records.plan import SPLITS, RecordPlan

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know; ``code`` never changes its meaning."""

    code: str
    message: str


def empty_class_notice(folder: ClassFolder) -> Notice:
    """Say that a class folder has no labels, and what to do about it."""
    waiting = (
        f"{folder.num_waiting} labelled pictures wait in unlabeled/: move them to training/ and verification/"
        if folder.num_waiting
        else "label its pictures in LabelImg and save the XML in training/ and verification/, or remove the folder"
    )
    return Notice("empty-class", f"{folder.name}: no labelled pictures, so no record. {waiting}".rstrip() + ".")


def label_map_notices(plan: LabelMapPlan, class_names: Sequence[str]) -> list[Notice]:
    """Say which class folders are no label of the map in use, with the text to add."""
    missing = [name for name in class_names if name not in plan.label_map]
    if not missing:
        return []
    items = plan.label_map.extended_with(missing)
    item = " ".join(format_pbtxt(LabelMap(tuple((items.ids[name], name) for name in missing))).split())
    return [
        Notice(
            "class-not-in-label-map",
            f"{plan.path} has no {', '.join(missing)}. If that is a label and not only a folder, add: {item}",
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


def split_overlap_notices(examples: Iterable[ExampleSource]) -> list[Notice]:
    """Say which pictures, by their bytes, stand in training and in verification; none, when none does."""
    paths: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    for example in examples:
        paths[example.split].setdefault(example.image_sha256, []).append(example.image_path)
    training, verification = (paths[split] for split in SPLITS)
    shared = sorted((training[sha256][0], verification[sha256][0]) for sha256 in set(training) & set(verification))
    if not shared:
        return []
    shown = "; ".join(f"{first} = {second}" for first, second in shared[:_SHOWN])
    more = f"; and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
    return [
        Notice(
            "both-splits",
            f"{len(shared)} PICTURES STAND IN TRAINING AND IN VERIFICATION, so the score will be too good: "
            f"{shown}{more}. They are in the records all the same; remove each from one of the two splits.",
        )
    ]


def check_notices(report: CheckReport, data_root: Path) -> list[Notice]:
    """Say what the checks found besides the refusals, in one line each; nothing, when nothing."""
    notices = []
    # The other errors about the data as a whole have notices of their own.
    errors = [finding for finding in report.findings if finding.code == "D04"]
    if errors:
        notices.append(
            Notice(
                "different-labels",
                f"{len(errors)} pictures stand twice with different labels and are in the records as they are: "
                + "; ".join(f"{finding.path}: {finding.message}" for finding in errors[:_SHOWN])
                + ("; ..." if len(errors) > _SHOWN else ""),
            )
        )
    count = report.count(Severity.WARNING)
    if count:
        notices.append(
            Notice("check-warnings", f"the checks have {count} warnings; see: tagbox labels check {data_root}")
        )
    return notices


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
        f"{record.class_name}/{record.split}: all {len(record.refused)} pictures are refused, so there is no "
        f"{record.file}.",
    )


def _unlabeled(record: RecordPlan) -> Notice:
    return Notice(
        "unlabeled",
        f"{record.class_name}/{record.split}: {record.num_unlabeled} pictures have no XML and are left out. "
        "Label them, or move them to unlabeled/; one without the object needs an XML too (LabelImg: Verify Image).",
    )

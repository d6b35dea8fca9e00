"""What became of a build."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from records.manifest import FILE_NAME
from records.notices import Notice
from records.plan import RecordPlan, Refusal


class State(StrEnum):
    """What was done about one record."""

    WRITTEN = "written"
    UP_TO_DATE = "up to date"
    PLANNED = "planned"  # a dry run
    LEFT_OUT = "left out"  # every picture was refused


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """One record of the build and what was done about it.

    ``num_bytes`` is 0 when it is not on disk. ``rebuilt`` names the shards that were written or have to be, and why.
    """

    plan: RecordPlan
    state: State
    num_bytes: int
    rebuilt: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The outcome as a JSON object."""
        return {
            "file": self.plan.file,
            "class": self.plan.class_name,
            "split": self.plan.split,
            "state": self.state.value,
            "found": self.plan.num_found,
            "written": self.plan.num_written,
            "refused": len(self.plan.refused),
            "unlabeled": self.plan.num_unlabeled,
            "boxes": self.plan.num_boxes,
            "bytes": self.num_bytes,
            "merged": self.plan.num_merged,
            "dropped": dict(self.plan.dropped),
            "shards": [shard.file for shard in self.plan.shards],
            "rebuilt": [{"file": file, "reason": str(reason)} for file, reason in self.rebuilt],
        }


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The account of a build: ``num_found`` is always ``num_written + num_merged + num_refused``.

    Attributes:
        out_dir: The records folder.
        outcomes: One for each class and split that has labels, sorted by class, training first.
        notices: What to know besides.
        label_map_path: The label map that was used.
        label_map: Its ``(id, name)`` pairs, with those of records that were there before.
        added_labels: Names that were new in it.
        wrote_label_map: Whether that file was made or extended.
        removed: Files of records that the data does not have any more, now removed (in a dry run: to be removed).
        dry_run: Whether nothing was written.
        is_current: Whether a build has nothing to write, not even a text.
        num_missing: Shards that other calls of ``--shard`` have to build before the records are there.
    """

    out_dir: Path
    outcomes: tuple[RecordOutcome, ...]
    notices: tuple[Notice, ...]
    label_map_path: Path
    label_map: tuple[tuple[int, str], ...]
    added_labels: tuple[str, ...] = ()
    wrote_label_map: bool = False
    removed: tuple[str, ...] = ()
    dry_run: bool = False
    is_current: bool = False
    num_missing: int = 0

    @property
    def num_found(self) -> int:
        """Labelled pictures there are."""
        return sum(outcome.plan.num_found for outcome in self.outcomes)

    @property
    def num_written(self) -> int:
        """Pictures that are in the records."""
        return sum(outcome.plan.num_written for outcome in self.outcomes)

    @property
    def num_merged(self) -> int:
        """Pictures that went into the example of an equal one."""
        return sum(outcome.plan.num_merged for outcome in self.outcomes)

    @property
    def num_refused(self) -> int:
        """Pictures that stay out."""
        return sum(len(outcome.plan.refused) for outcome in self.outcomes)

    @property
    def num_boxes(self) -> int:
        """Objects in the records."""
        return sum(outcome.plan.num_boxes for outcome in self.outcomes)

    @property
    def is_up_to_date(self) -> bool:
        """Whether every record was there already."""
        return all(outcome.state in (State.UP_TO_DATE, State.LEFT_OUT) for outcome in self.outcomes)

    @property
    def manifest_path(self) -> Path:
        """Where the whole account stands."""
        return self.out_dir / FILE_NAME

    def refusals(self) -> Iterator[Refusal]:
        """Walk every refusal, by record."""
        for outcome in self.outcomes:
            yield from outcome.plan.refused

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object; refusals with path, code and reason."""
        return {
            "out": str(self.out_dir),
            "dry_run": self.dry_run,
            "totals": {
                "found": self.num_found,
                "written": self.num_written,
                "merged": self.num_merged,
                "refused": self.num_refused,
                "boxes": self.num_boxes,
            },
            "current": self.is_current,
            "missing_shards": self.num_missing,
            "records": [outcome.as_json() for outcome in self.outcomes],
            "refusals": [{"path": item.path, "code": item.code, "reason": item.reason} for item in self.refusals()],
            "notices": [{"code": notice.code, "message": notice.message} for notice in self.notices],
            "label_map": {
                "path": str(self.label_map_path),
                "items": [{"id": class_id, "name": name} for class_id, name in self.label_map],
                "added": list(self.added_labels),
                "written": self.wrote_label_map,
            },
            "removed": list(self.removed),
        }


class NothingUsableError(InputError):
    """There are labels, and every one of them is refused. Nothing was written.

    Attributes:
        report: The account, with every refusal.
    """

    def __init__(self, report: BuildReport, *, where: str) -> None:
        first = next(report.refusals())
        super().__init__(
            f"every labelled picture is refused ({report.num_refused} of {report.num_found}), the first, {first.path}, "
            f"because of {first.code}: {first.reason}",
            where=where,
            fix=f"See them all, with lines and what to do: tagbox labels check {where}",
        )
        self.report = report

"""What ``labels fix``, ``split`` and ``audit`` share: the list of repairs, taking one back, going on after a kill."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from labeling.label_map import LabelMap

Command = Callable[..., Any]


def history_options(command: Command) -> Command:
    """Add ``--undo ID`` and ``--list``."""
    command = click.option("--list", "is_listed", is_flag=True, help="List what was changed before.")(command)
    return click.option("--undo", metavar="ID", help="Give the files of a change back what they held.")(command)


def show_history(root: Path, as_json: bool) -> int:
    """Print every repair of a dataset root."""
    from labeling.repair_log import RepairLog, dataset_root_of

    repairs = RepairLog(dataset_root_of(root)).repairs()
    if as_json:
        write_json(
            [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "state": one.state.value,
                    "files": one.num_files,
                    "notes": list(one.notes),
                }
                for one in repairs
            ]
        )
        return exit_codes.DONE
    rows = [
        [one.id, one.kind, one.state.value, str(one.num_files), one.notes[0] if one.notes else ""] for one in repairs
    ]
    write_table(["id", "command", "state", "files", "first of what it did"], rows, right={3})
    return exit_codes.DONE


def undo_repair(root: Path, repair_id: str, as_json: bool) -> int:
    """Take one repair back."""
    from labeling.repair_log import RepairLog, dataset_root_of

    with progress("undoing") as advance:
        repair = RepairLog(dataset_root_of(root)).undo(repair_id, advance)
    if as_json:
        write_json({"id": repair.id, "kind": repair.kind, "state": repair.state.value, "files": repair.num_files})
    else:
        click.echo(f"{repair.kind} {repair.id} is undone: {repair.num_files} files are as they were")
    return exit_codes.DONE


def own_label_map(root: Path, path: Path | None) -> "LabelMap | None":
    """Read the label map asked for, or that of the data root (of a class folder: the one above); ``None`` without."""
    from labeling.label_map import read_label_map

    places = (root / "label_map.pbtxt", root / ".." / "label_map.pbtxt")
    path = path or next((place for place in places if place.is_file()), None)
    return None if path is None else read_label_map(path)


def finish_interrupted(root: Path, *, is_applied: bool) -> None:
    """Finish what a killed run left, or on a dry run say that there is something to finish."""
    from labeling.repair_log import RepairLog, dataset_root_of

    if not root.is_dir():
        return
    log = RepairLog(dataset_root_of(root))
    unfinished = log.unfinished()
    if unfinished is None:
        return
    if not is_applied:
        say(f"{unfinished.kind} {unfinished.id} is not finished: --apply goes on, --undo {unfinished.id} goes back")
        return
    with progress(f"finishing {unfinished.kind} {unfinished.id}") as advance:
        left = log.finish(unfinished, advance)
    for line in left:
        say(f"left alone: {line}")

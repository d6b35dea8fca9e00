"""Changes to a data set that can be taken back: prepared aside, written down, carried out, undone.

Each repair has a folder ``.tagbox/repairs/<id>/`` below the dataset root:

    plan.json    every file that changes, with the hash of what it holds before and after; never changes once written
    before/      what the files held
    staged/      what they will hold, renamed into place one by one
    applied      there once every file is done
    undoing      there from the moment it is taken back
    undone       there once every file is back

Nothing outside that folder changes before the plan is on disk, and each file changes by one rename, so a killed run
leaves every file whole, old or new, and the plan says how to go on or back. One process at a time may change the log:
what looks like the rest of a killed run could be another run at work.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from collectors.files import sha256_of_file, write_atomically
from collectors.ledger_lock import exclusive
from collectors.progress import Progress, no_progress
from labeling.dataset import SPLITS, UNLABELED
from labeling.errors import RepairError
from labeling.file_changes import Change, Move, Write

REPAIRS_DIR = Path(".tagbox") / "repairs"
_VERSION = 1
_ROLE = "repair"
_PLACES = (*SPLITS, UNLABELED)


class RepairState(StrEnum):
    """How far a repair has come."""

    UNFINISHED = "unfinished"
    APPLIED = "applied"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair as its plan has it.

    Attributes:
        id: Four digits, counted up from ``0001``.
        kind: The command that made it, such as ``fix`` or ``split``.
        state: How far it has come.
        num_files: Files it changes.
        notes: What it does, one line for each thing a person may want to know later.
        folder: Its folder below ``.tagbox/repairs``.
    """

    id: str
    kind: str
    state: RepairState
    num_files: int
    notes: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Step:
    """One file of a plan: ``before`` and ``after`` are hashes, "" for no file; a move has both paths."""

    path: str
    target: str
    before: str
    after: str
    mode: int
    number: int


class RepairLog:
    """The repairs of one dataset root.

    Args:
        root: The dataset root; paths in plans are relative to it, and changes may be named in any spelling.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / REPAIRS_DIR

    def repairs(self) -> tuple[Repair, ...]:
        """Every repair, oldest first; none when there never was one."""
        if not self._folder.is_dir():
            return ()
        folders = sorted(path for path in self._folder.iterdir() if (path / "plan.json").is_file())
        return tuple(self._repair(folder, _read_plan(folder)) for folder in folders)

    def unfinished(self) -> Repair | None:
        """The repair that was interrupted, if any; there can be only one."""
        return next((one for one in self.repairs() if one.state is RepairState.UNFINISHED), None)

    def begin(self, kind: str) -> "RepairDraft":
        """Start to collect changes; nothing but the log's own folder is touched until `RepairDraft.apply`.

        Until `RepairDraft.apply` or `RepairDraft.discard` no other process can begin, finish or undo a repair here.

        Raises:
            RepairError: An earlier repair was interrupted and has to be finished or undone first.
            RootBusyError: Another process is changing the labels.
            InputError: The disk refuses.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._no_backup(error) from error
        with ExitStack() as alone:
            alone.enter_context(exclusive(self.root, role=_ROLE))
            unfinished = self.unfinished()
            if unfinished is not None:
                raise RepairError(
                    f"repair {unfinished.id} was interrupted",
                    where=str(unfinished.folder),
                    fix=f"Run the same command with --apply to finish it, or take it back with --undo {unfinished.id}.",
                )
            return RepairDraft(self, kind, self._new_folder(), alone.pop_all())

    def finish(self, repair: Repair, progress: Progress = no_progress) -> tuple[str, ...]:
        """Do what an interrupted repair still has to do.

        Returns:
            Files left alone because somebody changed them in between, with the reason.

        Raises:
            RepairError: It was being undone.
            RootBusyError: Another process is changing the labels: it may be this very repair, still at work.
            InputError: The disk refuses; calling again goes on.
        """
        with exclusive(self.root, role=_ROLE):
            return self._finish(repair, progress)

    def _finish(self, repair: Repair, progress: Progress) -> tuple[str, ...]:
        if (repair.folder / "undoing").exists():
            raise RepairError(
                f"repair {repair.id} was being undone when it was interrupted",
                where=str(repair.folder),
                fix=f"Go on with: --undo {repair.id}",
            )
        steps, _ = self._steps(repair.folder)
        left = []
        for index, step in enumerate(steps, start=1):
            if reason := self._carry_out(repair.folder, step):
                left.append(f"{step.path}: {reason}")
            progress(index, len(steps))
        write_atomically(repair.folder / "applied", json.dumps({"left": left}) + "\n")
        shutil.rmtree(repair.folder / "staged", ignore_errors=True)
        return tuple(left)

    def undo(self, repair_id: str, progress: Progress = no_progress) -> Repair:
        """Give every file of a repair back what it held before; a repair undone already stays as it is.

        Raises:
            RepairError: There is no such repair, or a file was changed since (nothing is done then).
            RootBusyError: Another process is changing the labels.
            InputError: The disk refuses; calling again goes on.
        """
        if not self._folder.is_dir():
            raise RepairError(f"there is no repair {repair_id!r}", where=str(self._folder), fix="Known are: none.")
        with exclusive(self.root, role=_ROLE):
            return self._undo(repair_id, progress)

    def _undo(self, repair_id: str, progress: Progress) -> Repair:
        known = self.repairs()
        repair = next((one for one in known if one.id == repair_id.zfill(4)), None)
        if repair is None:
            raise RepairError(
                f"there is no repair {repair_id!r}",
                where=str(self._folder),
                fix=f"Known are: {', '.join(one.id for one in known) or 'none'}.",
            )
        if repair.state is RepairState.UNDONE:
            return repair
        steps, document = self._steps(repair.folder)
        left_alone = self._left_alone(repair.folder)
        steps = [step for step in steps if step.path not in left_alone]
        changed = [step.path for step in steps if not (self._is_done(step) or self._is_back(step))]
        if changed:
            later = [one.id for one in known if one.id > repair.id and one.state is not RepairState.UNDONE]
            hint = f"Undo the later repairs first ({', '.join(reversed(later))})" if later else "Put it back as it was"
            others = f" and {len(changed) - 1} more files" if len(changed) > 1 else ""
            raise RepairError(
                f"repair {repair.id} cannot be undone: {changed[0]}{others} changed since",
                where=str(self.root),
                fix=f"{hint}, or take single files from {repair.folder / 'before'}.",
            )
        write_atomically(repair.folder / "undoing", "\n")
        for index, step in enumerate(reversed(steps), start=1):
            if not self._is_back(step):
                self._take_back(repair.folder, step)
            progress(index, len(steps))
        for made in sorted(document["made_folders"], reverse=True):
            _remove_if_empty(self.root / made)
        write_atomically(repair.folder / "undone", "\n")
        shutil.rmtree(repair.folder / "staged", ignore_errors=True)
        return self._repair(repair.folder, _read_plan(repair.folder))

    def relative(self, path: Path) -> str:
        """Return a path as plans write it, relative to the root with forward slashes."""
        return Path(os.path.relpath(path.absolute(), self.root.absolute())).as_posix()

    def _new_folder(self) -> Path:
        try:
            numbers = [int(path.name) for path in self._folder.iterdir() if path.name.isdigit()]
            for path in self._folder.iterdir():
                if path.name.isdigit() and not (path / "plan.json").exists():
                    shutil.rmtree(path)  # a run that was killed before it had a plan: nothing had changed
            folder = self._folder / f"{max(numbers, default=0) + 1:04d}"
            folder.mkdir()
        except OSError as error:
            raise self._no_backup(error) from error
        return folder

    def _no_backup(self, error: OSError) -> InputError:
        return InputError(
            f"cannot prepare a backup: {error.strerror or error}",
            where=str(self._folder),
            fix="Free some space, or give yourself permission to write there; nothing was changed.",
        )

    def _repair(self, folder: Path, document: dict[str, Any]) -> Repair:
        if (folder / "undone").exists():
            state = RepairState.UNDONE
        else:
            is_whole = (folder / "applied").exists() and not (folder / "undoing").exists()
            state = RepairState.APPLIED if is_whole else RepairState.UNFINISHED
        notes = tuple(str(note) for note in document["notes"])
        return Repair(folder.name, str(document["kind"]), state, len(document["steps"]), notes, folder)

    def _steps(self, folder: Path) -> tuple[list[_Step], dict[str, Any]]:
        document = _read_plan(folder)
        return [_Step(**step) for step in document["steps"]], document

    def _left_alone(self, folder: Path) -> set[str]:
        if not (folder / "applied").exists():
            return set()
        left = json.loads((folder / "applied").read_text(encoding="utf-8"))["left"]
        return {str(line).partition(": ")[0] for line in left}

    def _is_done(self, step: _Step) -> bool:
        if step.target:
            return _hash(self.root / step.path) == "" and _hash(self.root / step.target) == step.after
        return _hash(self.root / step.path) == step.after

    def _is_back(self, step: _Step) -> bool:
        if step.target and _hash(self.root / step.target) != "":
            return False
        return _hash(self.root / step.path) == step.before

    def _carry_out(self, folder: Path, step: _Step) -> str:
        """Change one file; say why not when it is neither as it was nor as it shall be."""
        if self._is_done(step):
            return ""
        path = self.root / step.path
        if _hash(path) != step.before or (step.target and os.path.lexists(self.root / step.target)):
            return "it was changed in between, so it is left alone"
        try:
            if step.target:
                _rename(path, self.root / step.target)
            elif step.after:
                path.parent.mkdir(parents=True, exist_ok=True)
                staged = folder / "staged" / f"{step.number:06d}"
                if step.mode:
                    staged.chmod(step.mode)
                _rename(staged, path)
            else:
                path.unlink()
        except OSError as error:
            raise _refused_by_disk(path, error) from error
        return ""

    def _take_back(self, folder: Path, step: _Step) -> None:
        path = self.root / step.path
        try:
            if step.target:
                _rename(self.root / step.target, path)
            elif step.before:
                # By way of the repair's folder, so that a kill leaves no .tmp file among the labels.
                content = (folder / "before" / f"{step.number:06d}").read_bytes()
                restored = folder / "staged" / f"{step.number:06d}"
                write_atomically(restored, content)
                restored.chmod(step.mode)
                _rename(restored, path)
            else:
                path.unlink()
        except OSError as error:
            raise _refused_by_disk(path, error) from error


class RepairDraft:
    """Changes being collected for one repair; made by `RepairLog.begin`.

    Old and new bytes go to the repair's folder at once, so a repair of any number of pictures needs little memory.
    """

    def __init__(self, log: RepairLog, kind: str, folder: Path, alone: ExitStack) -> None:
        self._alone = alone
        self._log = log
        self._kind = kind
        self._folder = folder
        self._steps: list[dict[str, Any]] = []
        self._notes: list[str] = []
        self._made: set[str] = set()
        self._taken: set[str] = set()

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, changes: Sequence[Change], notes: Sequence[str] = ()) -> str:
        """Add changes that belong together, all or none.

        Returns:
            Why they were not added (a file changed since it was looked at, a name is taken, a symbolic link); "" when
            they were.

        Raises:
            InputError: The disk refuses.
        """
        if reason := next(filter(None, (self._obstacle(change) for change in changes)), ""):
            return reason
        for change in changes:
            self._add(change)
            self._taken.update(self._paths_of(change))
        self._notes += notes
        return ""

    def apply(self, progress: Progress = no_progress) -> tuple[Repair, tuple[str, ...]]:
        """Write the plan down, then change the files.

        Returns:
            The repair, and the files left alone because somebody changed them in between, with the reason.

        Raises:
            InputError: The disk refuses; `RepairLog.finish` goes on, `RepairLog.undo` goes back.
        """
        document = {
            "version": _VERSION,
            "kind": self._kind,
            "notes": self._notes,
            "made_folders": sorted(self._made),
            "steps": self._steps,
        }
        with self._alone:
            write_atomically(self._folder / "plan.json", json.dumps(document, indent=1, ensure_ascii=True) + "\n")
            repair = self._log._repair(self._folder, document)
            left = self._log._finish(repair, progress)
            return self._log._repair(self._folder, document), left

    def discard(self) -> None:
        """Forget the changes; nothing was done."""
        with self._alone:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _obstacle(self, change: Change) -> str:
        if change.path.is_symlink():
            return f"{change.path} is a symbolic link, which is left alone"
        if _hash(change.path) != change.expected:
            return f"{change.path} was changed in between"
        if isinstance(change, Move) and os.path.lexists(change.target):
            return f"{change.target} is there already"
        if not self._taken.isdisjoint(self._paths_of(change)):
            return f"another change of the same run concerns {change.path}"
        return ""

    def _paths_of(self, change: Change) -> list[str]:
        paths = [change.path, change.target] if isinstance(change, Move) else [change.path]
        return [self._log.relative(path) for path in paths]

    def _add(self, change: Change) -> None:
        number = len(self._steps)
        after = ""
        target = ""
        try:
            if isinstance(change, Move):
                after, target = change.expected, self._log.relative(change.target)
                self._note_folders(change.target.parent)
            elif change.expected:
                before = change.path.read_bytes()
                write_atomically(self._folder / "before" / f"{number:06d}", before)
            if isinstance(change, Write):
                after = sha256(change.content).hexdigest()
                write_atomically(self._folder / "staged" / f"{number:06d}", change.content)
                self._note_folders(change.path.parent)
            mode = stat.S_IMODE(change.path.stat().st_mode) if change.expected else 0
        except OSError as error:
            raise _refused_by_disk(change.path, error) from error
        step = _Step(self._log.relative(change.path), target, change.expected, after, mode, number)
        self._steps.append({name: getattr(step, name) for name in _Step.__slots__})

    def _note_folders(self, folder: Path) -> None:
        self._made.update(self._log.relative(missing) for missing in _missing_folders(folder))


def dataset_root_of(folder: Path) -> Path:
    """Return the dataset root that a folder belongs to: the nearest of itself and two above that has a log or a ledger.

    Without any, it is the folder above a class folder where that is a data root (it has a label map or another class
    folder), so that ``data`` and ``data/cat`` share one log; else the folder itself.
    """
    for candidate in (folder, *list(folder.absolute().parents)[:2]):
        if any((candidate / ".tagbox" / name).exists() for name in ("repairs", "split.json", "ledger.sqlite")):
            return candidate
    class_dir = folder.absolute().parent if folder.absolute().name in _PLACES else folder.absolute()
    return class_dir.parent if _is_class_folder(class_dir) and _is_data_root(class_dir.parent, class_dir) else folder


def _is_class_folder(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in _PLACES)


def _is_data_root(folder: Path, class_dir: Path) -> bool:
    if (folder / "label_map.pbtxt").is_file():
        return True
    try:
        return any(path != class_dir and path.is_dir() and _is_class_folder(path) for path in folder.iterdir())
    except OSError:
        return False


def _read_plan(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        if document["version"] > _VERSION:
            raise RepairError(
                "a newer tagbox wrote this repair", where=str(folder), fix="Update tagbox; nothing was changed."
            )
        for key in ("kind", "notes", "made_folders", "steps"):
            document[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RepairError(
            f"the plan of a repair cannot be read ({type(error).__name__}: {error})",
            where=str(folder / "plan.json"),
            fix="Its files stand in before/; move the folder away to go on without it.",
        ) from error
    return dict(document)


def _hash(path: Path) -> str:
    """The hex SHA-256 of a file; "" when there is none, "?" when it is no readable file."""
    try:
        return sha256_of_file(path)
    except FileNotFoundError:
        return ""
    except OSError:
        return "?"


def _rename(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        old.replace(new)
    except OSError as error:
        if error.errno != 18:  # EXDEV: the folders lie on two disks
            raise
        write_atomically(new, old.read_bytes())
        shutil.copymode(old, new)
        old.unlink()


def _missing_folders(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _refused_by_disk(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot change it: {error.strerror or error}",
        where=str(path),
        fix="Mend the cause, then run the same command again: it goes on where it stopped.",
    )

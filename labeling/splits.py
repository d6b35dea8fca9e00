"""Moves labelled pictures that wait in ``unlabeled/`` into training and verification, so that the score stays honest.

What belongs together (`labeling.picture_groups`) never straddles the splits. Pictures placed already stay where they
are: a group with one of them follows it, and the others are chosen by `labeling.split_choice`. What the
verification set held after the last split is written down, so that a change by hand does not go unnoticed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from collectors.progress import Progress, no_progress
from labeling.errors import RepairError
from labeling.file_changes import Change, Move, Write
from labeling.labelled_pictures import Content, LabelledPicture, LabelledSet
from labeling.picture_groups import Group, group_pictures
from labeling.repair_log import Repair, RepairLog, dataset_root_of
from labeling.split_choice import Balance, choose_verification

SPLIT_RECORD = Path(".tagbox") / "split.json"
DEFAULT_SALT = "tagbox"
DEFAULT_SHARE = 0.1
_RECORD_VERSION = 2


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How to split.

    Attributes:
        share: Share of the pictures that verification is to have, 0 to 1.
        salt: Makes another split; keep it.
        is_frozen: Add nothing to verification.
        with_negatives: Take pictures without objects that nobody verified, too.
    """

    share: float = DEFAULT_SHARE
    salt: str = DEFAULT_SALT
    is_frozen: bool = False
    with_negatives: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A picture and the split it goes to; ``reason`` says why there, a clause."""

    picture: LabelledPicture
    split: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A labelled picture that stays in ``unlabeled/``; ``code`` is that of a check, or a word; ``reason`` a clause."""

    path: Path
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What a split would do. Every waiting pair is in ``assignments`` or in ``held``.

    Attributes:
        root: The data root.
        options: As asked.
        assignments: Sorted by class and path.
        held: Sorted by path.
        num_groups: Groups that the assigned pictures form.
        balance: How each stratum comes out, placed pictures included.
        num_unlabelled: Pictures that wait without XML.
        verification_changes: What changed in the verification folders since the last split, one line each.
        record: What is written down about verification, for the next split.
    """

    root: Path
    options: SplitOptions
    assignments: tuple[Assignment, ...]
    held: tuple[HeldBack, ...]
    num_groups: int
    balance: tuple[Balance, ...]
    num_unlabelled: int
    verification_changes: tuple[str, ...]
    record: dict[str, Any]


def plan_split(
    labelled: LabelledSet,
    options: SplitOptions,
    *,
    posts: Mapping[str, frozenset[str]] | None = None,
    blogs: Mapping[str, frozenset[str]] | None = None,
) -> SplitPlan:
    """Work out where each waiting picture goes; nothing is moved.

    Args:
        labelled: The data root.
        options: How to split.
        posts: Posts of each picture by the SHA-256 of its bytes.
        blogs: The same for blogs, when pictures of one blog are to stay together.

    Raises:
        RepairError: The record of the last split cannot be read.
    """
    held = {index: reason for index, one in enumerate(labelled.pictures) if (reason := _obstacle(one, options))}
    held |= _name_clashes(labelled.pictures, held)
    waiting = {index for index, one in enumerate(labelled.pictures) if one.split == "unlabeled" and index not in held}
    goes: dict[int, tuple[str, str]] = {}
    free: list[Group] = []
    groups = group_pictures(labelled.pictures, posts=posts, blogs=blogs)
    for group in groups:
        members = [index for index in group.members if index in waiting]
        placed = [index for index in group.members if labelled.pictures[index].split != "unlabeled"]
        splits = {labelled.pictures[index].split for index in placed}
        if not members:
            continue
        if len(splits) > 1:
            names = " and ".join(str(labelled.pictures[index].image_path) for index in placed[:2])
            held |= dict.fromkeys(
                members, ("leak", f"{names} belong together but lie in both splits: see tagbox labels audit")
            )
        elif not splits:
            free.append(Group(tuple(members), group.ties))
        else:
            split, like = splits.pop(), labelled.pictures[placed[0]].image_path
            if split == "verification" and options.is_frozen:
                held |= dict.fromkeys(members, ("frozen", f"it belongs to {like}, and verification is frozen"))
            else:
                goes |= dict.fromkeys(members, (split, f"belongs to {like}"))
    balance = _choose(labelled.pictures, free, goes, options)
    assignments = [Assignment(labelled.pictures[index], *goes[index]) for index in sorted(goes)]
    assignments.sort(key=lambda one: (one.picture.class_name, str(one.picture.label.xml_path)))
    before = read_split_record(labelled.root)
    return SplitPlan(
        root=labelled.root,
        options=options,
        assignments=tuple(assignments),
        held=tuple(
            sorted(
                (HeldBack(labelled.pictures[index].label.xml_path, *reason) for index, reason in held.items()),
                key=lambda one: str(one.path),
            )
        ),
        num_groups=sum(any(index in goes for index in group.members) for group in groups),
        balance=balance,
        num_unlabelled=sum(split == "unlabeled" for _, split, _ in labelled.unlabelled),
        verification_changes=verification_changes(labelled, before),
        record=_record(labelled, assignments, options),
    )


def apply_split(plan: SplitPlan, progress: Progress = no_progress) -> tuple[Repair | None, tuple[HeldBack, ...]]:
    """Move the pictures; see `labeling.repair_log` for what a kill leaves and how it is undone.

    With nothing to move, changes of verification by hand are taken over into the record, so that they are told once.

    Returns:
        The entry in the log (``None`` when nothing changed), and pairs that could not be moved, with the reason.

    Raises:
        RepairError: An earlier repair or split was interrupted and has to be finished or undone first.
        InputError: The disk refuses; nothing is half done.
    """
    if not plan.assignments and not plan.verification_changes:
        return None, ()
    log = RepairLog(dataset_root_of(plan.root))
    draft = log.begin("split")
    held = []
    try:
        for number, one in enumerate(plan.assignments, start=1):
            notes = [f"{log.relative(one.picture.label.xml_path)} to {one.split}: {one.reason}"]
            if reason := draft.add(_moves(one), notes):
                held.append(HeldBack(one.picture.label.xml_path, "blocked", reason))
            progress(number, len(plan.assignments), "prepared")
        if not len(draft) and plan.assignments:
            draft.discard()
            return None, tuple(held)
        record = plan.record if not held else _without(plan.record, held)
        path = log.root / SPLIT_RECORD
        expected = sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        draft.add([Write(path, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(), expected)])
    except BaseException:
        draft.discard()
        raise
    repair, left = draft.apply(progress)
    blocked = (HeldBack(Path(line.partition(": ")[0]), "changed", line.partition(": ")[2]) for line in left)
    return repair, (*held, *blocked)


def read_split_record(root: Path) -> dict[str, Any] | None:
    """Return what the last split wrote down, or ``None`` when there was none.

    Raises:
        RepairError: The record cannot be read.
    """
    path = dataset_root_of(root) / SPLIT_RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if int(record["version"]) > _RECORD_VERSION:
            raise RepairError("a newer tagbox wrote it", where=str(path), fix="Update tagbox; nothing was changed.")
        # The first version hashed the files; only the names can be compared then.
        is_old = int(record["version"]) < _RECORD_VERSION
        verification = {str(key): "" if is_old else str(value) for key, value in dict(record["verification"]).items()}
        return {"salt": str(record["salt"]), "share": float(record["share"]), "verification": verification}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RepairError(
            f"the record of the last split cannot be read ({type(error).__name__})",
            where=str(path),
            fix="Remove the file to begin a new one.",
        ) from error


def verification_changes(labelled: LabelledSet, record: dict[str, Any] | None) -> tuple[str, ...]:
    """Say what changed in verification since the record was written; nothing without a record."""
    if record is None:
        return ()
    looked_at = {one.class_name for one in labelled.pictures}
    before = {key: value for key, value in record["verification"].items() if key.partition("/")[0] in looked_at}
    now = {_key(one): _fingerprint(one) for one in labelled.pictures if one.split == "verification"}
    gone = [f"{key} is gone" for key in sorted(before.keys() - now.keys())]
    added = [f"{key} was added" for key in sorted(now.keys() - before.keys())]
    changed = [f"{key} was changed" for key in sorted(now.keys() & before.keys()) if before[key] not in ("", now[key])]
    return (*gone, *added, *changed)


def _obstacle(picture: LabelledPicture, options: SplitOptions) -> tuple[str, str] | None:
    if picture.split != "unlabeled":
        return None
    if picture.error is not None:
        return picture.error.code, picture.error.message
    if picture.content is Content.NEGATIVE and not options.with_negatives:
        return "negative", "it has no object and nobody verified that (the space bar in LabelImg)"
    return None


def _name_clashes(
    pictures: tuple[LabelledPicture, ...], held: Mapping[int, tuple[str, str]]
) -> dict[int, tuple[str, str]]:
    """Waiting pictures whose stem is taken within their class: it is the key of XML and picture."""
    taken = {(one.class_name, one.stem): one for one in pictures if one.split != "unlabeled"}
    clashes = {}
    for index, picture in enumerate(pictures):
        if picture.split == "unlabeled" and index not in held:
            earlier = taken.setdefault((picture.class_name, picture.stem), picture)
            if earlier is not picture:
                clashes[index] = ("name", f"{earlier.label.xml_path} has the same name")
    return clashes


def _choose(
    pictures: tuple[LabelledPicture, ...], free: list[Group], goes: dict[int, tuple[str, str]], options: SplitOptions
) -> tuple[Balance, ...]:
    """Decide about the groups that nothing binds, and note it in ``goes``."""
    usable = [(index, one) for index, one in enumerate(pictures) if one.error is None]
    bound = {
        split: [one for index, one in usable if one.split == split or goes.get(index, ("",))[0] == split]
        for split in ("training", "verification")
    }
    chosen, balance = choose_verification(
        [[pictures[index] for index in group.members] for group in free],
        training=bound["training"],
        verification=bound["verification"],
        share=0.0 if options.is_frozen else options.share,
        salt=options.salt,
    )
    for number, group in enumerate(free):
        split = "verification" if number in chosen else "training"
        reason = "chosen" if len(group.members) == 1 else f"chosen with {len(group.members) - 1} like it"
        goes |= dict.fromkeys(group.members, (split, reason))
    return balance


def _moves(one: Assignment) -> list[Change]:
    picture, folder = one.picture, one.picture.class_dir / one.split
    assert picture.image is not None
    image_path = picture.image_path
    return [
        Move(image_path, folder / "images" / image_path.name, picture.image.sha256),
        Move(picture.label.xml_path, folder / picture.label.xml_path.name, picture.xml_sha256),
    ]


def _record(labelled: LabelledSet, assignments: list[Assignment], options: SplitOptions) -> dict[str, Any]:
    verification = [one for one in labelled.pictures if one.split == "verification"]
    verification += [one.picture for one in assignments if one.split == "verification"]
    known = read_split_record(labelled.root) or {"verification": {}}
    looked_at = {one.class_name for one in labelled.pictures}
    others = {key: one for key, one in known["verification"].items() if key.partition("/")[0] not in looked_at}
    return {
        "version": _RECORD_VERSION,
        "salt": options.salt,
        "share": options.share,
        "verification": others | {_key(one): _fingerprint(one) for one in verification},
    }


def _without(record: dict[str, Any], held: list[HeldBack]) -> dict[str, Any]:
    stems = {one.path.stem for one in held}
    kept = {key: one for key, one in record["verification"].items() if key.partition("/")[2] not in stems}
    return record | {"verification": kept}


def _key(picture: LabelledPicture) -> str:
    return f"{picture.class_name}/{picture.stem}"


def _fingerprint(picture: LabelledPicture) -> str:
    """What the score depends on: the pixels' file, its size, and the objects; a mended ``<path>`` is no change."""
    image = picture.image.sha256 if picture.image is not None else ""
    drawn = picture.annotation
    meant: object = picture.xml_sha256
    if drawn is not None:
        meant = (drawn.width, drawn.height, [replace(one, line=None) for one in drawn.objects])
    return sha256(f"{image} {meant!r}".encode("utf-8", "surrogatepass")).hexdigest()[:16]

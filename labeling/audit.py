"""Looks for what flatters the score or spoils training: pictures in both splits, or half-labelled in two classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from labeling.annotations import Annotation, LabeledObject
from labeling.file_changes import Change, Move, Write
from labeling.labelled_pictures import Content, LabelledPicture, LabelledSet
from labeling.picture_groups import Bond, Group, group_pictures
from labeling.splits import read_split_record, verification_changes
from labeling.xml_edit import NotEditableError, XmlEditor

_SAME_BOX_IOU = 0.7


@dataclass(frozen=True, slots=True)
class Leak:
    """Pictures that belong together but lie in both splits.

    Attributes:
        training: Those in training, sorted by path.
        verification: Those in verification, sorted by path.
        bond: The strongest tie across the splits.
        detail: More about that tie, for people; may be empty.
    """

    training: tuple[LabelledPicture, ...]
    verification: tuple[LabelledPicture, ...]
    bond: Bond
    detail: str


@dataclass(frozen=True, slots=True)
class HalfLabelled:
    """One picture in several class folders, where some folder lacks objects that another one has.

    Attributes:
        copies: The pictures, sorted by path.
        missing: For each copy, objects that only others have: ``(index of the other copy, its object from 0)``.
        bond: The same bytes; or two pictures of the same look, whose boxes cannot simply be copied and where only the
            numbers of objects are compared, label by label.
    """

    copies: tuple[LabelledPicture, ...]
    missing: tuple[tuple[tuple[int, int], ...], ...]
    bond: Bond = Bond.BYTES


@dataclass(frozen=True, slots=True)
class SuggestedMove:
    """A pair that should go to the other split; ``reason`` is a clause."""

    picture: LabelledPicture
    split: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
        leaks: Groups that lie in both splits.
        half_labelled: Pictures of several class folders with differing objects.
        moves: What would mend the leaks, sorted by path.
        counts: Pictures by class, split and what a person said about them.
        verification_changes: What changed in verification since the last split, one line each.
    """

    leaks: tuple[Leak, ...]
    half_labelled: tuple[HalfLabelled, ...]
    moves: tuple[SuggestedMove, ...]
    counts: Mapping[tuple[str, str, Content], int]
    verification_changes: tuple[str, ...]


def audit_labels(
    labelled: LabelledSet,
    *,
    posts: Mapping[str, frozenset[str]] | None = None,
    blogs: Mapping[str, frozenset[str]] | None = None,
    to: str = "verification",
) -> AuditReport:
    """Compare every picture with every other, across splits and classes.

    Args:
        labelled: The data root.
        posts: Posts of each picture by the SHA-256 of its bytes.
        blogs: The same for blogs, when pictures of one blog in both splits are leaks.
        to: Where suggested moves lead; ``verification`` keeps every picture in verification that is there.

    Raises:
        RepairError: The record of the last split cannot be read.
    """
    groups = group_pictures(labelled.pictures, posts=posts, blogs=blogs)
    leaks = tuple(leak for group in groups if (leak := _leak(labelled.pictures, group)) is not None)
    counts = Counter((one.class_name, one.split, one.content) for one in labelled.pictures)
    counts.update((name, split, Content.UNLABELLED) for name, split, _ in labelled.unlabelled)
    moves = []
    for leak in leaks:
        going, staying = leak.training, leak.verification
        if to == "training":
            going, staying = staying, going
        moves += [SuggestedMove(one, to, f"{leak.bond} as {staying[0].image_path}") for one in going]
    return AuditReport(
        leaks=leaks,
        half_labelled=(*_half_labelled(labelled.pictures), *_half_labelled_look_alikes(labelled.pictures, groups)),
        moves=tuple(sorted(moves, key=lambda move: str(move.picture.label.xml_path))),
        counts=counts,
        verification_changes=verification_changes(labelled, read_split_record(labelled.root)),
    )


def move_changes(move: SuggestedMove) -> list[Change]:
    """Return the changes that carry out a suggested move."""
    picture, folder = move.picture, move.picture.class_dir / move.split
    changes: list[Change] = [Move(picture.label.xml_path, folder / picture.label.xml_path.name, picture.xml_sha256)]
    if picture.image is not None:
        image_path = picture.image_path
        changes.insert(0, Move(image_path, folder / "images" / image_path.name, picture.image.sha256))
    return changes


def merge_changes(half: HalfLabelled) -> list[Change]:
    """Return the changes that give every copy the objects of all: each XML gets what it lacks, as it stands elsewhere.

    Raises:
        NotEditableError: One of the files cannot be changed in place, or the pictures only look alike.
        OSError: One of the files cannot be read any more.
    """
    if half.bond is not Bond.BYTES:
        raise NotEditableError("the pictures look alike but differ: draw what is missing by hand")
    contents = [one.label.xml_path.read_bytes() for one in half.copies]
    editors = [XmlEditor(content) for content in contents]
    changes: list[Change] = []
    for picture, content, editor, missing in zip(half.copies, contents, editors, half.missing, strict=True):
        anchors = editor.root.find_all("object") or editor.root.children
        if not anchors:
            raise NotEditableError(f"{picture.label.xml_path} has nothing that an object could follow")
        for other, index in missing:
            element = editors[other].root.find_all("object")[index]
            editor.insert_copy_after(anchors[-1], editors[other].source_of(element))
        if editor.is_changed:
            changes.append(Write(picture.label.xml_path, editor.result(), sha256(content).hexdigest()))
    return changes


def _leak(pictures: Sequence[LabelledPicture], group: Group) -> Leak | None:
    by_split: dict[str, list[LabelledPicture]] = {"training": [], "verification": [], "unlabeled": []}
    for index in group.members:
        by_split[pictures[index].split].append(pictures[index])
    if not (by_split["training"] and by_split["verification"]):
        return None
    across = [
        tie
        for tie in group.ties
        if {pictures[tie.first].split, pictures[tie.second].split} == {"training", "verification"}
    ]
    # Without a direct tie the two are held together by a picture between them; the weakest link says how.
    strength = list(Bond)
    tie = min(across, key=lambda one: strength.index(one.bond)) if across else max(
        group.ties, key=lambda one: strength.index(one.bond)
    )  # fmt: skip
    return Leak(_sorted(by_split["training"]), _sorted(by_split["verification"]), tie.bond, tie.detail)


def _half_labelled(pictures: Sequence[LabelledPicture]) -> Iterable[HalfLabelled]:
    by_bytes: dict[str, list[LabelledPicture]] = {}
    for one in pictures:
        if one.annotation is not None and one.image is not None and one.image.sha256 and one.error is None:
            by_bytes.setdefault(one.image.sha256, []).append(one)
    for copies in by_bytes.values():
        if len({one.class_name for one in copies}) < 2:
            continue
        ordered = _sorted(copies)
        annotations = [one.annotation for one in ordered if one.annotation is not None]
        missing = tuple(_missing(annotations, place) for place in range(len(annotations)))
        if any(missing):
            yield HalfLabelled(ordered, missing)


def _half_labelled_look_alikes(pictures: Sequence[LabelledPicture], groups: Iterable[Group]) -> Iterable[HalfLabelled]:
    for tie in (tie for group in groups for tie in group.ties if tie.bond in (Bond.LOOK, Bond.MIRROR)):
        pair = _sorted((pictures[tie.first], pictures[tie.second]))
        drawn = [one.annotation for one in pair if one.annotation is not None and one.error is None]
        if len(drawn) < 2 or pair[0].class_name == pair[1].class_name:
            continue
        missing = (_fewer(drawn[0], drawn[1], 1), _fewer(drawn[1], drawn[0], 0))
        if any(missing):
            yield HalfLabelled(pair, missing, tie.bond)


def _fewer(here: Annotation, there: Annotation, place: int) -> tuple[tuple[int, int], ...]:
    """The objects by which another picture, whose index is ``place``, has more of a label than this one."""
    left = Counter(one.name for one in here.objects)
    missing = []
    for index, one in enumerate(there.objects):
        left[one.name] -= 1
        if left[one.name] < 0:
            missing.append((place, index))
    return tuple(missing)


def _missing(annotations: list[Annotation], place: int) -> tuple[tuple[int, int], ...]:
    """Objects of the other copies that this one lacks, each once."""
    known = list(annotations[place].objects)
    missing = []
    for other, annotation in enumerate(annotations):
        for index, labeled in enumerate(annotation.objects if other != place else ()):
            if not any(_is_same(labeled, one) for one in known):
                known.append(labeled)
                missing.append((other, index))
    return tuple(missing)


def _is_same(first: LabeledObject, second: LabeledObject) -> bool:
    return first.name == second.name and first.box.iou(second.box) >= _SAME_BOX_IOU


def _sorted(pictures: Iterable[LabelledPicture]) -> tuple[LabelledPicture, ...]:
    return tuple(sorted(pictures, key=lambda one: str(one.label.xml_path)))

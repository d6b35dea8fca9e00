"""Pictures whose folder is their label: found, decoded once, judged, and given all their labels.

Two layouts are known. In a data root a class folder has ``unlabeled/``, ``training/`` or ``verification/`` (what the
collectors and `tagbox labels split` make); the pictures of the last two stay in their split. Anything else is one
folder a label, with the pictures anywhere in it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ConfigError, InputError
from collectors.progress import Progress
from labeling.dataset import SPLITS, UNLABELED
from labeling.image_probe import ImageFacts
from labeling.provenance import tags_by_picture
from records.drawing_sources import check_spellings, is_text, list_pictures, spelling_key
from records.notices import Notice
from records.picture_checks import BAD_NAME, examine_picture, printable, refusal_of
from records.plan import Refusal
from records.shard_jobs import Workers

OTHER_TAGS = "other-tags"
"""Code of the notice that names tags which could be labels: no warning."""
_SHOWN_TAGS = 10


@dataclass(frozen=True, slots=True)
class FolderPicture:
    """One picture.

    Attributes:
        folder_label: The label folder it lies in.
        path: The file.
        name: Its path below the source folder, with forward slashes.
        split: The split it was put in; empty when nobody did.
        facts: What it is.
        labels: Its classes, sorted; just the folder's unless several were asked for.
    """

    folder_label: str
    path: Path
    name: str
    split: str
    facts: ImageFacts
    labels: tuple[str, ...]


@dataclass(slots=True)
class LabelledFolder:
    """The pictures of a folder that can go in, those that cannot, and what to know besides.

    ``num_found`` counts the pictures of each label folder; each is in ``pictures`` or in ``refused`` of its label.
    """

    pictures: list[FolderPicture] = field(default_factory=list)
    refused: dict[str, list[Refusal]] = field(default_factory=lambda: defaultdict(list))
    num_found: dict[str, int] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)


def read_labelled_folder(
    src: Path,
    *,
    labels: Sequence[str] | None,
    tags: Sequence[str],
    multi_label: bool,
    only_tags: bool = False,
    workers: Workers,
    progress: Progress,
) -> LabelledFolder:
    """Find, decode and judge the pictures of every label.

    Args:
        src: The folder of the label folders.
        labels: Only these label folders; ``None`` for all.
        tags: With ``multi_label``: labels that have no folder of their own.
        multi_label: Give a picture the labels of all folders it lies in, and of all tags of its posts (from the ledger
            of a data root) that are labels.
        only_tags: Folders are no labels; a picture without any of ``tags`` has none.
        workers: Who decodes.
        progress: Told after every picture.

    Returns:
        Pictures by label and path, each content once.

    Raises:
        InputError: The folder is missing or has no label folders, or a label is there in two spellings.
        ConfigError: One of ``labels`` is not there.
    """
    found = _find(src, labels)
    folders = [] if only_tags else list(found)
    check_spellings(
        [
            *((label, str(src / label)) for label in folders),
            *((tag, f"--tag {tag}") for tag in tags if tag not in folders),
        ]
    )
    folder = LabelledFolder(num_found={label: len(pictures) for label, pictures in found.items()})
    for label, pictures in found.items():
        if not pictures:
            folder.notices.append(
                Notice("empty-class", f"{label}: no pictures, so no class. Put some there, or remove the folder.")
            )
    work = [(label, path, split) for label, pictures in found.items() for path, split in pictures]
    facts: dict[int, ImageFacts] = {}
    for done, (place, one) in enumerate(workers.run(_examine, [path for _, path, _ in work]), start=1):
        facts[place] = one
        progress(done, len(work))
    sound = []
    for place, (label, path, split) in enumerate(work):
        name = path.relative_to(src).as_posix()
        if problem := refusal_of(facts[place]) if is_text(name) else BAD_NAME:
            folder.refused[label].append(Refusal(printable(name), *problem))
        else:
            sound.append(FolderPicture(label, path, name, split, facts[place], (label,)))
    vocabulary = {spelling_key(name): name for name in [*(label for label in folders if found[label]), *tags]}
    tags_of = tags_by_picture(src) if multi_label else {}
    _keep_each_content_once(folder, sound, tags_of, vocabulary, multi_label=multi_label, only_tags=only_tags)
    if others := _tags_without_label(folder, tags_of, vocabulary):
        more = f" and {len(others) - _SHOWN_TAGS} more" if len(others) > _SHOWN_TAGS else ""
        named = ", ".join(f"{name} ({count})" for name, count in others[:_SHOWN_TAGS])
        folder.notices.append(
            Notice(OTHER_TAGS, f"tags that are no labels, with their pictures: {named}{more}; --tag NAME makes it one")
        )
    return folder


def _tags_without_label(
    folder: LabelledFolder, tags_of: Mapping[str, frozenset[str]], vocabulary: Mapping[str, str]
) -> list[tuple[str, int]]:
    """Return the tags that several pictures have and that are no labels, in their commonest spelling, most first."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    pictures: Counter[str] = Counter()
    for picture in folder.pictures:
        tags = sorted(tag for tag in tags_of.get(picture.facts.sha256, ()) if is_text(tag))
        for tag in tags:
            spellings[spelling_key(tag)][tag] += 1
        pictures.update({spelling_key(tag) for tag in tags} - set(vocabulary))
    found = [(_commonest(spellings[key]), count) for key, count in pictures.items() if key and count > 1]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _commonest(spellings: Mapping[str, int]) -> str:
    return min(spellings, key=lambda tag: (-spellings[tag], tag))


def _keep_each_content_once(
    folder: LabelledFolder,
    sound: Iterable[FolderPicture],
    tags_of: Mapping[str, frozenset[str]],
    vocabulary: Mapping[str, str],
    *,
    multi_label: bool,
    only_tags: bool,
) -> None:
    by_content: dict[str, list[FolderPicture]] = defaultdict(list)
    for picture in sound:
        by_content[picture.facts.sha256].append(picture)
    num_contradictory = 0
    for sha256, copies in by_content.items():
        labels = set() if only_tags else {copy.folder_label for copy in copies}
        if multi_label:
            labels |= {vocabulary[key] for tag in tags_of.get(sha256, ()) if (key := spelling_key(tag)) in vocabulary}
        elif len(labels) > 1:
            num_contradictory += len(copies)
            for copy in copies:
                others = " and ".join(other.name for other in copies if other.folder_label != copy.folder_label)
                reason = f"the same picture has another label: {others}"
                folder.refused[copy.folder_label].append(Refusal(copy.name, "two-labels", reason))
            continue
        # What stands in verification stays there, then training; the first name among equals.
        copies.sort(key=lambda copy: (-_RANKS[copy.split], copy.name))
        kept, *others_of = copies
        for copy in others_of:
            reason = f"the same picture as {kept.name}" + (
                ", which has its label too" if multi_label and not only_tags else ""
            )
            folder.refused[copy.folder_label].append(Refusal(copy.name, "duplicate", reason))
        folder.pictures.append(
            FolderPicture(kept.folder_label, kept.path, kept.name, kept.split, kept.facts, tuple(sorted(labels)))
        )
    folder.pictures.sort(key=lambda picture: picture.name)
    if num_contradictory:
        folder.notices.append(
            Notice(
                "two-labels",
                f"{num_contradictory} files are the same picture under several labels and stay out; remove them from "
                "all labels but one, or build with several labels a picture",
            )
        )


_RANKS = {"": 0, "training": 1, "verification": 2}


def _find(src: Path, labels: Sequence[str] | None) -> dict[str, list[tuple[Path, str]]]:
    """Return the pictures of each label folder, each with its split, sorted by label and path."""
    if not src.is_dir():
        raise InputError("there is no such folder", where=str(src), fix="Give the folder of the label folders.")
    try:
        entries = sorted(src.iterdir())
        folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", where=str(src)) from error
    if not folders:
        raise InputError(
            "there are no label folders here",
            where=str(src),
            fix="Put the pictures of each label into a folder of its name.",
        )
    if labels is not None:
        missing = sorted(set(labels) - {entry.name for entry in folders})
        if missing:
            raise ConfigError(f"there is no label folder {', '.join(missing)}", where=str(src))
        folders = [entry for entry in folders if entry.name in labels]
    parts = (UNLABELED, *SPLITS)
    is_data_root = any((entry / part).is_dir() for entry in folders for part in parts)
    found: dict[str, list[tuple[Path, str]]] = {}
    for entry in folders:
        if is_data_root:
            there = [(part, entry / part) for part in parts if (entry / part).is_dir()]
            found[entry.name] = [
                (path, "" if part == UNLABELED else part) for part, where in there for path in list_pictures(where)
            ]
        else:
            found[entry.name] = [(path, "") for path in list_pictures(entry)]
    if not any(found.values()):
        raise InputError("there are no pictures here", where=str(src), fix="Give the folder of the label folders.")
    return found


def _examine(path: Path) -> ImageFacts:
    from labeling.image_probe import unreadable

    try:
        content = path.read_bytes()
    except OSError as error:
        return unreadable(error)
    return examine_picture(content, with_look=True)

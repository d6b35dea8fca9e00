"""Puts labelled pairs into ``<class>/{training,verification}/`` as lists of names say, so that a published split holds.

Files are copied byte for byte and nothing that is there is ever overwritten; a second run finds everything in place.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PureWindowsPath

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically
from collectors.progress import Progress, no_progress
from labeling.dataset import IMAGE_SUFFIXES, SPLITS, LabelFile, find_dataset


class Outcome(StrEnum):
    """What became of one name of a list."""

    COPIED = "copied"
    PRESENT = "already there"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Placement:
    """One name of a list and what became of it.

    Attributes:
        name: Stem of the pair.
        split: The list it stands in, ``training`` or ``verification``.
        outcome: Copied, already there, or refused.
        reason: Why it was refused; empty otherwise.
        xml_path: Where its XML lies now (or would lie, on a dry run); ``None`` when refused.
    """

    name: str
    split: str
    outcome: Outcome
    reason: str = ""
    xml_path: Path | None = None


@dataclass(frozen=True, slots=True)
class PlacingReport:
    """What became of every name, in the order training, verification and within each by name.

    Attributes:
        placements: One a name and list.
        unnamed: XML files of the source that no list names, sorted; they were left alone.
    """

    placements: tuple[Placement, ...]
    unnamed: tuple[Path, ...]

    def count(self, split: str, outcome: Outcome) -> int:
        """How many names of this list had this outcome."""
        return sum(one.split == split and one.outcome is outcome for one in self.placements)


def read_names(path: Path) -> tuple[str, ...]:
    """Read the stems that a list names, each once, in the order of the list.

    A list is a CSV file with a ``filename`` column (as the raccoon data set and its descendants have), or text with one
    name a line; blank lines and lines that start with ``#`` are skipped. Folders and picture suffixes are cut off.

    Raises:
        InputError: The file cannot be read, is not UTF-8, or names nothing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the list: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("the list is not UTF-8 text", where=str(path), fix="Save it as UTF-8.") from error
    rows = list(csv.reader(io.StringIO(text)))
    heading = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "filename" in heading:
        column = heading.index("filename")
        names = [row[column] for row in rows[1:] if len(row) > column]
    elif len(heading) > 1 and path.suffix.lower() == ".csv":
        raise InputError("the CSV has no `filename` column", where=str(path), fix=f"Its columns: {', '.join(rows[0])}")
    else:
        names = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stems = tuple(dict.fromkeys(stem_of(name) for name in names if name.strip()))
    if not stems:
        raise InputError("the list names nothing", where=str(path), fix="Write one picture name a line.")
    return stems


def stem_of(name: str) -> str:
    """Return a file name without folders and without the suffix of a picture or of XML."""
    base = PureWindowsPath(name.strip()).name
    stem, dot, suffix = base.rpartition(".")
    return stem if dot and stem and f".{suffix.lower()}" in (*IMAGE_SUFFIXES, ".xml") else base


def place_labels(
    source: Path,
    data_dir: Path,
    *,
    class_name: str,
    names: Mapping[str, Sequence[str]],
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> PlacingReport:
    """Copy the named pairs of ``source`` to ``data_dir/<class>/<split>/`` and ``data_dir/<class>/<split>/images/``.

    Args:
        source: A folder of XML with pictures; see `labeling.dataset` for where they may lie.
        data_dir: The data root, made when missing.
        class_name: The class folder.
        names: Stems for each split.
        dry_run: Say what would happen and write nothing.
        progress: Called after each name.

    Raises:
        ConfigError: The class name cannot be a folder.
        DatasetError: The source is missing or has no XML.
        InputError: The disk refuses.
    """
    if class_name in ("", ".", "..") or PureWindowsPath(class_name).name != class_name:
        raise ConfigError(f"{class_name!r} cannot be the name of a folder", fix="Give a plain class name such as cat.")
    unknown = set(names) - set(SPLITS)
    assert not unknown, f"splits are {SPLITS}, not {unknown}"
    files = find_dataset(source)
    by_stem: dict[str, list[LabelFile]] = defaultdict(list)
    for label in files.labels:
        by_stem[label.xml_path.stem].append(label)
    listed = Counter(name for split in SPLITS for name in dict.fromkeys(names.get(split, ())))
    total, placements = sum(listed.values()), []
    pictures_there = {split: _pictures_of(data_dir / class_name / split) for split in SPLITS}
    for split in SPLITS:
        for name in sorted(dict.fromkeys(names.get(split, ()))):
            pairs = by_stem.get(name, [])
            reason = _refusal(name, pairs, listed) or _conflict(
                pairs[0], data_dir / class_name, split, pictures_there[split].get(name, [])
            )
            if reason:
                placements.append(Placement(name, split, Outcome.REFUSED, reason))
            else:
                placements.append(_place(pairs[0], data_dir / class_name, split, dry_run=dry_run))
            progress(len(placements), total)
    unnamed = tuple(label.xml_path for label in files.labels if label.xml_path.stem not in listed)
    return PlacingReport(tuple(placements), unnamed)


def _refusal(name: str, pairs: list[LabelFile], listed: Counter[str]) -> str:
    if listed[name] > 1:
        return "it stands in both lists"
    if not pairs:
        return "no XML of this stem in the source"
    if len(pairs) > 1:
        return "several XML of this stem: " + ", ".join(str(pair.xml_path) for pair in pairs)
    if len(pairs[0].image_paths) != 1:
        found = ", ".join(path.name for path in pairs[0].image_paths)
        return f"several pictures of this stem: {found}" if found else "no picture of this stem in the source"
    return ""


def _pictures_of(split_dir: Path) -> dict[str, list[Path]]:
    """The pictures that lie in a split already, by stem."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in (split_dir, split_dir / "images"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in IMAGE_SUFFIXES:
                found[path.stem].append(path)
    return found


def _conflict(pair: LabelFile, class_dir: Path, split: str, pictures_there: list[Path]) -> str:
    """Say which file stands in the way, or ""."""
    xml_path, image_path = pair.xml_path, pair.image_paths[0]
    for place in (class_dir / other for other in SPLITS if other != split):
        if (place / xml_path.name).exists():
            return f"it is in {place.name}/ already"
    target = class_dir / split
    for old, new in ((xml_path, target / xml_path.name), (image_path, target / "images" / image_path.name)):
        if new.exists() and new.read_bytes() != old.read_bytes():
            return f"{new} is there with other content"
    rivals = [path for path in pictures_there if path != target / "images" / image_path.name]
    return f"{rivals[0]} has the same stem" if rivals else ""


def _place(pair: LabelFile, class_dir: Path, split: str, *, dry_run: bool) -> Placement:
    target = class_dir / split
    # The picture first: an XML without its picture would be a finding, a picture without XML merely waits.
    copies = [
        (pair.image_paths[0], target / "images" / pair.image_paths[0].name),
        (pair.xml_path, target / pair.xml_path.name),
    ]
    missing = [(old, new) for old, new in copies if not new.exists()]
    for old, new in missing if not dry_run else ():
        try:
            content = old.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror or error}", where=str(old)) from error
        write_atomically(new, content)
    outcome = Outcome.COPIED if missing else Outcome.PRESENT
    return Placement(pair.xml_path.stem, split, outcome, xml_path=target / pair.xml_path.name)

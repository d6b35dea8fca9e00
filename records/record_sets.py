"""Which files are meant when records are to be verified, and what is known of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.label_map import read_label_map
from records import label_ids, manifest
from records.errors import ManifestError
from records.manifest import Manifest
from records.plan import SPLITS
from records.reading import expand_record_paths, missing_shards, record_files_in
from records.shard_check import ShardTask

_SPLIT_WORDS = (
    (re.compile(r"train", re.IGNORECASE), SPLITS[0]),
    (re.compile(r"val|ver|test", re.IGNORECASE), SPLITS[1]),
)


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Files that are judged together: those of one manifest, or all those that no manifest names.

    Attributes:
        files: The files, in order.
        manifest: What names them; ``None`` for those of other tools.
        folder: Where the manifest lies; the first file's folder without one.
        is_whole_folder: Whether the folder was asked for, and not only some of its files.
        label_names: Class names by id, for each folder of files without a manifest; ``None`` where none is known.
    """

    files: tuple[Path, ...]
    folder: Path
    manifest: Manifest | None = None
    is_whole_folder: bool = False
    label_names: Mapping[Path, Mapping[int, str] | None] | None = None

    def tasks(self, *, decode: bool) -> Iterator[ShardTask]:
        """Yield what is to be checked, file by file."""
        if self.manifest is None:
            names = self.label_names or {}
            yield from (ShardTask(path, names.get(path.parent), decode=True) for path in self.files)
            return
        wanted = set(self.files)
        names_by_id = dict(self.manifest.label_map)
        for entry in self.manifest.records:
            for shard, sources in zip(entry.shards, entry.examples, strict=True):
                path = self.folder / shard.file
                if path in wanted:
                    yield ShardTask(path, names_by_id, shard, sources, decode)


def find_record_sets(paths: Sequence[Path], *, label_map_path: Path | None = None) -> list[RecordSet]:
    """Sort out what paths mean.

    Args:
        paths: Folders, files, globs, or names that shards share.
        label_map_path: The label map of files without a manifest; ``None`` takes the one beside them.

    Returns:
        A set for each manifest, then one of all files without. A shard that its set lacks is among the files.

    Raises:
        ManifestError: A folder's manifest cannot be read, or a folder has neither a manifest nor records.
        InputError: A path matches nothing, or the label map cannot be read.
        LabelMapError: A label map is broken.
    """
    whole: dict[Path, Manifest] = {}
    files: dict[Path, None] = {}
    for path in paths:
        folder = path.parent if path.name == manifest.FILE_NAME else path
        if not folder.is_dir():
            files.update(dict.fromkeys(_files_of(path)))
        elif found := manifest.read_manifest(folder):
            whole[folder] = found
        else:
            files.update(dict.fromkeys(_files_without_manifest(folder)))
    sets = [RecordSet(_files_in(found, folder), folder, found, is_whole_folder=True) for folder, found in whole.items()]
    bare: list[Path] = []
    for folder in dict.fromkeys(path.parent for path in files):
        mine = [path for path in files if path.parent == folder]
        beside = None if folder in whole else _manifest_of(folder)
        named = set(_files_in(beside, folder)) if beside else set()
        if beside and named & set(mine):
            sets.append(RecordSet(tuple(path for path in mine if path in named), folder, beside))
        if folder not in whole:
            bare += [path for path in mine if path not in named]
    if bare:
        known = None if label_map_path is None else dict(read_label_map(label_map_path).items)
        names = {folder: known or names_beside(folder) for folder in dict.fromkeys(path.parent for path in bare)}
        sets.append(RecordSet(tuple(bare), bare[0].parent, label_names=names))
    return sets


def split_in_name(name: str) -> str:
    """Guess the split from a file's name: ``training``, ``verification``, or empty text when it does not say."""
    return next((split for words, split in _SPLIT_WORDS if words.search(name)), "")


def _files_of(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    found = expand_record_paths([path], refuse_gaps=False)
    return sorted([*found, *missing_shards(found)])


def _files_without_manifest(folder: Path) -> list[Path]:
    found = record_files_in(folder)
    if not found:
        raise ManifestError(
            "there is no manifest.json and no record",
            where=str(folder),
            fix="Give the folder that `tagbox records build` wrote, or the record files.",
        )
    return sorted([*found, *missing_shards(found)])


def _files_in(listed: Manifest, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / shard.file for entry in listed.records for shard in entry.shards)


def _manifest_of(folder: Path) -> Manifest | None:
    """Read the manifest beside a file; one that is no manifest of ours says nothing of the file."""
    try:
        return manifest.read_manifest(folder)
    except ManifestError:
        return None


def names_beside(folder: Path) -> dict[int, str] | None:
    """Read the label map of a folder: class names by id; ``None`` when it has none.

    Raises:
        LabelMapError: It is broken.
    """
    path = folder / label_ids.FILE_NAME
    return dict(read_label_map(path).items) if path.is_file() else None

"""The card of a records folder: croissant.json for programs, README.md for people, and the label map.

Everything in it comes from the manifest, the ledger of the data root and what the person says; the same of these give
the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from collectors.attribution import LICENCE_NOTE
from collectors.errors import InputError
from collectors.files import has_content, sha256_of_file, write_atomically
from labeling.label_map import LabelMap, format_csv, format_pbtxt
from records import croissant, label_ids, manifest
from records.card_readme import FIRST_LINE, format_readme
from records.card_totals import CardTotals, totals_of
from records.croissant import CardFile, CardWords, croissant_document, words_of
from records.errors import ManifestError
from records.manifest import Manifest
from records.plan import SPLITS

README_NAME = "README.md"
_RECORD_TYPE = "application/x-tfrecord"
_FIRST_VERSION = "1.0.0"
_SENTENCE_START = "Object detection: "


class FileState(StrEnum):
    """What was done about a file of the card."""

    WRITTEN = "written"
    UP_TO_DATE = "up to date"
    PLANNED = "planned"  # a dry run


@dataclass(frozen=True, slots=True)
class CardReport:
    """What became of a card: each of its files by name, the totals, and whether a person declared a licence."""

    folder: Path
    files: Mapping[str, FileState]
    totals: CardTotals
    has_licence: bool

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "folder": str(self.folder),
            "files": {name: state.value for name, state in self.files.items()},
            "totals": self.totals.as_json(),
        }


def write_card(
    folder: Path,
    words: CardWords,
    *,
    data_root: Path | None = None,
    dry_run: bool = False,
    replace_readme: bool = False,
) -> CardReport:
    """Write croissant.json, README.md and both forms of the label map into a records folder.

    Args:
        folder: A folder that `tagbox records build` made.
        words: What only a person knows. What is empty is taken from the card that is there, else from the folder.
        data_root: The folder whose ledger knows who made the pictures; ``None`` for none.
        dry_run: Write nothing.
        replace_readme: Write over a README.md that is somebody's own.

    Raises:
        ManifestError: There is no manifest, or it cannot be read.
        InputError: A record that the manifest names is not there or has another size, README.md is somebody's own, the
            ledger cannot be read, or the disk refuses.
    """
    listed = manifest.read_manifest(folder)
    if listed is None:
        raise ManifestError(
            "there is no manifest.json",
            where=str(folder),
            fix="A card describes the folder that `tagbox records build` wrote.",
        )
    records = _record_files(folder, listed)
    totals = totals_of(listed, data_root)
    label_map = LabelMap(listed.label_map)
    texts = {
        label_ids.FILE_NAME: format_pbtxt(label_map),
        Path(label_ids.FILE_NAME).with_suffix(".csv").name: format_csv(label_map),
    }
    # A label map that says the same in other words, display names perhaps, stays as it is.
    if label_ids.has_items(folder / label_ids.FILE_NAME, label_map):
        texts[label_ids.FILE_NAME] = (folder / label_ids.FILE_NAME).read_bytes().decode()
    files = [_manifest_file(folder), *(_text_file(name, text) for name, text in texts.items()), *records]
    words = _with_what_was_said(words, folder, totals)
    words = replace(
        words,
        name=words.name or folder.resolve().name,
        description=words.description or _sentence(totals),
        version=words.version or _FIRST_VERSION,
    )
    document = croissant_document(
        words,
        files,
        licences=totals.attribution.licences,
        classes=listed.label_map,
        splits=[split for split in SPLITS if totals.pictures[split]],
    )
    texts[croissant.FILE_NAME] = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    texts[README_NAME] = format_readme(words, totals, listed)
    _refuse_foreign_readme(folder / README_NAME, replace_readme=replace_readme)
    states = {}
    for name, text in texts.items():
        if has_content(folder / name, text):
            states[name] = FileState.UP_TO_DATE
        elif dry_run:
            states[name] = FileState.PLANNED
        else:
            write_atomically(folder / name, text)
            states[name] = FileState.WRITTEN
    return CardReport(folder, states, totals, has_licence=bool(words.licences))


def is_card_stale(folder: Path, listed: Manifest) -> bool:
    """Say whether a folder's croissant.json lists other records than the manifest; false when there is no card."""
    try:
        document = json.loads((folder / croissant.FILE_NAME).read_bytes())
        found = {
            file["name"]: file["sha256"] for file in document["distribution"] if file["encodingFormat"] == _RECORD_TYPE
        }
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True
    return bool(found != {shard.file: shard.sha256 for entry in listed.records for shard in entry.shards})


def _record_files(folder: Path, listed: Manifest) -> list[CardFile]:
    found = []
    for entry in listed.records:
        for shard in entry.shards:
            path = folder / shard.file
            try:
                size = path.stat().st_size
            except OSError:
                size = -1
            if size != shard.num_bytes:
                what = f"it has {size} bytes, the manifest says {shard.num_bytes}" if size >= 0 else "it is not there"
                raise InputError(
                    f"a record is not the one of the manifest: {what}",
                    where=str(path),
                    fix=f"See tagbox records verify {folder}",
                )
            found.append(CardFile(shard.file, _RECORD_TYPE, shard.num_bytes, shard.sha256))
    return found


def _manifest_file(folder: Path) -> CardFile:
    path = folder / manifest.FILE_NAME
    return CardFile(manifest.FILE_NAME, "application/json", path.stat().st_size, sha256_of_file(path))


def _text_file(name: str, text: str) -> CardFile:
    content = text.encode()
    media_type = "text/csv" if name.endswith(".csv") else "text/plain"
    return CardFile(name, media_type, len(content), hashlib.sha256(content).hexdigest())


def _with_what_was_said(words: CardWords, folder: Path, totals: CardTotals) -> CardWords:
    """Fill what is empty with the words of the card that is there; its figures and what we guessed are not words."""
    try:
        document = json.loads((folder / croissant.FILE_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return words
    old = words_of(document) if isinstance(document, dict) else CardWords()
    if old.description.startswith(_SENTENCE_START):
        old = replace(old, description="")
    if set(old.licences) <= {*totals.attribution.licences, LICENCE_NOTE}:
        old = replace(old, licences=())
    return CardWords(*(new or before for new, before in zip(astuple(words), astuple(old), strict=True)))


def _sentence(totals: CardTotals) -> str:
    boxes = sum(one.num_boxes for by_split in totals.classes.values() for one in by_split.values())
    pictures = sum(totals.pictures.values())
    classes = list(totals.classes)
    shown = ", ".join(classes[:10]) + (f" and {len(classes) - 10} more" if len(classes) > 10 else "")
    return (
        f"{_SENTENCE_START}{pictures} pictures with {boxes} boxes of {len(classes)} "
        f"{'class' if len(classes) == 1 else 'classes'} ({shown}), as TFRecords of tf.train.Example with the keys of "
        "the TensorFlow Object Detection API."
    )


def _refuse_foreign_readme(path: Path, *, replace_readme: bool) -> None:
    try:
        first = path.read_bytes().partition(b"\n")[0].decode(errors="replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    if first != FIRST_LINE and not replace_readme:
        raise InputError(
            "this file was not written by `tagbox records card`, and nothing was changed",
            where=str(path),
            fix="Move it away, or replace it with --replace-readme.",
        )

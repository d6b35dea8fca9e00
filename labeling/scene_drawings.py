"""The drawings scenes are made of: read from files, and dealt to training or verification, none to both.

A hash of a drawing's ``key_id`` alone decides, so the two stay apart whatever the seed, whatever else is in the set,
and however many times scenes are added to one dataset.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from collectors.quickdraw_formats import Drawing, RefusedLine, read_simplified


@dataclass(frozen=True, slots=True)
class LoadedDrawings:
    """What drawing files hold: every line is in ``by_category``, in ``refused`` or in ``left_out``.

    Attributes:
        by_category: The drawings by their word, in the order of files and lines.
        refused: The lines that are no drawing, with their file.
        left_out: How many drawings the filters took away, by code: ``unrecognized`` and ``over-limit``.
    """

    by_category: dict[str, list[Drawing]]
    refused: tuple[tuple[Path, RefusedLine], ...]
    left_out: dict[str, int]


def load_drawings(paths: Sequence[Path], *, recognized_only: bool = False, limit: int | None = None) -> LoadedDrawings:
    """Read simplified ndjson files, or all ``*.ndjson`` of a folder in the order of their names.

    Args:
        paths: Files and folders.
        recognized_only: Leave out drawings that QuickDraw's own classifier did not recognise.
        limit: The most drawings to take of one category; ``None`` takes all.

    Raises:
        InputError: A path cannot be read, or there is not one drawing.
    """
    by_category: dict[str, list[Drawing]] = {}
    refused: list[tuple[Path, RefusedLine]] = []
    left_out: Counter[str] = Counter()
    files = [file for path in paths for file in (sorted(path.glob("*.ndjson")) if path.is_dir() else [path])]
    for file in files:

        def refuse(line: RefusedLine, file: Path = file) -> None:
            refused.append((file, line))

        for drawing in read_simplified(file, refuse):
            if recognized_only and not drawing.recognized:
                left_out["unrecognized"] += 1
                continue
            pool = by_category.setdefault(drawing.word, [])
            if limit is not None and len(pool) >= limit:
                left_out["over-limit"] += 1
            else:
                pool.append(drawing)
    if not any(by_category.values()):
        raise InputError(
            _nothing_there(files, refused, left_out),
            where=", ".join(str(path) for path in paths),
            fix="Give files in QuickDraw's simplified ndjson form.",
        )
    return LoadedDrawings(by_category, tuple(refused), dict(sorted(left_out.items())))


def _nothing_there(files: Sequence[Path], refused: Sequence[tuple[Path, RefusedLine]], left_out: Counter[str]) -> str:
    if not files:
        return "no .ndjson file here"
    text = "no drawings left"
    if left_out:
        text += f"; the filters took {left_out.total()}"
    if refused:
        file, line = refused[0]
        text += f"; {len(refused)} lines refused, the first {file.name}:{line.line}: {line.reason}"
    return text


@dataclass(frozen=True, slots=True)
class ScenePool:
    """The drawings in use, and the account of those that are not.

    Attributes:
        drawings: By split and category, each drawing once, in the order of their ids.
        refused: How many were refused, by category and code: ``duplicate`` (the ``key_id`` was there already) and
            ``no-extent`` (all its points are one, nobody can tell what it is).
    """

    drawings: dict[str, dict[str, list[Drawing]]]
    refused: dict[str, dict[str, int]]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many drawings are in use, by split and category."""
        return {
            split: {category: len(pool) for category, pool in by_category.items()}
            for split, by_category in self.drawings.items()
        }


def pool_drawings(
    drawings: Mapping[str, Sequence[Drawing]], verification_share: float, splits: Sequence[str]
) -> ScenePool:
    """Deal the drawings to the splits.

    Args:
        drawings: Drawings by category, in any order.
        verification_share: The share that only verification scenes may use, 0 to 1.
        splits: The splits that are needed; only they must have drawings of every category.

    Raises:
        InputError: A category has no drawing for a needed split.
    """
    dealt: dict[str, dict[str, list[Drawing]]] = {split: {} for split in splits}
    refused: dict[str, dict[str, int]] = {}
    for category in sorted(drawings):
        usable, codes = _admit(drawings[category])
        if codes:
            refused[category] = dict(sorted(codes.items()))
        for split in splits:
            for_verification = split == "verification"
            chosen = [d for d in usable if is_for_verification(d.key_id, verification_share) == for_verification]
            if not chosen:
                raise InputError(
                    f"none of the {len(usable)} usable drawings of {category!r} falls to {split}",
                    where="scenes",
                    fix="Give more drawings of it, or change the verification share.",
                )
            dealt[split][category] = chosen
    return ScenePool(dealt, refused)


def is_for_verification(key_id: str, share: float) -> bool:
    """Say whether a drawing may appear in verification scenes only; depends on nothing but its id and the share."""
    digest = hashlib.sha256(f"tagbox split {key_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * (1 << 64)


def _admit(drawings: Sequence[Drawing]) -> tuple[list[Drawing], Counter[str]]:
    """Return the usable drawings in the order of their ids, and how many were refused for what."""
    usable: dict[str, Drawing] = {}
    codes: Counter[str] = Counter()
    for drawing in drawings:
        if drawing.key_id in usable:
            codes["duplicate"] += 1
        elif not _has_extent(drawing):
            codes["no-extent"] += 1
        else:
            usable[drawing.key_id] = drawing
    return [usable[key] for key in sorted(usable)], codes


def _has_extent(drawing: Drawing) -> bool:
    first = drawing.strokes[0][0]
    return any(bool((stroke != first).any()) for stroke in drawing.strokes)

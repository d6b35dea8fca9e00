"""Small drawings for the tests of classification records: bitmaps, strokes and pictures, each one different."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from collectors.quickdraw_binary import format_record
from collectors.quickdraw_formats import Drawing, format_simplified
from records.drawing_selection import SplitSizes
from records.drawings import DrawingOptions, build_drawing_records
from records.plan import SPLITS


def bitmaps(seed: str, count: int, side: int = 28):
    """Rows of random pixels, shape ``(count, side * side)``."""
    return np.random.default_rng(list(seed.encode())).integers(0, 256, (count, side**2), np.uint8)


def write_npy(folder: Path, label: str, count: int = 20, *, rows=None, side: int = 28) -> Path:
    """Write ``<label>.npy`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{label}.npy"
    np.save(path, bitmaps(label, count, side) if rows is None else rows)
    return path


def strokes(label: str, count: int) -> list[Drawing]:
    """Drawings of two strokes."""
    chance = np.random.default_rng(list(label.encode()))
    return [
        Drawing(
            label,
            str(10**15 + index),
            tuple(chance.integers(0, 256, (6, 2)).astype(np.int16) for _ in range(2)),
            "DE",
            "2017-03-02 23:25:10.07453 UTC",
        )
        for index in range(count)
    ]


def write_ndjson(folder: Path, label: str, drawings: list[Drawing]) -> Path:
    """Write ``<label>.ndjson``, simplified."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{label}.ndjson"
    path.write_bytes(b"".join(format_simplified(drawing) for drawing in drawings))
    return path


def write_binary(folder: Path, label: str, drawings: list[Drawing]) -> Path:
    """Write ``<label>.bin``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{label}.bin"
    path.write_bytes(b"".join(format_record(drawing) for drawing in drawings))
    return path


def write_raw(folder: Path, label: str, drawings: list[Drawing]) -> Path:
    """Write ``<label>.ndjson`` with times, as the raw files have them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{label}.ndjson"
    lines = []
    for drawing in drawings:
        parts = [[*stroke.T.tolist(), list(range(len(stroke)))] for stroke in drawing.strokes]
        value = {"word": label, "countrycode": "DE", "timestamp": drawing.timestamp, "recognized": True}
        lines.append(json.dumps({**value, "key_id": drawing.key_id, "drawing": parts}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_picture(path: Path, seed: str, *, size=(40, 30), mode: str = "RGB", kind: str = "JPEG", **options) -> Path:
    """Write a picture of random blocks, large enough to look different from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(list(seed.encode()))
    blocks = Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8))
    blocks.resize(size, Image.Resampling.NEAREST).convert(mode).save(path, kind, **options)
    return path


def build(src: Path, out: Path, train_size=None, eval_size=None, *, eval_share=0.1, salt="tagbox", **options):
    """Build the drawings of a folder into ``out`` under the usual names."""
    arguments = {key: options.pop(key) for key in ("jobs", "dry_run", "progress") if key in options}
    targets = {split: out / f"drawings_{split}.record" for split in SPLITS}
    sizes = SplitSizes(train_size, eval_size, eval_share, salt)
    return build_drawing_records(src, targets, DrawingOptions(sizes=sizes, **options), **arguments)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

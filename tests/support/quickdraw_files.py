"""QuickDraw's published forms, written by the tests themselves from drawings."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from collectors.quickdraw_binary import format_record
from collectors.quickdraw_formats import Drawing, format_simplified
from collectors.quickdraw_raw import RawDrawing, format_raw
from collectors.rasterize import rasterize_drawings


def drawings_of(word: str, count: int, *, seed: int = 1) -> list[Drawing]:
    """Scribbles with everything a published drawing has; about a sixth unrecognised, from four countries."""
    rng = np.random.default_rng([seed, *word.encode()])
    return [_scribble(word, number, rng) for number in range(count)]


def _scribble(word: str, number: int, rng: np.random.Generator) -> Drawing:
    strokes = tuple(
        rng.integers(0, 256, (int(rng.integers(1, 12)), 2)).astype(np.int16) for _ in range(int(rng.integers(1, 6)))
    )
    return Drawing(
        word=word,
        key_id=str(4_503_000_000_000_000 + int(rng.integers(2**50)) * 1000 + number % 1000),
        strokes=strokes,
        countrycode=("US", "GB", "VE", "DE")[int(rng.integers(4))],
        timestamp=f"2017-03-{1 + number % 28:02} 10:{number % 60:02}:33.07453 UTC",
        recognized=bool(rng.random() < 0.85),
    )


def ndjson(drawings: Sequence[Drawing]) -> bytes:
    return b"".join(map(format_simplified, drawings))


def binary(drawings: Sequence[Drawing]) -> bytes:
    return b"".join(map(format_record, drawings))


def raw_ndjson(drawings: Sequence[Drawing]) -> bytes:
    """The same drawings as if a larger screen had sent them."""
    return b"".join(
        format_raw(
            RawDrawing(
                d.word,
                d.key_id,
                tuple(
                    np.column_stack([stroke * 1.5 + 20.25, np.arange(len(stroke)) * 7.0]).astype(float)
                    for stroke in d.strokes
                ),
                d.countrycode,
                d.timestamp,
                d.recognized,
            )
        )
        for d in drawings
    )


def bitmaps(drawings: Sequence[Drawing]) -> bytes:
    rows = rasterize_drawings([drawing.strokes for drawing in drawings]).reshape(-1, 784)
    return npy_bytes(rows)


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def old_header_npy(rows: np.ndarray) -> bytes:
    """As numpy wrote it in 2017: a header of 80 bytes."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {rows.shape}, }}".encode()
    text = text.ljust(80 - 10 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + rows.tobytes()


def deltas_of(drawing: Drawing) -> np.ndarray:
    """A drawing in sketch-rnn's form."""
    points = np.concatenate(drawing.strokes).astype(np.int16)
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), np.int16))
    lifts = np.zeros((len(points), 1), np.int16)
    lifts[np.cumsum([len(stroke) for stroke in drawing.strokes]) - 1] = 1
    return np.hstack([steps, lifts]).astype(np.int16)


def write_sketchrnn(path: Path, drawings: Sequence[Drawing]) -> None:
    arrays = np.empty(len(drawings), object)
    for number, drawing in enumerate(drawings):
        arrays[number] = deltas_of(drawing)
    third = len(drawings) // 3
    np.savez_compressed(path, train=arrays[2 * third :], valid=arrays[third : 2 * third], test=arrays[:third])

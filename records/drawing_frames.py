"""Drawings as finished frames of a TFRecord file, thousands at a time.

All raw examples of one class, one source and names of one length have the same bytes but for the pixels and the name.
So the frame is made once, with `records.example`, and the rest is copying into it; not so with stroke layers, which are
of any length, and with picture files.
"""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import google_crc32c
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from records.classification_features import encoded_features, raw_features
from records.drawing_reading import DrawingRows
from records.example import BytesList, encode_example
from records.tfrecord import FRAME_OVERHEAD_BYTES, write_frames

ENCODINGS = ("raw", "png", "jpeg")
_HEAD_BYTES, _FOOT_BYTES = 12, 4
_MASK_DELTA = np.uint32(0xA282EAD8)
_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class DrawingLabel:
    """What the examples of one source have in common: class id, class name, and the name of the source."""

    label: int
    text: str
    source: str


def drawing_frames(what: DrawingLabel, drawings: DrawingRows, *, side: int, encoding: str) -> list[bytes]:
    """Return the frame of every drawing, in their order: length, checksum, example, checksum.

    Args:
        what: The class and the source.
        drawings: Of that source; none gives none.
        side: Width and height, px.
        encoding: One of `ENCODINGS`.
    """
    if encoding != "raw":
        return [
            _encoded_frame(what, name, pixels.reshape(side, side), encoding)
            for name, pixels in zip(drawings.names, drawings.pixels, strict=True)
        ]
    if drawings.layers:
        columns = zip(drawings.names, drawings.pixels, drawings.layers, strict=True)
        return [_layered_frame(what, name, pixels, layers, side) for name, pixels, layers in columns]
    frames: list[bytes] = [b""] * len(drawings.names)
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, name in enumerate(drawings.names):
        by_length[len(name)].append(index)
    for length, indices in by_length.items():
        names = b"".join([drawings.names[index] for index in indices])
        block = _raw_block(what, np.frombuffer(names, np.uint8).reshape(-1, length), drawings.pixels[indices], side)
        size = block.shape[1]
        content = block.tobytes()
        for place, index in enumerate(indices):
            frames[index] = content[place * size : (place + 1) * size]
    return frames


def frame_bytes(what: DrawingLabel, *, side: int, name_bytes: int = 6) -> int:
    """Return the size of a raw frame whose drawing has a name of so many bytes."""
    return _template(what, side, name_bytes).num_bytes


@dataclass(frozen=True, slots=True)
class _Template:
    """A frame but for its pixels and the name of its drawing: what stands before and behind the pixels."""

    before: bytes
    behind: bytes
    num_bytes: int
    name_at: int


def _raw_block(what: DrawingLabel, names: NDArray[np.uint8], pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return frames of equal length, shape ``(drawings, bytes)``."""
    template = _template(what, side, names.shape[1])
    size, pixels_at, behind_at = template.num_bytes, len(template.before), len(template.before) + side * side
    block = np.empty((len(pixels), size), np.uint8)
    block[:, :pixels_at] = np.frombuffer(template.before, np.uint8)
    block[:, pixels_at:behind_at] = pixels
    block[:, behind_at:] = np.frombuffer(template.behind, np.uint8)
    block[:, template.name_at : template.name_at + names.shape[1]] = names
    content = block.tobytes()
    value = google_crc32c.value
    end = size - _FOOT_BYTES
    crcs = np.array(
        [value(content[start + _HEAD_BYTES : start + end]) for start in range(0, len(content), size)], np.uint32
    )
    with np.errstate(over="ignore"):
        masked = (crcs >> np.uint32(15) | crcs << np.uint32(17)) + _MASK_DELTA
    block[:, end:] = masked.astype("<u4").view(np.uint8).reshape(-1, _FOOT_BYTES)
    return block


@lru_cache(maxsize=8192)
def _template(what: DrawingLabel, side: int, name_bytes: int) -> _Template:
    def frame(pixel: bytes, letter: bytes) -> bytes:
        features = raw_features(
            label=what.label,
            text=what.text,
            side=side,
            pixels=pixel * side**2,
            source=what.source,
            drawing=letter * name_bytes,
        )
        return _frame(encode_example(features))

    blank = frame(b"\0", b"\0")
    # The places are found, not computed: where a frame with other pixels (another name) begins to differ.
    content = slice(_HEAD_BYTES, len(blank) - _FOOT_BYTES)
    pixels_at = _first_difference(blank[content], frame(b"\xff", b"\0")[content]) + _HEAD_BYTES
    name_at = _first_difference(blank[content], frame(b"\0", b"\xff")[content]) + _HEAD_BYTES
    return _Template(blank[:pixels_at], blank[pixels_at + side**2 :], len(blank), name_at)


def _first_difference(first: bytes, second: bytes) -> int:
    return int(np.argmax(np.frombuffer(first, np.uint8) != np.frombuffer(second, np.uint8)))


def _layered_frame(what: DrawingLabel, name: bytes, pixels: NDArray[np.uint8], layers: bytes, side: int) -> bytes:
    features = raw_features(
        label=what.label,
        text=what.text,
        side=side,
        pixels=pixels.tobytes(),
        source=what.source,
        drawing=name,
        layers=layers,
    )
    return _frame(encode_example(features))


def _encoded_frame(what: DrawingLabel, name: bytes, pixels: NDArray[np.uint8], encoding: str) -> bytes:
    stream = io.BytesIO()
    options = {"quality": _JPEG_QUALITY} if encoding == "jpeg" else {}
    Image.fromarray(pixels).save(stream, encoding.upper(), **options)
    features = encoded_features(
        labels=[what.label],
        texts=[what.text],
        encoded=stream.getvalue(),
        format_name=encoding,
        width=pixels.shape[1],
        height=pixels.shape[0],
    )
    source = {"tagbox/source": BytesList((what.source.encode(),)), "tagbox/drawing": BytesList((name,))}
    return _frame(encode_example({**features, **source}))


def _frame(payload: bytes) -> bytes:
    stream = io.BytesIO()
    write_frames(stream, [payload])
    frame = stream.getvalue()
    assert len(frame) == len(payload) + FRAME_OVERHEAD_BYTES
    return frame


def total_bytes(counts: Sequence[tuple[DrawingLabel, int]], *, side: int) -> int:
    """Return about how large a record of raw drawings is; the shards are cut by it."""
    return sum(count * frame_bytes(what, side=side) for what, count in counts)

"""The strokes of a drawing one by one, as an example keeps them: a layer of pixels each, compressed together.

Layers laid over each other are the drawing. A reader that leaves some of them out gets the drawing without these
strokes, in batches, and needs nothing that draws.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from records.errors import ExampleError

MAX_LAYERS = 16
"""Of a drawing with more strokes the last layer has all that are left: three of QuickDraw's drawings in a hundred."""

LAYER_BYTES_A_ROW = 20
"""About how many bytes the packed layers of a drawing have for each row of its picture; shards are cut by it."""


def pack_layers(layers: NDArray[np.uint8]) -> bytes:
    """Compress the layers of a drawing.

    Args:
        layers: Shape ``(layers, height, width)``, 1 to `MAX_LAYERS` of them, 255 is ink.

    Returns:
        All bytes, the first layer first, its rows from the top, as one ZLIB stream.

    Raises:
        ExampleError: There are no layers, or too many.
    """
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise ExampleError(f"{len(layers)} stroke layers; a drawing has 1 to {MAX_LAYERS}")
    return zlib.compress(layers.tobytes())


def unpack_layers(packed: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Return what `pack_layers` was given; nothing larger than that is ever in memory.

    Raises:
        ExampleError: It is no ZLIB stream, it is cut or goes on, or it holds none, too many or no whole layers.
    """
    if min(height, width) < 1:
        raise ExampleError(f"there are no stroke layers of {width} x {height} px")
    stream = zlib.decompressobj()
    most = MAX_LAYERS * height * width
    try:
        content = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise ExampleError(f"the stroke layers are no ZLIB stream ({error})") from error
    if len(content) > most:
        raise ExampleError(f"more than {MAX_LAYERS} stroke layers of {width} x {height} px")
    if not stream.eof or stream.unused_data:
        raise ExampleError("the ZLIB stream of the stroke layers is cut, or something stands behind it")
    if not content or len(content) % (height * width):
        raise ExampleError(f"{len(content)} bytes are no stroke layers of {width} x {height} px")
    return np.frombuffer(content, np.uint8).reshape(-1, height, width)


def lay_over(layers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay layers over each other, as `collectors.rasterize.rasterize_drawings` does with strokes.

    Args:
        layers: Shape ``(layers, height, width)``.

    Returns:
        Shape ``(height, width)``: what of a pixel is covered by any layer; no layers give no ink.
    """
    clear = np.prod(1 - layers * np.float32(1 / 255), axis=0, dtype=np.float32)
    covered: NDArray[np.uint8] = np.rint(255 * (1 - clear)).astype(np.uint8)
    return covered

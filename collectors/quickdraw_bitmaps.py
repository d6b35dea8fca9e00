"""QuickDraw's bitmaps: one row of 784 bytes a drawing, 28 by 28, 255 is ink and 0 is none.

The published form is a ``.npy`` file; its header is 80 bytes in Google's files and 128 in those numpy writes today, so
it is read, never assumed. Copies without any header (usually named ``.bin``) are read as well.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.files import atomic_writer

SIDE = 28
ROW_BYTES = SIDE * SIDE
HEAD_BYTES = 4096
"""As many bytes of a file's beginning as its header can take."""


@dataclass(frozen=True, slots=True)
class BitmapTable:
    """Where the rows of a file lie: row ``i`` is the `ROW_BYTES` bytes from ``offset + i * ROW_BYTES`` on."""

    offset: int
    num_rows: int

    @property
    def end(self) -> int:
        """Where the last row ends: the size of a whole file."""
        return self.offset + self.num_rows * ROW_BYTES


def read_header(head: bytes, where: str) -> BitmapTable:
    """Read the header of a ``.npy`` file of bitmaps.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter one.
        where: Name of the file or URL, for messages.

    Raises:
        InputError: This is no .npy file, or it holds something else than uint8 rows of 784 (or 28 by 28).
    """
    stream = io.BytesIO(head)
    try:
        shape, is_fortran, dtype = read_array_header(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(
            f"this is no .npy file of numpy: {' '.join(str(error).split())[:120]}",
            where=where,
            fix="Download it again.",
        ) from error
    is_square = len(shape) == 3 and shape[1:] == (SIDE, SIDE)
    if dtype != np.uint8 or is_fortran or not ((len(shape) == 2 and shape[1] == ROW_BYTES) or is_square):
        raise InputError(
            f"the array holds {dtype} of shape {shape}, QuickDraw's bitmaps are uint8 of shape (drawings, {ROW_BYTES})",
            where=where,
            fix="Give a file of numpy_bitmap.",
        )
    return BitmapTable(stream.tell(), shape[0])


def read_array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Read the header of any ``.npy`` stream: shape, whether columns come first, type of the items.

    Raises:
        ValueError: There is no header (numpy's reader raises some other kinds as well: SyntaxError, TypeError...).
    """
    version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(stream)  # type: ignore[no-untyped-call]
    return shape, is_fortran, dtype


def headerless_table(size: int) -> BitmapTable | None:
    """Return the rows of a file without a header, or ``None`` when its size is no whole number of rows."""
    return BitmapTable(0, size // ROW_BYTES) if size and size % ROW_BYTES == 0 else None


def check_size(table: BitmapTable, size: int, where: str) -> None:
    """Refuse a file that is shorter or longer than its header says.

    Raises:
        InputError: The file is cut, or has bytes behind its rows.
    """
    if size < table.end:
        whole = max(0, size - table.offset) // ROW_BYTES
        raise InputError(
            f"the file is cut: its header promises {table.num_rows} drawings ({table.end} bytes), "
            f"and {size} bytes are there ({whole} whole drawings)",
            where=where,
            fix="Download it again.",
        )
    if size > table.end:
        raise InputError(
            f"{size - table.end} bytes stand behind the {table.num_rows} drawings of the header",
            where=where,
            fix="Download it again.",
        )


def rows_of(content: bytes) -> NDArray[np.uint8]:
    """Return the rows in a piece of a file as pictures, shape ``(rows, 28, 28)``, read-only."""
    return np.frombuffer(content, np.uint8).reshape(-1, SIDE, SIDE)


def write_array(path: Path, blocks: Iterable[NDArray[np.uint8]], shape: tuple[int, ...]) -> int:
    """Write pictures as one ``.npy`` array, block by block.

    Args:
        path: The file; it is there whole or not at all.
        blocks: Arrays of uint8 whose first axis counts pictures; the rest is reshaped to ``shape``.
        shape: Shape of one picture in the file, such as ``(784,)`` or ``(85, 85, 3)``.

    Returns:
        The number of pictures; none gives an array of length 0.

    Raises:
        InputError: The disk refuses the file.
    """
    count = 0
    with atomic_writer(path) as stream:
        # numpy leaves room in the header for the first axis to grow, so its length does not change with the count.
        stream.write(_header(0, shape))
        for block in blocks:
            stream.write(np.ascontiguousarray(block).tobytes())
            count += len(block)
        stream.seek(0)
        stream.write(_header(count, shape))
    return count


def _header(count: int, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    npy.write_array_header_1_0(stream, header)  # type: ignore[no-untyped-call]
    return stream.getvalue()

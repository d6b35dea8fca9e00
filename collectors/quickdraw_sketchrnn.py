"""The drawings of the sketch-rnn files, read without unpickling.

A ``.npz`` of sketch-rnn is a zip with the arrays ``train``, ``valid`` and ``test``; each is an array of objects, which
numpy stores as a pickle, and a pickle is a program that may do anything. Here nothing of it is run: the opcodes are
listed with `pickletools` and only those that build arrays of small integers are understood, everything else is
refused. Drawings are handed out as they come, so memory holds one at a time.
"""

import hashlib
import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.quickdraw_bitmaps import read_array_header
from collectors.quickdraw_formats import MAX_COORDINATE, Drawing, LineError

SPLITS = ("train", "valid", "test")
_REMEMBERED = 4096  # numpy's pickles come back to what stands near their beginning (names, types), to nothing later.
_KNOWN_NAMES = {
    "numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct", "numpy ndarray", "numpy dtype",
    "_codecs encode", "numpy.core.numeric _frombuffer", "numpy._core.numeric _frombuffer",
}  # fmt: skip
_MARK = object()


class _Name(str):
    """The dotted name of something a pickle would call."""

    __slots__ = ()


class _Unfinished:
    """An array or dtype on the way: what is known of it so far."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Any = None) -> None:
        self.kind = kind
        self.value = value


class _StrangePickleError(ValueError):
    """The pickle does something else than describing arrays."""


def read_sketchrnn(path: Path, split: str = "train") -> Iterator[NDArray[np.int16]]:
    """Stream the drawings of one split of a sketch-rnn file.

    Args:
        path: The .npz file.
        split: ``train``, ``valid`` or ``test``.

    Yields:
        Arrays of shape ``(points, 3)``, columns ``dx dy lift``: the pen's way from the point before, and 1 when it
        leaves the paper there.

    Raises:
        InputError: The file is missing, no zip, has no such split, or holds anything but arrays of integers.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{split}.npy") as stream:
            yield from _arrays(stream)
    except KeyError as error:
        raise InputError(
            f"there is no array {split!r} in the file", where=str(path), fix="Download it again."
        ) from error
    except zipfile.BadZipFile as error:
        raise InputError(f"this is no .npz file: {error}", where=str(path), fix="Download it again.") from error
    except (OSError, EOFError, zlib.error, ValueError, TypeError, IndexError, AttributeError) as error:
        what = f"the array {split!r} cannot be read: {' '.join(str(error).split())[:160]}"
        raise InputError(what, where=str(path), fix="Download it again.") from error


def to_drawing(deltas: NDArray[np.int16], word: str) -> Drawing:
    """Turn a sketch-rnn drawing into strokes at the origin.

    The files hold no key: ``key_id`` is made from the drawing itself, so that it is the same in every copy.

    Raises:
        LineError: The drawing has no point, or is larger than 255.
    """
    if not len(deltas):
        raise LineError("bad-strokes", "the drawing has no points")
    points = np.cumsum(deltas[:, :2].astype(np.int64), axis=0)
    points -= points.min(axis=0)
    if points.max() > MAX_COORDINATE:
        raise LineError("bad-strokes", f"the drawing is {points.max()} wide or high, more than {MAX_COORDINATE}")
    ends = np.flatnonzero(deltas[:-1, 2]) + 1
    strokes = tuple(np.split(points.astype(np.int16), ends))
    digest = hashlib.sha256(word.encode() + b"\0" + deltas.astype("<i2").tobytes()).digest()
    return Drawing(word=word, key_id=str(int.from_bytes(digest[:8], "big")), strokes=strokes)


def _arrays(stream: IO[bytes]) -> Iterator[NDArray[np.int16]]:
    shape, _, dtype = read_array_header(stream)
    if dtype.kind != "O" or len(shape) != 1:
        raise _StrangePickleError(f"an array of drawings was expected, not {dtype} of shape {shape}")
    found = 0
    for array in _Machine().run(stream):
        found += 1
        yield array
    if found != shape[0]:
        raise _StrangePickleError(f"{shape[0]} drawings were promised, {found} are there")


class _Machine:
    """Follows the opcodes of a pickle of an object array, and understands nothing else."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._memoized = 0

    def run(self, stream: IO[bytes]) -> Iterator[NDArray[np.int16]]:
        """Yield the arrays inside as soon as each is complete."""
        items_base: int | None = None  # Where on the stack the list of drawings lies.
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name in {"PROTO", "FRAME", "STOP"}:
                continue
            if name in {"EMPTY_LIST", "LIST"} and items_base is None:
                items_base = len(self._stack)
                self._stack.append(_Unfinished("items"))
            elif name in {"APPEND", "APPENDS"}:
                items = self._popped() if name == "APPENDS" else [self._stack.pop()]
                if items_base is None or len(self._stack) != items_base + 1:
                    raise _StrangePickleError("a list was found where none is expected")
                for item in items:
                    yield self._drawing(item)
            else:
                self._step(name, argument)

    def _drawing(self, item: Any) -> NDArray[np.int16]:
        if not isinstance(item, np.ndarray) or item.ndim != 2 or item.shape[1] != 3:
            raise _StrangePickleError("an item is no drawing of shape (points, 3)")
        return item

    def _popped(self) -> list[Any]:
        """Take everything above the last mark, and the mark."""
        place = max(index for index, item in enumerate(self._stack) if item is _MARK)
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name == "MARK":
            stack.append(_MARK)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            stack.append(argument)
        elif name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            self._remember(int(argument))
        elif name == "MEMOIZE":
            self._remember(self._memoized)
        elif name in {"BINGET", "LONG_BINGET", "GET"}:
            if int(argument) not in self._memo:
                raise _StrangePickleError("it comes back to something that is not remembered")
            stack.append(self._memo[int(argument)])
        elif name == "GLOBAL":
            stack.append(_known(argument))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_known(f"{module} {attribute}"))
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "TUPLE":
            stack.append(tuple(self._popped()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_made(function, arguments))
        elif name == "BUILD":
            state, target = stack.pop(), stack.pop()
            stack.append(_built(target, state))
        else:
            raise _StrangePickleError(f"it uses the opcode {name}")

    def _remember(self, number: int) -> None:
        self._memoized += 1
        # A dtype is remembered before it is built; `_Unfinished` is one object throughout.
        if len(self._memo) < _REMEMBERED and not isinstance(self._stack[-1], np.ndarray):
            self._memo[number] = self._stack[-1]


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG", "SHORT_BINSTRING", "BINSTRING", "STRING", "SHORT_BINBYTES",
    "BINBYTES", "BINBYTES8", "BYTEARRAY8", "SHORT_BINUNICODE", "BINUNICODE", "UNICODE",
}  # fmt: skip


def _known(name: str) -> _Name:
    if name not in _KNOWN_NAMES:
        raise _StrangePickleError(f"it wants to call {name!r}, which describing drawings never needs")
    return _Name(name)


def _made(function: Any, arguments: Any) -> Any:
    """Stand in for the few calls that a pickle of an array makes."""
    if isinstance(function, _Name) and isinstance(arguments, tuple):
        if function.endswith(" _reconstruct"):
            return _Unfinished("array")
        if function == "numpy dtype":
            return _Unfinished("dtype", str(_text(arguments[0])))
        if function.endswith(" _frombuffer"):
            content, dtype, shape, order = arguments
            return _array_of(content, dtype, shape, is_fortran=order == "F")
        if function == "_codecs encode" and arguments[1:] == ("latin1",):
            return str(arguments[0]).encode("latin-1")
    raise _StrangePickleError("it makes a call that describing drawings never needs")


def _built(target: Any, state: Any) -> Any:
    if isinstance(target, _Unfinished) and target.kind == "dtype":
        order = _text(state[1])
        target.value = ("<" if order == "|" else order) + target.value.lstrip("<>|=")
        return target
    if isinstance(target, _Unfinished) and target.kind == "array":
        _, shape, dtype, is_fortran, content = state
        if isinstance(content, _Unfinished) and content.kind == "items":
            return target  # The outer array: its items have been handed out already.
        return _array_of(content, dtype, shape, is_fortran=is_fortran)
    raise _StrangePickleError("it builds something that is no array")


def _array_of(content: Any, dtype: Any, shape: Any, *, is_fortran: bool) -> NDArray[np.int16]:
    if not isinstance(dtype, _Unfinished) or dtype.value[1:] not in {"i2", "i4", "i8", "i1", "u1", "f4", "f8"}:
        raise _StrangePickleError("a drawing is no array of numbers")
    raw = content.encode("latin-1") if isinstance(content, str) else content
    array = np.frombuffer(raw, dtype.value).reshape(shape, order="F" if is_fortran else "C")
    if np.abs(array).max(initial=0) > np.iinfo(np.int16).max or (array != np.trunc(array)).any():
        raise _StrangePickleError("a drawing has a step that is no small whole number")
    return array.astype(np.int16)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)

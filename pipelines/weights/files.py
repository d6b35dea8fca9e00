"""Files of weights in the formats people have, opened to read single arrays."""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf.message import DecodeError

from collectors.errors import InputError
from pipelines.weights.object_graph import GRAPH_KEY, ObjectGraph

Array = npt.NDArray[Any]
_VARIABLE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_FETCH_AGAIN = "Fetch the file again."
# Where the archives of the model zoos have their weights, best first.
_INSIDE = (
    "checkpoints/best/*.index",
    "checkpoints/last/*.index",
    "checkpoint/ckpt-*.index",
    "ckpt-*.index",
    "*.ckpt.index",
    "*.ckpt-*.index",
    "frozen_inference_graph.pb",
)


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """An opened file of weights.

    Attributes:
        path: The file, or the prefix of a checkpoint.
        kind: ``npz``, ``keras``, ``graph``, ``tf1`` or ``tf2``.
        shapes: Shape of every array, by its name in the file.
        read: Reads one array; raises `InputError` where the file turns out to be damaged.
        graph: Of ``tf2``: the serialised object graph.
    """

    path: Path
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Array]
    graph: bytes = b""


def find_weights(path: Path) -> Path:
    """Return the file or checkpoint prefix that a person means.

    A folder stands for the weights in it: that of a run for its best checkpoint, that of an unpacked zoo archive for
    its checkpoint. One of the files of a checkpoint stands for all.

    Raises:
        InputError: There is nothing.
    """
    if path.is_dir():
        for pattern in _INSIDE:
            if found := sorted(path.glob(pattern), key=lambda file: (len(file.name), file.name)):
                return found[-1].with_suffix("") if found[-1].suffix == ".index" else found[-1]
        raise InputError(
            "this folder holds no weights",
            where=str(path),
            fix="Looked for checkpoints (*.index) and frozen_inference_graph.pb; name the file itself.",
        )
    for suffix in (".index", ".meta", ".data-00000-of-00001"):
        if path.name.endswith(suffix):
            return path.with_name(path.name.removesuffix(suffix))
    return path


def open_weights(path: Path) -> WeightsFile:
    """Open weights of any format, known by its content where it has one file, else by the files of a checkpoint.

    Raises:
        InputError: It is missing, damaged, or no weights at all; the message says which.
    """
    path = find_weights(path)
    if Path(f"{path}.index").is_file():
        return _open_checkpoint(path)
    if not path.is_file():
        if path.suffix in (".npz", ".pb", ".h5", ".hdf5"):
            raise InputError("no such file", where=str(path), fix="Give the path of the weights with --init.")
        raise InputError(
            "is neither an .npz nor the prefix of a checkpoint",
            where=str(path),
            fix="Give model.ckpt for the files model.ckpt.index and model.ckpt.data-00000-of-00001, a .pb or an .h5.",
        )
    head = _head_of(path)
    if path.suffix == ".npz" or head.startswith(b"PK"):
        return _open_npz(path)
    if path.suffix in (".h5", ".hdf5") or head.startswith(b"\x89HDF"):
        return _open_keras(path)
    return _open_graph(path)


def load_graph(path: Path) -> Any:
    """Read a frozen graph.

    Returns:
        A ``GraphDef``.

    Raises:
        InputError: It is none.
    """
    _head_of(path)
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise InputError("is damaged, or not a frozen graph", where=str(path), fix=_FETCH_AGAIN) from error
    if not graph.node:
        what = "is a SavedModel, not a frozen graph" if path.name == "saved_model.pb" else "is not a frozen graph"
        raise InputError(what, where=str(path), fix="Give frozen_inference_graph.pb or a checkpoint.")
    return graph


def _head_of(path: Path) -> bytes:
    """Return the first bytes of a file; refuse what is a stand-in for a file."""
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if head.startswith(b"version https://git-lfs"):
        raise InputError(
            "is a Git LFS pointer, not the weights themselves", where=str(path), fix="Fetch them with: git lfs pull"
        )
    if head.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise InputError(
            "is a web page, not weights", where=str(path), fix="Download the file itself, not the page that shows it."
        )
    return head


def _open_npz(path: Path) -> WeightsFile:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"not a readable .npz ({error})", where=str(path), fix=_FETCH_AGAIN) from error
    return WeightsFile(path, "npz", {name: array.shape for name, array in arrays.items()}, arrays.__getitem__)


def _open_keras(path: Path) -> WeightsFile:
    """Read the old HDF5 format of Keras: a group a layer, and in it the arrays its attribute ``weight_names`` lists."""
    arrays: dict[str, Array] = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            for layer, group in root.items():
                for stored in group.attrs.get("weight_names", ()):
                    name = stored.decode() if isinstance(stored, bytes) else str(stored)
                    leaf = name.rpartition("/")[2].partition(":")[0]
                    arrays[f"{layer}/{leaf}"] = np.asarray(group[name])
    except (OSError, KeyError, ValueError, RuntimeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"not a readable .h5 ({reason})", where=str(path), fix=_FETCH_AGAIN) from error
    return WeightsFile(path, "keras", {name: array.shape for name, array in arrays.items()}, arrays.__getitem__)


def _open_graph(path: Path) -> WeightsFile:
    constants = {node.name: node.attr["value"].tensor for node in load_graph(path).node if node.op == "Const"}
    shapes = {
        name: tuple(dimension.size for dimension in tensor.tensor_shape.dim)
        for name, tensor in constants.items()
        if tensor.dtype in (tf.float32.as_datatype_enum, tf.float16.as_datatype_enum)
    }

    def read(name: str) -> Array:
        try:
            value: Array = tf.make_ndarray(constants[name])
        except (ValueError, TypeError) as error:
            raise InputError(f"`{name}` is damaged in this graph", where=str(path), fix=_FETCH_AGAIN) from error
        return value

    return WeightsFile(path, "graph", shapes, read)


def _open_checkpoint(path: Path) -> WeightsFile:
    try:
        reader = tf.train.load_checkpoint(str(path))
        shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
        graph = reader.get_tensor(GRAPH_KEY) if GRAPH_KEY in shapes else b""
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
        raise _unreadable(path, error) from error

    # Averaged weights are those a run was evaluated with.
    averages = ObjectGraph(graph).slots("optimizer", "average") if graph else {}

    def read(name: str) -> Array:
        try:
            value: Array = reader.get_tensor(averages.get(name, name))
        except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
            raise _unreadable(path, error) from error
        return value

    shapes.pop(GRAPH_KEY, None)
    return WeightsFile(path, "tf2" if graph else "tf1", shapes, read, graph)


def display_name(name: str) -> str:
    """Return a variable's name as people read it."""
    return name.removesuffix(_VARIABLE_SUFFIX)


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = str(error).partition("\n")[0]
    return InputError(f"not a readable checkpoint ({reason})", where=str(path), fix="Fetch it again.")

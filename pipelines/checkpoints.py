"""Other people's weights for our models, matched by slim's variable names."""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from collectors.errors import InputError

_EXTRA_NAMES = ("1x1", "3x3_s2")


@dataclass(frozen=True, slots=True)
class ImportedWeights:
    """What an import did, by variable name.

    Attributes:
        loaded: Names that were found and copied.
        missing: Names of the model that the file does not have; they keep their initial values.
        mismatched: Names that have another shape in the file, with both shapes; not copied.
        unused: Names of the file that the model has no place for.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    unused: tuple[str, ...] = field(default=())


def slim_backbone_variables(model: tf_keras.Model) -> dict[str, Any]:
    """Map slim's names (``MobilenetV1/Conv2d_0/weights``...) to the variables of TFM's MobileNetV1 in ``model``."""
    blocks = [layer for layer in model.get_layer("backbone").layers if hasattr(layer, "_norm0")]
    names: dict[str, Any] = {}
    for index, block in enumerate(blocks):
        if hasattr(block, "_dwconv0"):
            names |= _conv_and_norm(f"MobilenetV1/Conv2d_{index}_depthwise", block._dwconv0, block._norm0)
            names |= _conv_and_norm(f"MobilenetV1/Conv2d_{index}_pointwise", block._conv1, block._norm1)
        else:
            names |= _conv_and_norm(f"MobilenetV1/Conv2d_{index}", block._conv0, block._norm0)
    return names


def slim_detector_variables(model: tf_keras.Model) -> dict[str, Any]:
    """Map the names of a TF1 OD API checkpoint of SSD MobileNet v1 to the variables of our model."""
    names = {f"FeatureExtractor/{name}": variable for name, variable in slim_backbone_variables(model).items()}
    layers = {layer.name: layer for layer in model.layers}
    index = 0
    while f"extra_{index}_1x1" in layers:
        for part, kind in enumerate(_EXTRA_NAMES, start=1):
            conv = layers[f"extra_{index}_{kind}"]
            scope = f"FeatureExtractor/MobilenetV1/Conv2d_13_pointwise_{part}_Conv2d_{index + 2}_{kind}_{conv.filters}"
            names |= _conv_and_norm(scope, conv, layers[f"extra_{index}_{kind}_bn"])
        index += 1
    index = 0
    while f"box_{index}_predictor" in layers:
        for ours, theirs in (("box", "BoxEncodingPredictor"), ("class", "ClassPredictor")):
            conv = layers[f"{ours}_{index}_predictor"]
            names[f"BoxPredictor_{index}/{theirs}/weights"] = conv.kernel
            names[f"BoxPredictor_{index}/{theirs}/biases"] = conv.bias
        index += 1
    return names


def load_weights(model: tf_keras.Model, path: Path, *, kind: str) -> ImportedWeights:
    """Copy the weights of ``path`` into ``model``.

    Args:
        model: What `pipelines.detection.ssd_model.build_ssd_model` builds.
        path: An ``.npz`` of arrays under slim's names, or the prefix of a TF1 checkpoint
            (``model.ckpt`` beside ``model.ckpt.index``).
        kind: ``backbone`` or ``detector``: which variables are taken. A detector takes its predictors too, where the
            shapes agree.

    Returns:
        The accounting of every variable.

    Raises:
        InputError: The file is missing, unreadable, or has none of the variables.
    """
    names, read = _open_weights(path)
    wanted = slim_detector_variables(model) if kind == "detector" else slim_backbone_variables(model)
    if kind == "backbone" and any(name.startswith("FeatureExtractor/") for name in names):
        wanted = {f"FeatureExtractor/{name}": variable for name, variable in wanted.items()}
    values, missing, mismatched = {}, [], []
    for name, variable in wanted.items():
        if name not in names:
            missing.append(name)
        elif tuple(names[name]) != tuple(variable.shape):
            mismatched.append(f"{name}: {tuple(names[name])} in the file, {tuple(variable.shape)} in the model")
        else:
            values[name] = read(name)
    if not any("Conv2d_0/" in name for name in values):
        raise InputError(
            f"has no variable of this MobileNet v1 {kind}" + (" but of other shapes" if mismatched else ""),
            where=str(path),
            fix=f"The first is {mismatched[0]}; choose weights of the same depth_multiplier."
            if mismatched
            else f"The first names in it are {sorted(names)[:3]}; choose weights saved under slim's names.",
        )
    # Everything is read by now: a file that breaks in the middle leaves the model as it was.
    for name, value in values.items():
        wanted[name].assign(value)
    unused = sorted(set(names) - set(wanted))
    return ImportedWeights(tuple(values), tuple(missing), tuple(mismatched), tuple(unused))


def _conv_and_norm(scope: str, conv: Any, norm: Any) -> dict[str, Any]:
    kernel = (
        {f"{scope}/depthwise_weights": conv.depthwise_kernel}
        if hasattr(conv, "depthwise_kernel")
        else {f"{scope}/weights": conv.kernel}
    )
    return kernel | {
        f"{scope}/BatchNorm/gamma": norm.gamma,
        f"{scope}/BatchNorm/beta": norm.beta,
        f"{scope}/BatchNorm/moving_mean": norm.moving_mean,
        f"{scope}/BatchNorm/moving_variance": norm.moving_variance,
    }


def _open_weights(path: Path) -> tuple[Mapping[str, tuple[int, ...]], Callable[[str], npt.NDArray[Any]]]:
    """Return the shapes by name, and how to read one array."""
    if path.suffix == ".npz":
        if not path.is_file():
            raise InputError("no such file", where=str(path), fix="Give the path of the weights with --init.")
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise InputError(f"not a readable .npz ({error})", where=str(path), fix="Fetch the file again.") from error
        return {name: array.shape for name, array in arrays.items()}, arrays.__getitem__
    if not Path(f"{path}.index").is_file():
        raise InputError(
            "is neither an .npz nor the prefix of a checkpoint",
            where=str(path),
            fix="Give model.ckpt for the files model.ckpt.index and model.ckpt.data-00000-of-00001.",
        )
    try:
        reader = tf.train.load_checkpoint(str(path))
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
        raise _unreadable_checkpoint(path, error) from error
    shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}

    def read(name: str) -> npt.NDArray[Any]:
        try:
            value: npt.NDArray[Any] = reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
            raise _unreadable_checkpoint(path, error) from error
        return value

    return shapes, read


def _unreadable_checkpoint(path: Path, error: Exception) -> InputError:
    reason = str(error).partition("\n")[0]
    return InputError(f"not a readable checkpoint ({reason})", where=str(path), fix="Fetch it again.")

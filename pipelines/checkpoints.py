"""Other people's weights into our models: every variable of both sides accounted for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras

from collectors.errors import InputError
from pipelines.weights import class_head
from pipelines.weights.coco_labels import COCO_NAMES
from pipelines.weights.files import Array, WeightsFile, display_name, open_weights
from pipelines.weights.keras_names import keras_name
from pipelines.weights.object_graph import ObjectGraph, OdApiNames, own_paths
from pipelines.weights.slim_names import (
    DETECTOR_PREFIX,
    backbone_scopes,
    detector_variables,
    family_of,
)

_BEHIND_BACKBONE = re.compile(r"/fpn/|_[12]_Conv2d_\d+_\dx\d")
_WEIGHT_OF_GRAPH = re.compile(
    r"(FeatureExtractor|BoxPredictor_\d+|WeightShared\w+|Mobilenet\w+)/.*"
    r"(weights|biases|gamma|beta|moving_mean|moving_variance)$"
)
KINDS = ("auto", "backbone", "feature_extractor", "detector")
_FAMILIES = {
    "MobilenetV1": "MobileNet v1",
    "MobilenetV2": "MobileNet v2",
    "MobilenetV3": "MobileNet v3",
    "InceptionV2": "Inception v2",
    "InceptionV3": "Inception v3",
    "resnet_v1_50": "ResNet-50",
    "resnet_v1_101": "ResNet-101",
}


@dataclass(frozen=True, slots=True)
class ImportedWeights:
    """What an import did, by variable name.

    Attributes:
        loaded: Names of the model that were found and copied.
        missing: Names of the model that the file does not have; they keep their initial values.
        mismatched: Names that have another shape in the file, with both shapes; not copied.
        unused: Names of the file that the model has no place for, or that were not asked for.
        remapped: Names of the class predictor of which the columns of some classes were copied, with those classes.
        format: What the file is: ``npz``, ``keras``, ``graph``, ``tf1`` or ``tf2``.
        path: The file, or the prefix of the checkpoint.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    remapped: tuple[str, ...] = ()
    format: str = ""
    path: str = ""

    def summary(self) -> str:
        """Return the counts in one line."""
        parts = [f"{len(self.loaded)} variables loaded"]
        if self.remapped:
            parts.append(f"{len(self.remapped)} taken over by class name")
        for count, words in (
            (len(self.missing), "not in the file"),
            (len(self.mismatched), "of another shape"),
            (len(self.unused), "of the file not used"),
        ):
            if count:
                parts.append(f"{count} {words}")
        return ", ".join(parts)


def load_weights(
    model: tf_keras.Model,
    path: Path,
    *,
    kind: str = "auto",
    class_names: Mapping[int, str] | None = None,
    file_class_names: Mapping[int, str] | None = None,
) -> ImportedWeights:
    """Copy the weights of ``path`` into ``model``.

    Args:
        model: What `pipelines.detection.ssd_model.build_ssd_model` builds.
        path: Arrays under slim's names (``.npz``), a TF1 checkpoint (slim's or the OD API's), a TF2 checkpoint (the OD
            API's or of one of our runs), a frozen graph (``.pb``), an ``.h5`` of Keras applications, or a folder with
            one of them.
        kind: Which variables are taken: those of the ``backbone``; of the ``feature_extractor``, which is the backbone
            and what follows it up to the predictors; of the whole ``detector``; or, ``auto``, of as much as the file
            has.
        class_names: The model's class names by id, from 1.
        file_class_names: Those of the file; a class predictor of 90 classes has COCO's. With both, the class predictor
            is taken over by name; without one of them it is taken as it is where the shapes agree.

    Returns:
        The accounting of every variable.

    Raises:
        InputError: The file is missing, unreadable, or has none of the variables. The model is as it was then.
    """
    file = open_weights(path)
    if not any(layer.name == "backbone" for layer in model.layers):
        raise InputError(
            f"cannot go into {model.name}, which takes no weights from elsewhere",
            where=str(file.path),
            fix="Leave out --init, or choose an ssd config.",
        )
    wanted = _wanted(model, kind)
    key_of = key_function(file, model)
    values: dict[str, Array] = {}
    missing, mismatched, remapped, used = [], [], [], set()
    anchors = _boxes_per_place(wanted)
    for name, variable in wanted.items():
        key = key_of(name)
        if key not in file.shapes:
            missing.append(name)
            continue
        used.add(key)
        if class_names and class_head.is_class_variable(name):
            ours, theirs = variable.numpy(), file.read(key)
            columns = theirs.shape[-1] // anchors[name]
            is_coco = columns == max(COCO_NAMES) + 1 and theirs.shape != ours.shape
            names = file_class_names or (COCO_NAMES if is_coco else None)
            if names and theirs.shape[:-1] == ours.shape[:-1] and theirs.shape[-1] % anchors[name] == 0:
                values[name], found = class_head.remap_classes(theirs, ours, anchors[name], names, class_names)
                remapped.append(f"{name}: {', '.join(found) or 'background only'}")
                continue
        if tuple(file.shapes[key]) != tuple(variable.shape):
            shapes = f"{tuple(file.shapes[key])} in the file, {tuple(variable.shape)} in the model"
            mismatched.append(f"{name}: {shapes}")
            continue
        values[name] = file.read(key)
    if not any(name.endswith("weights") and not _is_behind_backbone(name) for name in values):
        raise _nothing_fits(file, model, kind, mismatched)
    # Everything is read by now: a file that breaks in the middle leaves the model as it was.
    for name, value in values.items():
        wanted[name].assign(value)
    if kind == "auto" and not any(_is_behind_backbone(name) for name in (*values, *mismatched)):
        # A classification backbone has nothing to say about the rest of a detector.
        missing = [name for name in missing if not _is_behind_backbone(name)]
    kept = {entry.partition(":")[0] for entry in remapped}
    return ImportedWeights(
        loaded=tuple(name for name in values if name not in kept),
        missing=tuple(missing),
        mismatched=tuple(mismatched),
        unused=tuple(sorted(display_name(name) for name in set(file.shapes) - used if _is_weight(file, name))),
        remapped=tuple(remapped),
        format=file.kind,
        path=str(file.path),
    )


def _is_behind_backbone(name: str) -> bool:
    """Tell whether a variable belongs to the part of a detector that no classifier has."""
    return not name.startswith(DETECTOR_PREFIX) or bool(_BEHIND_BACKBONE.search(name))


def _wanted(model: tf_keras.Model, kind: str) -> dict[str, Any]:
    everything = detector_variables(model)
    if kind == "backbone":
        return {name: variable for name, variable in everything.items() if not _is_behind_backbone(name)}
    if kind == "feature_extractor":
        return {name: variable for name, variable in everything.items() if name.startswith(DETECTOR_PREFIX)}
    return everything


def key_function(file: WeightsFile, model: tf_keras.Model) -> Callable[[str], str]:
    """Return the function from slim's names to those of an opened file; what the file has not gives another name."""
    if file.kind == "keras":
        return keras_name
    if file.kind == "tf2":
        graph = ObjectGraph(file.graph)
        if graph.node("model/_feature_extractor") is not None:
            return OdApiNames(graph, backbone_scopes(model)).key
        paths = own_paths(model)
        ours = {name: paths.get(id(variable), "") for name, variable in detector_variables(model).items()}
        return lambda name: graph.key(ours[name]) if ours[name] else ""
    if any(name.startswith(DETECTOR_PREFIX) for name in file.shapes):
        return lambda name: name
    return lambda name: name.removeprefix(DETECTOR_PREFIX)


def _boxes_per_place(variables: Mapping[str, Any]) -> dict[str, int]:
    """Return the anchors at a place by the name of a class predictor's variable; the box predictor has 4 codes each."""
    found = {}
    for name in variables:
        if class_head.is_class_variable(name):
            box = "BoxEncodingPredictor" if name.startswith("BoxPredictor_") else "BoxPredictor"
            found[name] = int(variables[name.replace("/ClassPredictor/", f"/{box}/")].shape[-1]) // 4
    return found


def _is_weight(file: WeightsFile, name: str) -> bool:
    """Tell whether an entry of the file is a weight, not one of the thousands of constants of a graph."""
    return file.kind != "graph" or bool(_WEIGHT_OF_GRAPH.match(name))


def _nothing_fits(file: WeightsFile, model: tf_keras.Model, kind: str, mismatched: list[str]) -> InputError:
    family = family_of(model)
    what = f"has no variable of this {_FAMILIES[family]} {'detector' if kind in ('auto', 'detector') else 'backbone'}"
    held = next((words for scope, words in _FAMILIES.items() if any(scope in name for name in file.shapes)), "")
    if file.kind == "graph" and held and not any("BatchNorm" in name for name in file.shapes):
        fix = "Its batch norm is folded into the weights, which cannot be undone; give the checkpoint it was made from."
    elif held and held != _FAMILIES[family]:
        fix = f"It holds {held}; choose a config with that backbone, or other weights."
    elif mismatched:
        what += " but of other shapes"
        fix = f"The first is {mismatched[0]}; choose weights of the same depth_multiplier."
    else:
        first = sorted(display_name(name) for name in file.shapes)[:3]
        fix = f"The first names in it are {first}; choose weights of this network."
    return InputError(what, where=str(file.path), fix=fix)

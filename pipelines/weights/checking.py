"""What a file of weights is good for: which network it fits, what an import takes, how exact it is."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collectors.errors import ConfigError, InputError
from pipelines.checkpoints import ImportedWeights, key_function, load_weights
from pipelines.classification.model_config import ClassifierModel
from pipelines.config_files import packaged_configs
from pipelines.detection import ssd_model
from pipelines.detection.ssd_config import SSDModel
from pipelines.experiment import Experiment, load_experiment
from pipelines.weights.certificate import Certificate, certify, probe_picture
from pipelines.weights.files import WeightsFile, display_name, open_weights
from pipelines.weights.slim_names import family_of

_MULTIPLIERS = (1.0, 0.75, 0.5, 0.25, 0.35, 1.3, 1.4)


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What `check_weights` found.

    Attributes:
        config: The experiment config that was tried, by name.
        depth_multiplier: Of its backbone.
        num_classes: Of the file's class predictor; 1 where it has none.
        imported: The accounting of every variable.
        certificate: The comparison with the reference.
    """

    config: str
    depth_multiplier: float
    num_classes: int
    imported: ImportedWeights
    certificate: Certificate


def check_weights(
    path: Path, config_name: str = "", *, picture: npt.NDArray[np.uint8] | None = None, overrides: tuple[str, ...] = ()
) -> WeightsReport:
    """Import a file into the network it fits and compare the two on a picture.

    Args:
        path: What `pipelines.weights.files.open_weights` takes.
        config_name: The config to try; empty recognises it by the file's names.
        picture: uint8 ``(height, width, 3)``; by default one that is made.
        overrides: ``key=value`` for the config.

    Raises:
        InputError: The file is missing, damaged, or of another architecture.
    """
    file = open_weights(path)
    name = config_name or recognise(file)
    experiment = load_experiment(Path(name), overrides)
    config = experiment.params.task.model
    if isinstance(config, ClassifierModel):
        raise ConfigError(
            f"`{experiment.name}` is a classifier, and only detectors are compared with a reference",
            where=name,
            fix="Train from these weights with --init: weights.json in the run accounts for every variable.",
        )
    if not config_name:
        _fit_to(file, experiment)
    model = ssd_model.build_ssd_model(config, num_classes=1)
    num_classes = _num_classes(file, model)
    if num_classes != 1:
        model = ssd_model.build_ssd_model(config, num_classes=num_classes)
    imported = load_weights(model, path)
    behind = (*imported.missing, *imported.mismatched)
    has_boxes = any("BoxPredictor" in entry or "BoxEncodingPredictor" in entry for entry in imported.loaded)
    whole = has_boxes and not [entry for entry in behind if "ClassPredictor/" not in entry]
    certificate = certify(
        model,
        config,
        file,
        key_function(file, model),
        probe_picture() if picture is None else picture,
        whole=whole,
        classes=whole and not behind,
        whole_backbone=not any(entry.startswith("FeatureExtractor/") for entry in imported.mismatched),
    )
    return WeightsReport(experiment.name, config.backbone.depth_multiplier, num_classes, imported, certificate)


def recognise(file: WeightsFile) -> str:
    """Return the packaged config that a file's names belong to.

    Raises:
        InputError: They belong to none.
    """
    run_config = file.path.parent.parent.parent / "config.yaml"
    if file.kind == "tf2" and run_config.is_file():
        return str(run_config)
    names = [display_name(name) for name in file.shapes]
    has_pyramid = any(re.search(r"/fpn/|/_fpn_features_generator/|/_coarse_feature_layers/", name) for name in names)
    lite = r"(Box|Class)\w*Predictor_depthwise/|_predictor_layers/\d+/depthwise|_encoder_layers/\d+/depthwise"
    is_lite = any(re.search(lite, name) for name in names)
    if _is_v2(names):
        if has_pyramid:
            return "ssd_mobilenet_v2_fpnlite_320"
        return "ssdlite_mobilenet_v2" if is_lite else "ssd_mobilenet_v2"
    if any(re.search(r"MobilenetV1/|(^|/)conv_pw_1(_bn)?/|layer_with_weights-53/", name) for name in names):
        if has_pyramid:
            return "ssd_mobilenet_v1_fpn_320"
        return "ssdlite_mobilenet_v1" if is_lite else "ssd_mobilenet_v1"
    stems = ", ".join(config.stem for config in packaged_configs())
    if v3 := [name for name in names if "MobilenetV3/" in name]:
        is_large = any("/expanded_conv_14/" in name for name in v3)
        return f"ssdlite_mobilenet_v3_{'large' if is_large else 'small'}"
    raise InputError(
        f"these are not weights of a MobileNet v1, v2 or v3 (the first names are {sorted(names)[:3]})",
        where=str(file.path),
        fix=f"If they are, say which network with --config: {stems}.",
    )


def _is_v2(names: list[str]) -> bool:
    if any("MobilenetV2/" in name or name.startswith("block_1_expand/") for name in names):
        return True
    return any("layer_with_weights-103/" in name for name in names)


def _fit_to(file: WeightsFile, experiment: Experiment) -> None:
    """Set what the names do not say: the depth multiplier, and the pyramid of TensorFlow 1."""
    config = experiment.params.task.model
    if file.kind in ("tf1", "graph", "npz") and config.fpn.enabled:
        experiment.set("task.model.fpn.descend_smoothed", False, "TF1 weights")
    key = {
        "MobileNetV1": ("Conv2d_12_pointwise", 1024),
        "MobileNetV2": ("expanded_conv_16/project", 320),
        "MobileNetV3Large": ("expanded_conv_11/project", 112),
        "MobileNetV3Small": ("expanded_conv_7/project", 48),
    }
    scope, channels = key[config.backbone.model_id]
    model = ssd_model.build_ssd_model(SSDModel(input_size=[64, 64], backbone=config.backbone), num_classes=1)
    shape = file.shapes.get(key_function(file, model)(f"FeatureExtractor/{family_of(model)}/{scope}/weights"))
    if shape:
        nearest = min(_MULTIPLIERS, key=lambda multiplier: abs(multiplier * channels - shape[-1]))
        experiment.set("task.model.backbone.depth_multiplier", nearest, "the file")


def _num_classes(file: WeightsFile, model: Any) -> int:
    key_of = key_function(file, model)
    for boxes, classes in (
        ("BoxPredictor_0/BoxEncodingPredictor/biases", "BoxPredictor_0/ClassPredictor/biases"),
        (
            "WeightSharedConvolutionalBoxPredictor/BoxPredictor/biases",
            "WeightSharedConvolutionalBoxPredictor/ClassPredictor/biases",
        ),
    ):
        found = file.shapes.get(key_of(boxes)), file.shapes.get(key_of(classes))
        if found[0] and found[1]:
            return found[1][0] * 4 // found[0][0] - 1
    return 1

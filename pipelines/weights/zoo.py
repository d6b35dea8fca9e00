"""Weights by the names people know them by: the OD API's model zoos and Keras applications."""

import difflib
from dataclasses import dataclass

from collectors.errors import ConfigError

_TF1 = "http://download.tensorflow.org/models/object_detection/"
_TF2 = f"{_TF1}tf2/20200711/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
IMAGENET = "imagenet"


@dataclass(frozen=True, slots=True)
class ZooWeights:
    """Published weights.

    Attributes:
        name: What to write after ``--init``.
        url: Where they are published.
        sha256: Of the published file; empty where nobody published it.
        config: The packaged config they fit, by name; empty for a backbone.
        remark: What to know before using them.
    """

    name: str
    url: str
    sha256: str = ""
    config: str = ""
    remark: str = ""

    @property
    def file_name(self) -> str:
        """The name of the downloaded file."""
        return self.url.rpartition("/")[2]

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive with a checkpoint inside."""
        return self.file_name.endswith(".tar.gz")


_DETECTORS = (
    ZooWeights(
        "ssd_mobilenet_v1_coco",
        f"{_TF1}ssd_mobilenet_v1_coco_2018_01_28.tar.gz",
        # The checksums of 2018 stand in the model.yml files of Intel's Open Model Zoo.
        "8788f89108519fd1102b8a5c2ac861cf6d86603571b6ce5bbd1c245b7fe005e3",
        "ssd_mobilenet_v1",
    ),
    ZooWeights(
        "ssd_mobilenet_v1_coco_11_06_2017",
        f"{_TF1}ssd_mobilenet_v1_coco_11_06_2017.tar.gz",
        "",
        "ssd_mobilenet_v1",
        "of June 2017: set task.model.anchors.interpolated_box_second=true, task.model.head.pad_layers_to_even=true "
        "and task.losses.last_box_wins=true for the whole detector",
    ),
    ZooWeights(
        "ssd_mobilenet_v1_0.75_depth_coco",
        f"{_TF1}ssd_mobilenet_v1_0.75_depth_300x300_coco14_sync_2018_07_03.tar.gz",
        "",
        "ssd_mobilenet_v1",
        "set task.model.backbone.depth_multiplier=0.75",
    ),
    ZooWeights(
        "ssd_mobilenet_v1_fpn_coco",
        f"{_TF1}ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco14_sync_2018_07_03.tar.gz",
        "e8886ece7f3a0993678440305a98f5be649a90b314c95ca94565c23ed20b1fb0",
        "ssd_mobilenet_v1_fpn_640",
        "set task.model.fpn.descend_smoothed=false",
    ),
    ZooWeights(
        "ssd_mobilenet_v2_coco",
        f"{_TF1}ssd_mobilenet_v2_coco_2018_03_29.tar.gz",
        "b9380178b2e35333f1a735e39745928488bdabeb9ed20bc6fa07af8172cb5adc",
        "ssd_mobilenet_v2",
        # Its 16.818 million parameters are those of this network to the last one.
        "not of the network of the sample config: set task.model.head.kernel_size=3 and "
        "task.model.head.separable_layers=true for the whole detector",
    ),
    ZooWeights(
        "ssdlite_mobilenet_v2_coco",
        f"{_TF1}ssdlite_mobilenet_v2_coco_2018_05_09.tar.gz",
        "542445cce834dbfbb7df1991425d475e85a2d7ec68c60a4f262bb18aac10c8b2",
        "ssdlite_mobilenet_v2",
    ),
    ZooWeights(
        "ssd_mobilenet_v2_320x320_coco17",
        f"{_TF2}ssd_mobilenet_v2_320x320_coco17_tpu-8.tar.gz",
        "",
        "ssd_mobilenet_v2",
    ),
    ZooWeights(
        "ssd_mobilenet_v1_fpn_640x640_coco17",
        f"{_TF2}ssd_mobilenet_v1_fpn_640x640_coco17_tpu-8.tar.gz",
        "",
        "ssd_mobilenet_v1_fpn_640",
    ),
    ZooWeights(
        "ssd_mobilenet_v2_fpnlite_320x320_coco17",
        f"{_TF2}ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.tar.gz",
        "",
        "ssd_mobilenet_v2_fpnlite_320",
    ),
    ZooWeights(
        "ssd_mobilenet_v2_fpnlite_640x640_coco17",
        f"{_TF2}ssd_mobilenet_v2_fpnlite_640x640_coco17_tpu-8.tar.gz",
        "",
        "ssd_mobilenet_v2_fpnlite_640",
    ),
)
# The depth multipliers that Keras applications has weights of.
_IMAGENET_MULTIPLIERS = {
    "MobileNetV1": {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"},
    "MobileNetV2": {1.4: "1.4", 1.3: "1.3", 1.0: "1.0", 0.75: "0.75", 0.5: "0.5", 0.35: "0.35"},
}


def zoo_weights() -> tuple[ZooWeights, ...]:
    """Return the detectors that have a name."""
    return _DETECTORS


def is_zoo_name(word: str) -> bool:
    """Tell whether a word is meant as the name of published weights, not as a path."""
    return word == IMAGENET or any(word == weights.name for weights in _DETECTORS)


def find_zoo_weights(
    name: str, *, model_id: str = "MobileNetV1", depth_multiplier: float = 1.0, side: int = 224
) -> ZooWeights:
    """Return the weights of a name.

    Args:
        name: A name of `zoo_weights`, or ``imagenet``.
        model_id: The backbone that ``imagenet`` is for.
        depth_multiplier: Its depth multiplier.
        side: Height and width in pixels of the pictures that weights of MobileNet v1 were trained on: 224, 192, 160 or
            128.

    Raises:
        ConfigError: There are none of that name, or none for that backbone.
    """
    if name == IMAGENET:
        return _imagenet(model_id, depth_multiplier, side)
    for weights in _DETECTORS:
        if weights.name == name:
            return weights
    names = [IMAGENET, *(weights.name for weights in _DETECTORS)]
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}."
    raise ConfigError(f"there are no weights called `{name}`", fix=fix)


def _imagenet(model_id: str, depth_multiplier: float, side: int) -> ZooWeights:
    if model_id not in _IMAGENET_MULTIPLIERS:
        raise ConfigError(
            f"there are no ImageNet weights for {model_id}: the classifier's last blocks are wider than the detector's",
            where="task.model.backbone.model_id",
            fix="Leave out --init, or give it an earlier run or a checkpoint of the detector.",
        )
    names = _IMAGENET_MULTIPLIERS[model_id]
    if depth_multiplier not in names:
        raise ConfigError(
            f"there are no ImageNet weights of {model_id} with depth_multiplier {depth_multiplier:g}",
            where="task.model.backbone.depth_multiplier",
            fix=f"Published ones: {', '.join(f'{number:g}' for number in sorted(names))}.",
        )
    if model_id == "MobileNetV1":
        return ZooWeights(IMAGENET, f"{_KERAS}mobilenet/mobilenet_{names[depth_multiplier]}_{side}_tf_no_top.h5")
    stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{names[depth_multiplier]}_224_no_top"
    return ZooWeights(IMAGENET, f"{_KERAS}mobilenet_v2/{stem}.h5")

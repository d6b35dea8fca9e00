"""TFM's own RetinaNet for phones, with inputs and outputs of our detectors: the comparison."""

import copy

import numpy as np
import tf_keras
from official.core import exp_factory
from official.vision import registry_imports as _registry  # noqa: F401 - registers TFM's experiments and backbones
from official.vision.modeling import factory
from official.vision.ops import anchor

from pipelines.detection.ssd_config import SSDModel

_EXPERIMENT = "retinanet_mobile_coco"


def build_retinanet_mobile(config: SSDModel, *, num_classes: int) -> tf_keras.Model:
    """Build the network of TFM's experiment ``retinanet_mobile_coco``: a mobile SpineNet-49, levels 3 to 7.

    Backbone, head and anchors are TFM's; of ``config`` only the input size, a multiple of 128, and the momentum of the
    batch norm count.

    Args:
        config: Sizes.
        num_classes: Number of classes without background.

    Returns:
        A model as `pipelines.detection.ssd_model.build_ssd_model` gives.
    """
    height, width = config.input_size
    settings = copy.deepcopy(exp_factory.get_exp_config(_EXPERIMENT).task.model)
    settings.num_classes = num_classes + 1  # TFM counts the background
    settings.norm_activation.use_sync_bn = False
    settings.norm_activation.norm_momentum = config.batch_norm.momentum
    network = factory.build_retinanet(tf_keras.layers.InputSpec(shape=[None, height, width, 3]), settings)
    images = tf_keras.Input((height, width, 3), name="images")
    features = network.backbone(images)
    if network.decoder is not None:
        features = network.decoder(features)
    scores, boxes, _ = network.head(features)
    levels = [str(level) for level in range(settings.min_level, settings.max_level + 1)]

    def rows(maps: dict[str, object], columns: int, name: str) -> list[object]:
        return [tf_keras.layers.Reshape((-1, columns), name=f"{name}_{level}_rows")(maps[level]) for level in levels]

    outputs = {
        "box_encodings": tf_keras.layers.Concatenate(axis=1, name="box_encodings", dtype="float32")(
            rows(boxes, 4, "box")
        ),
        "class_logits": tf_keras.layers.Concatenate(axis=1, name="class_logits", dtype="float32")(
            rows(scores, num_classes + 1, "class")
        ),
    }
    model = tf_keras.Model(images, outputs, name="retinanet_mobile")
    generator = anchor.build_anchor_generator(
        settings.min_level,
        settings.max_level,
        settings.anchor.num_scales,
        settings.anchor.aspect_ratios,
        settings.anchor.anchor_size,
    )
    pixels = generator((height, width))
    scale = np.asarray([height, width, height, width], np.float32)
    model.anchors = np.concatenate([np.reshape(pixels[level], [-1, 4]) / scale for level in levels]).astype(np.float32)
    return model

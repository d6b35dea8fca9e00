"""MobileNet v1 with a new output layer: the network that is retrained on somebody's own pictures.

The base is TFM's, the one under the detectors, with slim's channels for classification; so weights of slim and of Keras
applications fit. It can stay frozen: then its mean features of a picture, here called the bottleneck, are always the
same and can be kept.
"""

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import tf_keras
from tf_keras import layers

from collectors.errors import InputError
from pipelines.checkpoints import ImportedWeights, load_weights
from pipelines.classification.network_config import NetworkConfig
from pipelines.detection.backbones import build_backbone
from pipelines.detection.ssd_config import SSDBackbone, SSDBatchNorm, SSDHead, SSDModel

# As slim, TensorFlow's retrain.py and their users write them.
ARCHITECTURES = tuple(
    f"mobilenet_{width}_{size}"
    for width, size in itertools.product(("1.0", "0.75", "0.50", "0.25"), (224, 192, 160, 128))
)
_LAST = "Conv2d_13_pointwise"
_MIN_DEPTH = 8  # slim's for classification; the detectors' is 16


@dataclasses.dataclass
class Mobilenet(NetworkConfig):
    """MobileNet v1, the mean over its last map, dropout, one dense layer.

    Attributes:
        architecture: One of the 16 published variants: ``mobilenet_1.0_224`` has all channels and takes pictures of 224
            pixels, ``mobilenet_0.25_128`` a quarter of them and 128 pixels. ``input_size`` follows unless it is set.
        freeze: Keep the weights of the whole base as they were loaded.
        freeze_blocks: Keep those of its first blocks, the stem counted; there are 14.
        train_statistics: Whether batch normalisation measures its statistics anew, which it has to from random weights
            and does badly on few pictures.
        norm_momentum: Decay of those statistics.
        dropout: Share of the bottleneck's values that is dropped in training, 0 to below 1.
        init_stddev: Standard deviation of the truncated normal that the kernel of the output layer is drawn from.
    """

    architecture: str = ARCHITECTURES[0]
    freeze: bool = True
    freeze_blocks: int = 0
    train_statistics: bool = False
    norm_momentum: float = 0.97
    dropout: float = 0.0
    init_stddev: float = 0.001

    @property
    def depth_multiplier(self) -> float:
        """Share of the channels."""
        return float(self.architecture.split("_")[1])

    @property
    def side(self) -> int:
        """Height and width of the pictures the variant was trained on, px."""
        return int(self.architecture.split("_")[2])

    @property
    def own_input_size(self) -> list[int]:
        """Height and width of the input where the config does not say another one."""
        return [self.side, self.side]

    @property
    def published_as(self) -> tuple[str, float, int]:
        """The variant, as Keras applications publish it."""
        return "MobileNetV1", self.depth_multiplier, self.side

    def load_published(self, model: tf_keras.Model, path: Path) -> ImportedWeights:
        """Load the base from slim's or Keras' weights, or out of a detector; see `NetworkConfig.load_published`."""
        loaded = load_weights(model, path, kind="backbone")
        if wrong := (*loaded.mismatched, *loaded.missing):
            # Half a base sees nothing; a frozen one would stay so.
            raise InputError(
                f"does not have all of the base of {self.architecture}: {len(wrong)} variables do not fit, {wrong[0]}",
                where=str(path),
                fix="Give weights of this variant, or set task.model.network.mobilenet.architecture to theirs.",
            )
        return loaded

    def build(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        """Build it; see `NetworkConfig.build`. Grey pictures are given to all three channels."""
        height, width, channels = input_shape
        if min(height, width) < 32:
            raise ValueError(f"MobileNet takes pictures of 32 pixels or more, not {width}x{height}")
        images = layers.Input(input_shape, name="images")
        net = layers.Rescaling(2.0, -1.0, name="to_minus_one_to_one")(images)
        if channels == 1:
            net = layers.Concatenate(name="grey_to_rgb")([net, net, net])
        features = self._base(height, width)(net, training=None if self.train_statistics else False)[_LAST]
        bottleneck = layers.GlobalAveragePooling2D(name="bottleneck")(features)
        kept = layers.Dropout(self.dropout, name="dropout")(bottleneck)
        kernel = tf_keras.initializers.TruncatedNormal(stddev=self.init_stddev)
        logits = layers.Dense(num_classes, kernel_initializer=kernel, name="logits")(kept)
        return tf_keras.Model(images, logits, name="mobilenet")

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that cannot be built with."""
        if self.architecture not in ARCHITECTURES:
            return "architecture", why_not(self.architecture)
        if not 0 <= self.freeze_blocks <= 14:
            return "freeze_blocks", "must be from 0 to 14"
        if not 0 <= self.norm_momentum <= 1:
            return "norm_momentum", "must be between 0 and 1"
        if self.init_stddev <= 0:
            return "init_stddev", "must be above 0"
        return None if 0 <= self.dropout < 1 else ("dropout", "must be 0 or more and below 1")

    def _base(self, height: int, width: int) -> tf_keras.Model:
        return build_backbone(
            SSDModel(
                input_size=[height, width],
                backbone=SSDBackbone(
                    model_id="MobileNetV1",
                    depth_multiplier=self.depth_multiplier,
                    freeze=self.freeze,
                    freeze_blocks=self.freeze_blocks,
                ),
                batch_norm=SSDBatchNorm(momentum=self.norm_momentum),
                head=SSDHead(min_depth=_MIN_DEPTH),
            )
        )


def why_not(architecture: str) -> str:
    """Say what an architecture must be instead of one that is not there."""
    if re.search("quant", architecture):
        return (
            "must be a network of floats: quantized ones are made of a trained network, by tagbox export --format "
            "tflite-int8; take it without its ending"
        )
    if architecture.startswith("inception"):
        return f"must be a MobileNet, as retrain.py's later versions had it, such as {ARCHITECTURES[0]}"
    numbers = [float(number) for number in re.findall(r"\d*\.\d+|\d{3}", architecture)]
    meant = [name for name in ARCHITECTURES if [float(number) for number in name.split("_")[1:]] == numbers]
    choice = "must be mobilenet_ with 1.0, 0.75, 0.50 or 0.25 and 224, 192, 160 or 128, such as "
    return choice + (meant[0] if meant else ARCHITECTURES[0])


def normalized_network(model: tf_keras.Model) -> Any:
    """Return the network behind its first layers: from float32 ``(b, height, width, 3)`` in ``[-1, 1]`` to logits."""
    return lambda pixels: head_of(model)(embedding_of(model)(pixels))


def embedding_of(model: tf_keras.Model) -> Any:
    """Return the base: from float32 ``(b, height, width, 3)`` in ``[-1, 1]`` to bottlenecks ``(b, width)``."""
    backbone, pool = model.get_layer("backbone"), model.get_layer("bottleneck")
    return lambda pixels: pool(backbone(pixels, training=False)[_LAST])


def head_of(model: tf_keras.Model) -> Any:
    """Return what is trained on a frozen base: from bottlenecks ``(b, width)`` to logits ``(b, classes)``."""
    dropout, logits = model.get_layer("dropout"), model.get_layer("logits")
    return lambda vectors, training=False: logits(dropout(vectors, training=training))

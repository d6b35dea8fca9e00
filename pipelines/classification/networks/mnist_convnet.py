"""The convolutional network of TensorFlow's MNIST tutorials, which the QuickDraw samples took over."""

import dataclasses

import tf_keras
from tf_keras import layers

from pipelines.classification.network_config import NetworkConfig


@dataclasses.dataclass
class MnistConvnet(NetworkConfig):
    """Convolution 5x5 and max pool 2x2 twice (32 and 64 filters), dense 1024, dropout 0.4, output.

    Convolutions keep the size; all but the output end in ReLU.

    Attributes:
        filters: Number of filters of each convolution; each is followed by a pool that halves the sides.
        kernel_size: Side of the convolutions, px.
        dense: Width of the dense layer.
        dropout: Share of its values that is dropped, 0 to below 1.
    """

    filters: list[int] = dataclasses.field(default_factory=lambda: [32, 64])
    kernel_size: int = 5
    dense: int = 1024
    dropout: float = 0.4

    def build(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        """Build it; see `NetworkConfig.build`."""
        if min(input_shape[:2]) < 2 ** len(self.filters):
            raise ValueError(f"{len(self.filters)} pools leave nothing of {input_shape[0]}x{input_shape[1]} pixels")
        images = layers.Input(input_shape, name="images")
        x = images
        for number, filters in enumerate(self.filters, start=1):
            x = layers.Conv2D(filters, self.kernel_size, padding="same", activation="relu", name=f"conv_{number}")(x)
            x = layers.MaxPool2D(2, name=f"pool_{number}")(x)
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(self.dense, activation="relu", name="dense")(x)
        x = layers.Dropout(self.dropout, name="dropout")(x)
        return tf_keras.Model(images, layers.Dense(num_classes, name="logits")(x), name="mnist_convnet")

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that cannot be built with."""
        if not self.filters or min(self.filters) < 1:
            return "filters", "must be numbers of 1 or more"
        for name in ("kernel_size", "dense"):
            if getattr(self, name) < 1:
                return name, "must be 1 or more"
        return None if 0 <= self.dropout < 1 else ("dropout", "must be 0 or more and below 1")

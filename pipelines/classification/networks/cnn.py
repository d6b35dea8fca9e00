"""A small convolutional network for 28x28 drawings: two convolutions, two dense layers."""

import dataclasses

import tf_keras
from tf_keras import layers

from pipelines.classification.network_config import NetworkConfig


@dataclasses.dataclass
class CNN(NetworkConfig):
    """5x5 convolution, 2x2 max pool, 2x2 convolution, 2x2 max pool, dropout, dense 128, dense 50, output.

    Convolutions are without padding, as are the pools; all but the output end in ReLU.

    Attributes:
        filters: Number of filters of the two convolutions.
        kernel_sizes: Their sides, px.
        pool_size: Side of both max pools, px.
        dropout: Share of the values that is dropped before the dense layers, 0 to below 1.
        dense: Widths of the dense layers before the output.
    """

    filters: list[int] = dataclasses.field(default_factory=lambda: [30, 15])
    kernel_sizes: list[int] = dataclasses.field(default_factory=lambda: [5, 2])
    pool_size: int = 2
    dropout: float = 0.2
    dense: list[int] = dataclasses.field(default_factory=lambda: [128, 50])

    def build(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        """Build it; see `NetworkConfig.build`."""
        images = layers.Input(input_shape, name="images")
        x = images
        for number, (filters, kernel_size) in enumerate(zip(self.filters, self.kernel_sizes, strict=True), start=1):
            side = min(x.shape[1:3])
            if (side - kernel_size + 1) // self.pool_size < 1:
                raise ValueError(
                    f"convolution {number} ({kernel_size}x{kernel_size}) and its pool need more than the "
                    f"{x.shape[1]}x{x.shape[2]} values that are left of {input_shape[0]}x{input_shape[1]} pixels"
                )
            x = layers.Conv2D(filters, kernel_size, activation="relu", name=f"conv_{number}")(x)
            x = layers.MaxPool2D(self.pool_size, name=f"pool_{number}")(x)
        x = layers.Dropout(self.dropout, name="dropout")(x)
        x = layers.Flatten(name="flatten")(x)
        for number, width in enumerate(self.dense, start=1):
            x = layers.Dense(width, activation="relu", name=f"dense_{number}")(x)
        return tf_keras.Model(images, layers.Dense(num_classes, name="logits")(x), name="cnn")

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that cannot be built with."""
        for name in ("filters", "kernel_sizes", "dense"):
            if any(value < 1 for value in getattr(self, name)):
                return name, "must be numbers of 1 or more"
        if len(self.filters) != len(self.kernel_sizes):
            return "kernel_sizes", "must have a size for each of filters"
        if self.pool_size < 1:
            return "pool_size", "must be 1 or more"
        return None if 0 <= self.dropout < 1 else ("dropout", "must be 0 or more and below 1")

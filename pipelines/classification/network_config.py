"""What every network of a classifier has in common."""

import dataclasses
from pathlib import Path

import tf_keras
from official.modeling import hyperparams

from pipelines.checkpoints import ImportedWeights


@dataclasses.dataclass
class NetworkConfig(hyperparams.Config):
    """The parameters of one kind of network, which builds itself."""

    def build(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        """Build the network with fresh weights.

        Args:
            input_shape: Height, width, channels (1 or 3).
            num_classes: Number of outputs.

        Returns:
            A functional model of one input and one output: from float32 ``(b, height, width, channels)`` in
            ``[0, 1]``, where 1 is ink for drawings and white for pictures, to float32 logits ``(b, num_classes)``,
            without softmax. What else it wants of its input (``[-1, 1]``, other means) is its first layer. Its losses
            (`tf_keras` regularizers) are added to that of the classes.

        Raises:
            ValueError: The input is too small for it; the message is for the person.
        """
        raise NotImplementedError

    @property
    def own_input_size(self) -> list[int] | None:
        """Height and width of the input where the config does not say; ``None``: the network has no size of its own."""
        return None

    @property
    def published_as(self) -> tuple[str, float, int] | None:
        """What its ImageNet weights are published for: family, depth multiplier, side of the pictures; see `zoo`."""
        return None

    def load_published(self, model: tf_keras.Model, path: Path) -> ImportedWeights | None:
        """Load weights that others trained on other classes into a model of this network, all but its output layer.

        Returns:
            The accounting; ``None``: there are no such weights of this network.

        Raises:
            InputError: The file is none of them.
        """
        return None

    def impossible(self) -> tuple[str, str] | None:
        """Return the first key whose value nothing can be built with, and what it must be; ``None``: all are possible.

        Such as ``("dropout", "must be 0 or more and below 1")``.
        """
        return None

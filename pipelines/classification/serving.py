"""A classifier with what stands before and behind it, as functions that model files are made of."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipelines.classification import images
from pipelines.export.serving import CLASSIFIER_OUTPUTS, IMAGE_INPUT, NORMALIZED_INPUT, Servable, variables_of
from pipelines.plain_graph import as_written


class PixelClassifier(tf.Module):
    """From pixels to probabilities.

    ``classify`` takes ``image_tensor``, uint8 ``(b, h, w, c)`` of any size, and returns ``scores``, float32
    ``(b, classes)``, in the order of the labels. ``classify_prepared`` takes the network's input as
    ``normalized_input_image_tensor``, float32 ``(b, height, width, c)`` in ``[0, 1]``.

    Args:
        model: The network, which gives logits.
        input_shape: Height, width and channels of its input.
        probabilities: Makes scores of float32 logits ``(b, classes)``: softmax, or of a tag classifier sigmoid.
        batch: Size of the batches of ``classify_prepared``; ``None`` takes any.
    """

    def __init__(
        self,
        model: Any,
        input_shape: tuple[int, int, int],
        probabilities: Callable[[Any], Any],
        *,
        batch: int | None = None,
    ) -> None:
        super().__init__(name="classifier")
        self.network_variables = variables_of(model)
        self._pixels, self._prepared = (None, None, None, input_shape[2]), (batch, *input_shape)

        @as_written
        def classify_prepared(prepared: Any) -> dict[str, Any]:
            logits = tf.cast(model(prepared, training=False), tf.float32)
            return {CLASSIFIER_OUTPUTS[0]: probabilities(logits)}

        @as_written
        def classify(image_tensor: Any) -> dict[str, Any]:
            return classify_prepared(images.network_input(image_tensor, input_shape))

        pixels = tf.TensorSpec(self._pixels, tf.uint8, name=IMAGE_INPUT)
        self.classify = tf.function(classify, input_signature=[pixels])
        prepared = tf.TensorSpec(self._prepared, tf.float32, name=NORMALIZED_INPUT)
        self.classify_prepared = tf.function(classify_prepared, input_signature=[prepared])

    def servable(self) -> Servable:
        """Return ``classify``."""
        return Servable(self, self.classify, CLASSIFIER_OUTPUTS, IMAGE_INPUT, tf.uint8, self._pixels)

    def prepared_servable(self) -> Servable:
        """Return ``classify_prepared``."""
        return Servable(self, self.classify_prepared, CLASSIFIER_OUTPUTS, NORMALIZED_INPUT, tf.float32, self._prepared)

"""The network with what stands before and behind it, as functions that model files are made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.detection import input_pipeline, ssd_model
from pipelines.detection.ssd_config import SSDModel
from pipelines.plain_graph import as_written

IMAGE_INPUT, NORMALIZED_INPUT = "image_tensor", "normalized_input_image_tensor"
# The order in which every format has them: that of the OD API's TFLite models, and of the alphabet.
OUTPUTS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
CLASSIFIER_OUTPUTS = ("scores",)
_BOX_SCALES = {"y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}


@dataclass(frozen=True, slots=True)
class Servable:
    """A function that model files are made of.

    Attributes:
        owner: Keeps its variables.
        function: A ``tf.function`` of one argument; gives a dict.
        outputs: The keys of that, in the order of the alphabet.
        input_name: What the argument is called.
        input_type: Its type.
        input_shape: Its shape; ``None`` for sides of any length.
    """

    owner: tf.Module
    function: Any
    outputs: tuple[str, ...]
    input_name: str
    input_type: Any
    input_shape: tuple[int | None, ...]


def variables_of(model: Any) -> list[Any]:
    """Return what a module keeps of a Keras network whose answers its functions give.

    Not the network: TensorFlow would record each of its layers as several functions of their own, which took nine
    tenths of the time of writing a SavedModel or a TFLite file, and which nothing calls.
    """
    return list(model.variables)


class PixelDetector(tf.Module):
    """From pixels to detections, under the tensor names of the OD API.

    ``detect`` takes ``image_tensor``, uint8 ``(b, h, w, 3)`` of any size, and returns `OUTPUTS` as float32: boxes
    ``(b, m, 4)`` normalised ``ymin xmin ymax xmax``, class ids from 1 and scores ``(b, m)``, best first, and the number
    of rows that count ``(b,)``. ``detect_prepared`` takes the network's input, float32 ``(b, h, w, 3)`` in ``[-1, 1]``.
    """

    def __init__(self, model: Any, config: SSDModel) -> None:
        super().__init__(name="detector")
        self.network_variables = variables_of(model)
        height, width = config.input_size
        anchors = tf.constant(model.anchors)

        @as_written
        def detect_prepared(batch: Any) -> dict[str, Any]:
            found = ssd_model.detect(model(batch, training=False), anchors, config.detections)
            return {name: tf.cast(found[name], tf.float32) for name in OUTPUTS}

        @as_written
        def detect(image_tensor: Any) -> dict[str, Any]:
            return detect_prepared(input_pipeline.network_batch(image_tensor, height, width))

        signature = [tf.TensorSpec([None, None, None, 3], tf.uint8, name=IMAGE_INPUT)]
        self.detect = tf.function(detect, input_signature=signature)
        prepared = [tf.TensorSpec([None, height, width, 3], tf.float32)]
        self.detect_prepared = tf.function(detect_prepared, input_signature=prepared)

    def servable(self) -> Servable:
        """Return ``detect``."""
        return Servable(self, self.detect, OUTPUTS, IMAGE_INPUT, tf.uint8, (None, None, None, 3))


class LiteDetector(tf.Module):
    """From the network's input to detections through TFLite's own operator, which only TFLite can run.

    ``detect`` takes ``normalized_input_image_tensor``, float32 ``(1, h, w, 3)`` in ``[-1, 1]``, and returns `OUTPUTS`.
    As in every TFLite detector, class 0 is the first one, and boxes may reach beyond the picture.
    """

    def __init__(self, model: Any, config: SSDModel) -> None:
        super().__init__(name="detector")
        self.network_variables = variables_of(model)
        height, width = config.input_size
        limit = config.detections.max_total
        anchors = tf.constant(_centers(model.anchors))

        # The converter puts TFLite's operator in its place; this body only tells the shapes.
        @tf.function(experimental_implements=_operator(config))
        def postprocess(box_encodings: Any, scores: Any, anchors: Any) -> tuple[Any, ...]:  # noqa: ARG001
            return tf.zeros([1, limit, 4]), tf.zeros([1, limit]), tf.zeros([1, limit]), tf.zeros([1])

        @as_written
        def detect(normalized_input_image_tensor: Any) -> dict[str, Any]:
            outputs = model(normalized_input_image_tensor, training=False)
            found = postprocess(outputs["box_encodings"], tf.sigmoid(outputs["class_logits"]), anchors)
            return dict(zip(OUTPUTS, found, strict=True))

        self._shape = (1, height, width, 3)
        signature = [tf.TensorSpec(self._shape, tf.float32, name=NORMALIZED_INPUT)]
        self.detect = tf.function(detect, input_signature=signature)

    def servable(self) -> Servable:
        """Return ``detect``."""
        return Servable(self, self.detect, OUTPUTS, NORMALIZED_INPUT, tf.float32, self._shape)


def _operator(config: SSDModel) -> str:
    """Describe TFLite_Detection_PostProcess in the words of TensorFlow's converter."""
    limits = config.detections
    settings: dict[str, int | float | bool] = {
        "max_detections": limits.max_total,
        "max_classes_per_detection": 1,
        "detections_per_class": limits.max_per_class,
        "use_regular_nms": True,  # by class, as everywhere else; the fast one suppresses across classes
        "nms_score_threshold": limits.score_threshold,
        "nms_iou_threshold": limits.iou_threshold,
        "num_classes": config.num_classes,
        **_BOX_SCALES,
    }
    letters = {bool: "b", int: "i", float: "f"}
    attributes = (
        f'attr {{ key: "{name}" value {{ {letters[type(value)]}: {str(value).lower()} }} }}'
        for name, value in settings.items()
    )
    return f'name: "TFLite_Detection_PostProcess" {" ".join(attributes)}'


def _centers(anchors: Any) -> Any:
    """Return anchors as TFLite wants them: centre y, centre x, height, width."""
    ymin, xmin, ymax, xmax = np.asarray(anchors).T
    return np.stack([(ymin + ymax) / 2, (xmin + xmax) / 2, ymax - ymin, xmax - xmin], axis=1).astype(np.float32)

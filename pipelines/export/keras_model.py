"""A Keras 2 file with the post-processing inside, for programs that have tf_keras and tagbox."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from pipelines.classification import images
from pipelines.detection import input_pipeline, ssd_model
from pipelines.detection.ssd_config import SSDDetections, SSDModel
from pipelines.export.metadata import LABELS_NAME, NAME, TAGGER, ModelMetadata
from pipelines.export.serving import CLASSIFIER_OUTPUTS, IMAGE_INPUT, OUTPUTS


@tf_keras.saving.register_keras_serializable(package="tagbox")
class NetworkInput(tf_keras.layers.Layer):
    """Pixels of any size to the network's input."""

    def __init__(self, height: int, width: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.height, self.width = height, width

    def call(self, images: Any) -> Any:
        """Resize and scale uint8 ``(b, h, w, 3)``."""
        return input_pipeline.network_batch(images, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "height": self.height, "width": self.width}


@tf_keras.saving.register_keras_serializable(package="tagbox")
class DetectionOutput(tf_keras.layers.Layer):
    """The network's outputs to detections; the anchors are its weights."""

    def __init__(self, num_anchors: int, detections: dict[str, Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.detections = SSDDetections(**detections)
        self.num_anchors = num_anchors
        self.anchors = self.add_weight("anchors", [num_anchors, 4], trainable=False)

    def call(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Decode and suppress."""
        found = ssd_model.detect(outputs, self.anchors, self.detections)
        return {name: tf.cast(found[name], tf.float32) for name in OUTPUTS}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        kept = {"num_anchors": self.num_anchors, "detections": self.detections.as_dict()}
        return {**super().get_config(), **kept}


def write_keras(model: Any, path: Path, metadata: ModelMetadata, config: SSDModel) -> None:
    """Write a ``.keras`` file; it is loaded with `read_keras`."""
    pixels = tf_keras.Input((None, None, 3), dtype=tf.uint8, name=IMAGE_INPUT)
    height, width = config.input_size
    output = DetectionOutput(len(model.anchors), config.detections.as_dict(), name="detections")
    outputs = output(model(NetworkInput(height, width, name="network_input")(pixels), training=False))
    output.set_weights([model.anchors])
    _save(tf_keras.Model(pixels, outputs, name="detector"), path, metadata)


def _save(whole: Any, path: Path, metadata: ModelMetadata) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / "model.keras"
        whole.save(fresh)
        with zipfile.ZipFile(fresh, "a") as archive:
            archive.writestr(NAME, metadata.to_json())
            archive.writestr(LABELS_NAME, metadata.labels())
        fresh.replace(path)


@tf_keras.saving.register_keras_serializable(package="tagbox")
class ClassifierInput(tf_keras.layers.Layer):
    """Pixels of any size to a classifier's input."""

    def __init__(self, input_shape_wanted: list[int], **settings: Any) -> None:
        super().__init__(**settings)
        self.input_shape_wanted = list(input_shape_wanted)

    def call(self, pictures: Any) -> Any:
        """Resize and scale uint8 ``(b, h, w, c)``."""
        height, width, channels = self.input_shape_wanted
        return images.network_input(pictures, (height, width, channels))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "input_shape_wanted": self.input_shape_wanted}


def write_keras_classifier(model: Any, path: Path, metadata: ModelMetadata) -> None:
    """Write the ``.keras`` file of a classifier of either kind; it is loaded with `read_keras`."""
    pictures = tf_keras.Input((None, None, metadata.channels), dtype=tf.uint8, name=IMAGE_INPUT)
    shape = [metadata.height, metadata.width, metadata.channels]
    logits = model(ClassifierInput(shape, name="network_input")(pictures), training=False)
    activation = "sigmoid" if metadata.kind == TAGGER else "softmax"
    scores = tf_keras.layers.Activation(activation, name=CLASSIFIER_OUTPUTS[0], dtype="float32")(logits)
    _save(tf_keras.Model(pictures, {CLASSIFIER_OUTPUTS[0]: scores}, name="classifier"), path, metadata)


def read_keras(path: Path) -> Any:
    """Load what `write_keras` wrote, ready to be called with uint8 pictures ``(b, h, w, 3)``."""
    return tf_keras.saving.load_model(path, compile=False)

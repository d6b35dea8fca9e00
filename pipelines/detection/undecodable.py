"""Pictures in records that TensorFlow cannot decode: found one by one, once an evaluation stumbled."""

from dataclasses import dataclass

import tensorflow as tf

from pipelines.detection.input_pipeline import decode_image
from pipelines.detection.ssd_config import SSDData
from pipelines.record_reader import RecordReader

_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string, ""),
    "image/filename": tf.io.FixedLenFeature((), tf.string, ""),
}


@dataclass(frozen=True, slots=True)
class UndecodablePicture:
    """A picture of a record: its place in all records, from 0, its file name there, and what TensorFlow says."""

    place: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name or 'a picture without a name'} (example {self.place}): {self.reason}"


def find_undecodable(data: SSDData) -> list[UndecodablePicture]:
    """Decode every picture that ``data`` evaluates, and return those that cannot be; examples that are whole."""
    found = []
    for place, serialized in RecordReader(data).once():
        features = tf.io.parse_single_example(serialized, _FEATURES)
        try:
            decode_image(features["image/encoded"])
        except tf.errors.OpError as error:
            reason = error.message.partition("\n")[0].partition(" [Op:")[0].split("}} ")[-1].strip()
            name = features["image/filename"].numpy().decode(errors="replace")
            found.append(UndecodablePicture(int(place), name, f"cannot be decoded ({reason})"))
    return found


def all_but(data: SSDData, left_out: list[UndecodablePicture]) -> tf.data.Dataset:
    """Return ``(place, serialised example)`` of what ``data`` evaluates, without some."""
    places = tf.constant([one.place for one in left_out], tf.int64)
    examples: tf.data.Dataset = RecordReader(data).once()
    return examples.filter(lambda place, _: tf.reduce_all(places != place))

"""Records against the libraries that train on them: Model Garden's own decoder and parser."""

import io

import numpy as np
import pytest
from PIL import Image

from records.build import build_records
from records.reading import read_examples
from tests.unit.records.pictures import HEIGHT, WIDTH, add_picture, make_data

pytestmark = pytest.mark.tf


def test_model_gardens_decoder_reads_pictures_boxes_classes_and_numbers(tmp_path):
    import tensorflow as tf
    from official.vision.dataloaders import utils
    from official.vision.dataloaders.tf_example_decoder import TfExampleDecoder

    data = make_data(tmp_path / "data")
    add_picture(data, "cat", "training", "two", boxes=[(10, 6, 30, 24), (-1, 0, 41, 30)], labels=["dog", "cat"])
    add_picture(data, "cat", "training", "none", boxes=[])
    add_picture(data, "cat", "training", "drawn", kind="PNG")
    add_picture(data, "cat", "training", "plain", kind="BMP")
    build_records(data, tmp_path / "records")
    decoder = TfExampleDecoder()
    dataset = tf.data.TFRecordDataset(sorted(str(path) for path in (tmp_path / "records").glob("*.record")))
    decoded = list(dataset.map(decoder.decode).as_numpy_iterator())
    ours = list(read_examples([tmp_path / "records" / "*.record"]))
    assert len(decoded) == len(ours) == 14
    for theirs, mine in zip(decoded, ours, strict=True):
        assert theirs["source_id"].decode() == mine.source_id
        assert int(utils.process_source_id(tf.constant(theirs["source_id"]))) == int(mine.source_id)
        assert (theirs["width"], theirs["height"]) == (WIDTH, HEIGHT)
        # Model Garden's order is ymin xmin ymax xmax.
        assert theirs["groundtruth_boxes"][:, [1, 0, 3, 2]].tolist() == mine.boxes_norm.tolist()
        assert theirs["groundtruth_classes"].tolist() == mine.labels.tolist()
        assert theirs["groundtruth_is_crowd"].tolist() == [False] * mine.num_boxes
        widths = mine.boxes_norm[:, 2] - mine.boxes_norm[:, 0]
        heights = mine.boxes_norm[:, 3] - mine.boxes_norm[:, 1]
        assert theirs["groundtruth_area"] == pytest.approx(widths * WIDTH * heights * HEIGHT, rel=1e-5)
        with Image.open(io.BytesIO(mine.encoded)) as picture:
            pixels = np.asarray(picture.convert("RGB"), np.int16)
        assert theirs["image"].shape == (HEIGHT, WIDTH, 3)
        # Two JPEG decoders round differently, by a few levels at most.
        assert np.abs(theirs["image"].astype(np.int16) - pixels).max() <= (8 if mine.format == "jpeg" else 0)
    two = next(item for item, mine in zip(decoded, ours, strict=True) if mine.filename == "two.jpg")
    assert two["groundtruth_boxes"] == pytest.approx(np.array([[0.2, 0.25, 0.8, 0.75], [0, 0, 1, 1]]), abs=1e-6)
    assert two["groundtruth_classes"].tolist() == [2, 1]


def test_the_keys_have_the_kinds_that_the_object_detection_api_parses(tmp_path):
    import tensorflow as tf

    build_records(make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records")
    # Names and kinds as `object_detection/data_decoders/tf_example_decoder.py` asks for them.
    texts = ["image/encoded", "image/format", "image/filename", "image/key/sha256", "image/source_id"]
    floats = [f"image/object/{name}" for name in ("bbox/xmin", "bbox/xmax", "bbox/ymin", "bbox/ymax", "area")]
    ints = [f"image/object/{name}" for name in ("class/label", "is_crowd", "difficult")]
    keys = {
        **{key: tf.io.FixedLenFeature((), tf.string) for key in texts},
        **{key: tf.io.FixedLenFeature((), tf.int64) for key in ("image/height", "image/width")},
        **{key: tf.io.VarLenFeature(tf.float32) for key in floats},
        **{key: tf.io.VarLenFeature(tf.int64) for key in ints},
        "image/object/class/text": tf.io.VarLenFeature(tf.string),
    }
    for serialized in tf.data.TFRecordDataset(str(tmp_path / "records" / "cat_training.record")):
        parsed = tf.io.parse_single_example(serialized, keys)
        assert parsed["image/format"].numpy() == b"jpeg"
        assert parsed["image/object/class/text"].values.numpy().tolist() == [b"cat"]
        assert parsed["image/object/class/label"].values.numpy().tolist() == [1]
        assert len(parsed["image/object/area"].values) == 1

"""Classification records in the hands of TensorFlow and Model Garden."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.drawing_frames import DrawingLabel, drawing_frames
from records.drawing_reading import DrawingRows
from records.picture_folder import FolderOptions, build_folder_records
from records.tfrecord import read_frames
from tests.unit.records.drawing_files import bitmaps, build, write_npy, write_picture

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawings")
    for label in ("ant", "bee"):
        write_npy(root / "npy", label, 30)
    for encoding in ("raw", "png", "jpeg"):
        build(root / "npy", root / encoding, 20, 10, encoding=encoding, num_shards=2)
    return root


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=150)


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=5), st.integers(1, 2**31 - 1), _TEXT, _TEXT, st.data())
def test_frames_made_in_bulk_are_what_tensorflow_writes(names, label, text, source, data):
    import tensorflow as tf

    side = data.draw(st.integers(1, 30))
    seed = data.draw(st.integers(0, 2**32 - 1))
    pixels = np.random.default_rng(seed).integers(0, 256, (len(names), side**2), np.uint8)
    rows = DrawingRows(tuple(names), pixels)
    frames = drawing_frames(DrawingLabel(label, text, source), rows, side=side, encoding="raw")
    payloads = [frame.payload for frame in read_frames(io.BytesIO(b"".join(frames)), path="x")]
    for payload, name, row in zip(payloads, names, pixels, strict=True):
        example = tf.train.Example.FromString(payload)
        assert example.SerializeToString(deterministic=True) == payload
        found = example.features.feature
        assert list(found["image/class/label"].int64_list.value) == [label]
        assert list(found["image/class/text"].bytes_list.value) == [text.encode()]
        assert list(found["image/raw"].bytes_list.value) == [row.tobytes()]
        assert list(found["tagbox/drawing"].bytes_list.value) == [name]
        assert list(found["tagbox/source"].bytes_list.value) == [source.encode()]


def test_raw_drawings_are_parsed_a_batch_at_a_time(drawings):
    import tensorflow as tf

    paths = sorted(str(path) for path in (drawings / "raw").glob("drawings_training.record*"))
    features = {
        "image/raw": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        "image/class/text": tf.io.FixedLenFeature([], tf.string),
        "tagbox/drawing": tf.io.FixedLenFeature([], tf.string),
    }
    (batch,) = tf.data.TFRecordDataset(paths).batch(64)
    parsed = tf.io.parse_example(batch, features)
    images = tf.reshape(tf.io.decode_raw(parsed["image/raw"], tf.uint8, fixed_length=784), [-1, 28, 28]).numpy()
    assert images.shape == (40, 28, 28)
    names = {1: b"ant", 2: b"bee"}
    for image, label, text, drawing in zip(images, *(parsed[key].numpy() for key in list(features)[1:]), strict=True):
        assert text == names[label]
        assert np.array_equal(image.reshape(-1), bitmaps(text.decode(), 30)[int(drawing)])


def test_model_gardens_decoder_takes_encoded_drawings(drawings):
    import tensorflow as tf
    from official.vision.dataloaders import classification_input

    decoder = classification_input.Decoder()
    for encoding in ("png", "jpeg"):
        paths = sorted(str(path) for path in (drawings / encoding).glob("drawings_training.record*"))
        examples = list(tf.data.TFRecordDataset(paths))
        assert len(examples) == 40
        for example in examples:
            decoded = decoder.decode(example)
            assert int(decoded["image/class/label"]) in (1, 2)
            assert tf.io.decode_image(decoded["image/encoded"]).shape == (28, 28, 1)


def test_model_gardens_parser_takes_pictures_with_one_label_and_with_several(tmp_path):
    import shutil

    import tensorflow as tf
    from official.vision.dataloaders import classification_input

    for label in ("ant", "bee"):
        for index in range(3):
            write_picture(tmp_path / "src" / label / f"{index}.png", f"{label}{index}", kind="PNG", mode="RGBA")
    shutil.copy(tmp_path / "src" / "ant" / "0.png", tmp_path / "src" / "bee" / "same.png")
    for multi_label in (False, True):
        out = tmp_path / f"out{multi_label}"
        build_folder_records(tmp_path / "src", out, FolderOptions(multi_label=multi_label, eval_share=0))
        decoder = classification_input.Decoder(is_multilabel=multi_label)
        # Ids are from 1, so that there are as many outputs as the highest id plus one.
        parser = classification_input.Parser(
            output_size=[32, 32], num_classes=3, is_multilabel=multi_label, aug_rand_hflip=False
        )
        parse = parser.parse_fn(is_training=False)
        labels = []
        for example in tf.data.TFRecordDataset(str(out / "pictures_training.record")):
            image, label = parse(decoder.decode(example))
            assert image.shape == (32, 32, 3)
            labels.append(label.numpy().tolist())
        if multi_label:
            assert sorted(labels) == sorted([[0, 1, 1], *[[0, 1, 0]] * 2, *[[0, 0, 1]] * 3])
        else:
            assert sorted(labels) == [1, 1, 2, 2, 2]

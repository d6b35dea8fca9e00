"""Other people's weights: parity with the Object Detection API, every variable accounted for, broken files refused."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from collectors.errors import InputError
from pipelines.checkpoints import load_weights
from pipelines.detection import input_pipeline, ssd_model
from pipelines.detection.ssd_config import SSDBackbone, SSDHead, SSDModel
from pipelines.weights.slim_names import backbone_variables as slim_backbone_variables
from pipelines.weights.slim_names import detector_variables as slim_detector_variables

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def model():
    """SSD MobileNet v1 with the three classes of the reference checkpoint."""
    return ssd_model.build_ssd_model(SSDModel(), num_classes=3)


@pytest.fixture(scope="module")
def small_model():
    config = SSDModel(input_size=[64, 64], backbone=SSDBackbone(depth_multiplier=0.25), head=SSDHead(num_layers=3))
    return ssd_model.build_ssd_model(config, num_classes=2)


def test_a_detector_of_the_object_detection_api_gives_the_same_answers(model, shared_data):
    folder = shared_data / "weights" / "ssd_mobilenet_v1_tf1"
    imported = load_weights(model, folder / "model.ckpt", kind="detector")
    assert len(imported.loaded) == 199
    assert (imported.missing, imported.mismatched) == ((), ())
    assert imported.unused == ("global_step",)
    reference = np.load(folder / "reference.npz")
    for number, name in enumerate(reference["images"]):
        encoded = (shared_data / "voc" / "raccoon" / "images" / str(name)).read_bytes()
        picture = input_pipeline.network_input(input_pipeline.decode_image(tf.constant(encoded)), 300, 300)
        outputs = model(picture[None], training=False)
        for key in ("box_encodings", "class_logits"):
            difference = np.abs(outputs[key].numpy() - reference[f"{number}__{key}"]).max()
            assert difference < 1e-4, (name, key)
        found = ssd_model.detect(outputs, tf.constant(model.anchors), SSDModel().detections)
        ours = {key: value.numpy()[0] for key, value in found.items()}
        theirs = {key: reference[f"{number}__{key}"][0] for key in ours if key != "num_detections"}
        assert ours["detection_scores"] == pytest.approx(theirs["detection_scores"], abs=1e-4)
        _assert_each_is_in(theirs, ours)
        _assert_each_is_in(ours, theirs)


def _assert_each_is_in(some, others):
    """Each detection has its like among the others; equal scores may swap places, also across the end of the list."""
    cut = some["detection_scores"].min() + 1e-4
    for box, label, score in zip(*(some[f"detection_{key}"] for key in ("boxes", "classes", "scores")), strict=True):
        same = (
            (others["detection_classes"] == label)
            & (np.abs(others["detection_scores"] - score) < 1e-4)
            & (np.abs(others["detection_boxes"] - box).max(axis=1) < 1e-4)
        )
        assert same.any() or score <= cut


def test_the_imagenet_weights_fill_the_backbone(model, shared_data):
    path = shared_data / "weights" / "mobilenet_v1_1.0_224_imagenet_slim.npz"
    imported = load_weights(model, path, kind="backbone")
    assert len(imported.loaded) == 135
    assert imported.unused == ("MobilenetV1/Logits/Conv2d_1c_1x1/biases", "MobilenetV1/Logits/Conv2d_1c_1x1/weights")
    assert (imported.missing, imported.mismatched) == ((), ())
    with np.load(path) as archive:
        for name, variable in slim_backbone_variables(model).items():
            assert np.array_equal(variable.numpy(), archive[name]), name


def test_the_backbone_of_a_detector_checkpoint_can_be_taken_alone(model, shared_data):
    heads = {name: variable.numpy() for name, variable in slim_detector_variables(model).items() if "Box" in name}
    imported = load_weights(model, shared_data / "weights" / "ssd_mobilenet_v1_tf1" / "model.ckpt", kind="backbone")
    assert len(imported.loaded) == 135
    assert imported.missing == ()
    for name, variable in slim_detector_variables(model).items():
        if name in heads:
            assert np.array_equal(variable.numpy(), heads[name]), name


def test_predictors_of_other_classes_are_named_and_left_alone(shared_data):
    config = SSDModel(head=SSDHead(num_layers=6))
    other = ssd_model.build_ssd_model(config, num_classes=1)
    before = other.get_layer("class_0_predictor").kernel.numpy()
    imported = load_weights(other, shared_data / "weights" / "ssd_mobilenet_v1_tf1" / "model.ckpt", kind="detector")
    assert len(imported.mismatched) == 12  # weights and biases of six class predictors
    assert imported.mismatched[0].startswith("BoxPredictor_0/ClassPredictor/weights: (1, 1, 512, 12) in the file, ")
    assert np.array_equal(other.get_layer("class_0_predictor").kernel.numpy(), before)


def test_every_variable_of_the_model_has_one_slim_name(model, small_model):
    for one in (model, small_model):
        named = slim_detector_variables(one)
        assert len({id(variable) for variable in named.values()}) == len(named) == len(one.variables)


def test_weights_saved_under_slim_names_come_back(small_model, tmp_path):
    wanted = {
        name: np.random.default_rng(number).random(variable.shape).astype(np.float32)
        for number, (name, variable) in enumerate(slim_detector_variables(small_model).items())
    }
    np.savez(tmp_path / "w.npz", **wanted)
    imported = load_weights(small_model, tmp_path / "w.npz", kind="detector")
    assert set(imported.loaded) == set(wanted)
    for name, variable in slim_detector_variables(small_model).items():
        assert np.array_equal(variable.numpy(), wanted[name])


def _refused(model, path, kind="backbone"):
    before = [variable.numpy() for variable in model.variables]
    with pytest.raises(InputError) as refusal:
        load_weights(model, path, kind=kind)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    for variable, old in zip(model.variables, before, strict=True):
        assert np.array_equal(variable.numpy(), old)
    return message


def test_files_that_are_no_weights(small_model, tmp_path):
    assert "no such file" in _refused(small_model, tmp_path / "gone.npz")
    assert "neither an .npz nor the prefix of a checkpoint" in _refused(small_model, tmp_path / "model.ckpt")
    for name, content in {"empty": b"", "text": b"not a zip at all", "cut": b"PK\x03\x04" + b"\0" * 40}.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        assert "not a readable .npz" in _refused(small_model, path), name
    np.savez(tmp_path / "foreign.npz", conv1=np.zeros(3), conv2=np.zeros(4))
    message = _refused(small_model, tmp_path / "foreign.npz")
    assert "has no variable of this MobileNet v1 backbone" in message
    assert "['conv1', 'conv2']" in message


def test_an_npz_that_is_cut_or_changed_in_the_middle(small_model, tmp_path):
    arrays = {name: variable.numpy() for name, variable in slim_backbone_variables(small_model).items()}
    np.savez_compressed(tmp_path / "whole.npz", **arrays)
    whole = (tmp_path / "whole.npz").read_bytes()
    for number, broken in enumerate(
        (whole[:-200], whole[: len(whole) // 2], _flipped(whole, len(whole) // 2), _flipped(whole, 60))
    ):
        path = tmp_path / f"broken{number}.npz"
        path.write_bytes(broken)
        assert "not a readable .npz" in _refused(small_model, path)


def test_pickled_arrays_are_not_opened(small_model, tmp_path):
    np.savez(tmp_path / "pickle.npz", **{"MobilenetV1/Conv2d_0/weights": np.array([{"a": 1}], object)})
    assert "not a readable .npz" in _refused(small_model, tmp_path / "pickle.npz")


def test_weights_of_other_shapes_are_refused(small_model, shared_data):
    # A backbone four times as wide: every name fits and no shape but those of a few scalars.
    message = _refused(small_model, shared_data / "weights" / "mobilenet_v1_1.0_224_imagenet_slim.npz")
    assert "other shapes" in message
    assert "depth_multiplier" in message


def test_a_damaged_checkpoint(small_model, tmp_path):
    tf.train.Checkpoint(step=tf.Variable(1)).write(str(tmp_path / "model.ckpt"))
    index = tmp_path / "model.ckpt.index"
    index.write_bytes(index.read_bytes()[:-20])
    assert "not a readable checkpoint" in _refused(small_model, tmp_path / "model.ckpt", "detector")


def test_a_checkpoint_whose_data_is_gone_or_cut(small_model, tmp_path):
    variables = {
        name: tf.Variable(variable.numpy() + 1) for name, variable in slim_detector_variables(small_model).items()
    }
    saver = tf.compat.v1.train.Saver(variables)
    saver.save(None, str(tmp_path / "model.ckpt"), write_meta_graph=False, write_state=False)
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[:1000])
    assert "not a readable checkpoint" in _refused(small_model, tmp_path / "model.ckpt", "detector")
    data.unlink()
    assert "not a readable checkpoint" in _refused(small_model, tmp_path / "model.ckpt", "detector")
    data.write_bytes(whole)
    assert len(load_weights(small_model, tmp_path / "model.ckpt", kind="detector").loaded) == len(variables)


def test_the_published_split_names_pictures_that_are_there(shared_data):
    """The raccoon set is what the parity test reads its pictures from."""
    folder = shared_data / "voc" / "raccoon"
    with (folder / "test_labels.csv").open(newline="") as stream:
        names = {row["filename"] for row in csv.DictReader(stream)}
    assert names
    assert all((folder / "images" / name).is_file() for name in names)


def _flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]

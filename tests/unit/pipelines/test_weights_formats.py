"""Weights of every format arrive, are accounted for, and what is no weights is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from collectors.errors import InputError
from pipelines.checkpoints import load_weights
from pipelines.detection import input_pipeline, ssd_model
from pipelines.detection.ssd_config import SSDModel
from pipelines.experiment import load_experiment
from pipelines.weights import checking
from pipelines.weights.certificate import run_graph
from pipelines.weights.checking import check_weights
from pipelines.weights.files import find_weights, open_weights
from pipelines.weights.slim_names import backbone_variables, detector_variables
from tests.unit.pipelines import weights_factory as factory

pytestmark = pytest.mark.tf

KINDS = ("v1", "v2", "lite", "fpnlite")


@pytest.fixture(scope="module")
def models():
    """One small detector a kind, shared: every test writes the weights it looks at."""
    return {kind: factory.tiny_model(kind) for kind in KINDS}


def _assert_has(model, values, names=None):
    for name, variable in detector_variables(model).items():
        if names is None or name in names:
            assert np.array_equal(variable.numpy(), values[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_tf1_checkpoints_and_frozen_graphs(models, kind, tmp_path):
    model = models[kind]
    values = factory.random_values(model, 1)
    assert len(values) == len(model.variables)
    imported = load_weights(model, factory.save_tf1(values, tmp_path / "model.ckpt"))
    assert len(imported.loaded) == len(values)
    assert imported.format == "tf1"
    assert imported.unused == (f"{next(iter(values))}/RMSProp", "global_step")
    _assert_has(model, values)
    values = factory.random_values(model, 2)
    imported = load_weights(model, factory.save_graph(values, tmp_path / "frozen_inference_graph.pb"))
    assert (len(imported.loaded), imported.unused, imported.format) == (len(values), (), "graph")
    _assert_has(model, values)
    assert find_weights(tmp_path) == tmp_path / "model.ckpt"  # a checkpoint goes before a graph
    assert find_weights(tmp_path / "model.ckpt.data-00000-of-00001") == tmp_path / "model.ckpt"


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_keras_applications(models, kind, tmp_path):
    model = models[kind]
    values = factory.random_values(model, 3)
    imported = load_weights(model, factory.save_keras(model, values, tmp_path / "mobilenet.h5"))
    backbone = {f"FeatureExtractor/{name}" for name in backbone_variables(model)}
    assert set(imported.loaded) == backbone
    assert (imported.missing, imported.unused, imported.format) == ((), (), "keras")
    _assert_has(model, values, backbone)


def test_weights_that_keras_itself_saved(tmp_path):
    network = tf_keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None)
    network.save_weights(tmp_path / "v2.h5")
    report = check_weights(tmp_path / "v2.h5", "ssd_mobilenet_v2", overrides=(
        "task.model.backbone.depth_multiplier=0.35", "task.model.input_size=[96, 96]", "task.model.head.min_depth=8",
    ))  # fmt: skip
    # Keras keeps the last convolution at 1280 channels, the OD API scales it.
    assert [entry.partition(":")[0].removeprefix("FeatureExtractor/") for entry in report.imported.mismatched] == [
        f"MobilenetV2/Conv_1/{part}"
        for part in ("weights", *(f"BatchNorm/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")))
    ]


def test_a_run_of_ours_with_the_same_classes_in_another_order(tmp_path):
    source, target = factory.tiny_model("v2", 2), factory.tiny_model("v2", 3)
    for number, variable in enumerate(source.variables):
        variable.assign(np.random.default_rng(number).uniform(0.5, 1.5, variable.shape))
    folder = tmp_path / "run" / "checkpoints" / "best"
    tf.train.Checkpoint(model=source, global_step=tf.Variable(5)).write(str(folder / "best_ckpt-5"))
    assert find_weights(tmp_path / "run") == folder / "best_ckpt-5"
    before = target.get_layer("class_1_predictor").kernel.numpy()
    imported = load_weights(
        target, tmp_path / "run",
        class_names={1: "fox", 2: "Tanuki", 3: "red panda"}, file_class_names={1: "red_panda", 2: "fox"},
    )  # fmt: skip
    assert len(imported.remapped) == 3 * 2
    assert imported.remapped[0] == "BoxPredictor_0/ClassPredictor/weights: fox, red panda"
    assert len(imported.loaded) + 6 == len(target.variables)
    theirs = source.get_layer("class_1_predictor").kernel.numpy().reshape(-1, 6, 3)
    ours = target.get_layer("class_1_predictor").kernel.numpy().reshape(-1, 6, 4)
    assert np.array_equal(ours[..., [0, 1, 3]], theirs[..., [0, 2, 1]])
    assert np.array_equal(ours[..., 2], before.reshape(-1, 6, 4)[..., 2])  # nobody knows tanukis: fresh


def test_parts_of_a_detector_can_be_taken(models, tmp_path):
    model = models["lite"]
    load_weights(model, _npz(tmp_path / "zero.npz", {n: v * 0 for n, v in factory.random_values(model).items()}))
    path = _npz(tmp_path / "one.npz", factory.random_values(model, 4))
    backbone = len(load_weights(model, path, kind="backbone").loaded)
    extractor = load_weights(model, path, kind="feature_extractor")
    assert backbone < len(extractor.loaded) < len(model.variables)
    assert not detector_variables(model)["BoxPredictor_0/BoxEncodingPredictor/weights"].numpy().any()
    assert all(name.startswith("BoxPredictor") for name in extractor.unused)


def _npz(path, values):
    np.savez(path, **values)
    return path


# --- parity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["v1", "lite", "fpnlite"])
def test_a_certificate_holds_and_a_swapped_array_breaks_it(kind, tmp_path, monkeypatch):
    model = factory.tiny_model(kind)
    values = factory.random_values(model, 5)
    path = factory.save_tf1(values, tmp_path / "model.ckpt")
    names = {"v1": "ssd_mobilenet_v1", "lite": "ssdlite_mobilenet_v2", "fpnlite": "ssd_mobilenet_v2_fpnlite_320"}
    config = factory.tiny_config(kind).as_dict()
    overrides = tuple(f"task.model.{key}={config[key]}" for key in ("input_size", "backbone", "head", "anchors", "fpn"))
    report = check_weights(path, names[kind], overrides=overrides)
    assert (report.num_classes, report.certificate.is_exact) == (2, True)
    assert set(report.certificate.differences) == {"box_encodings", "class_logits"}
    assert len(report.imported.loaded) == len(values)

    if kind != "v1":
        return

    # An importer that mixes up two arrays of one shape loads without complaint; the certificate sees it.
    def mixed_up(wrong_model, wrong_path):
        imported = load_weights(wrong_model, wrong_path)
        norm = wrong_model.get_layer("backbone").get_layer("Conv2d_3")._norm0
        norm.beta.assign(norm.moving_mean)
        return imported

    monkeypatch.setattr(checking, "load_weights", mixed_up)
    assert not check_weights(path, names[kind], overrides=overrides).certificate.is_exact


def _od_api_config(kind):
    name = {"ssdlite_v2": "ssdlite_mobilenet_v2", "v2_fpnlite": "ssd_mobilenet_v2_fpnlite_320"}[kind]
    config = load_experiment(Path(name)).params.task.model
    config.input_size = [64, 64]
    config.backbone.depth_multiplier, config.head.min_depth, config.fpn.predictor_depth = 0.05, 8, 8
    return config


@pytest.mark.parametrize("kind", ["ssdlite_v2", "v2_fpnlite"])
def test_checkpoints_of_the_object_detection_api_under_tensorflow_2(kind, repository):
    folder = repository / "tests" / "data" / "weights" / f"od_api_tf2_{kind}"
    model = ssd_model.build_ssd_model(_od_api_config(kind), num_classes=2)
    imported = load_weights(model, folder)
    assert (len(imported.loaded), imported.format) == (len(model.variables), "tf2")
    assert (imported.missing, imported.mismatched, imported.unused) == ((), (), ("step",))
    reference = np.load(folder / "reference.npz")
    outputs = model(reference["pictures"].astype(np.float32) * (2 / 255) - 1, training=False)
    for name in ("box_encodings", "class_logits"):
        assert np.abs(outputs[name].numpy() - reference[name]).max() < 1e-4, name
    assert np.abs(model.anchors - reference["anchors"]).max() < 1e-6


@pytest.fixture(scope="module")
def pedestrian(shared_data):
    return shared_data / "weights" / "ssdlite_mobilenet_v2_pedestrian_frozen.pb"


def test_ssdlite_gives_the_answers_of_the_frozen_graph(pedestrian, shared_data):
    config = SSDModel()
    config.backbone.model_id = "MobileNetV2"
    config.head.override({"kernel_size": 3, "separable_layers": True, "separable_predictors": True})
    model = ssd_model.build_ssd_model(config, num_classes=1)
    assert ssd_model.folded_parameter_count(model) == 3_019_750
    imported = load_weights(model, pedestrian)
    assert (len(imported.loaded), imported.missing, imported.mismatched, imported.unused) == (404, (), (), ())
    raw = {"box_encodings": "concat:0", "class_logits": "concat_1:0"}
    final = {name: f"{name}:0" for name in ("detection_boxes", "detection_scores", "detection_classes")}
    for picture in sorted((shared_data / "voc" / "raccoon" / "images").iterdir())[:40:4]:
        image = input_pipeline.decode_image(tf.constant(picture.read_bytes())).numpy()
        expected = run_graph(pedestrian, image, raw | final)
        outputs = model(input_pipeline.network_input(tf.constant(image), 300, 300)[None], training=False)
        for name in raw:
            ours, theirs = outputs[name].numpy(), expected[name].reshape(outputs[name].shape)
            assert np.abs(ours - theirs).max() < 1e-4, (picture.name, name)
        found = ssd_model.detect(outputs, tf.constant(model.anchors), config.detections)
        assert found["detection_scores"].numpy() == pytest.approx(expected["detection_scores"], abs=1e-4)
        sure = expected["detection_scores"][0] > 1e-3
        ours = found["detection_boxes"].numpy()[0][sure]
        assert ours == pytest.approx(expected["detection_boxes"][0][sure], abs=1e-4)


# --- bad files -------------------------------------------------------------------------------------------------------


def _refused(path, model, **options):
    with pytest.raises(InputError) as refusal:
        load_weights(model, path, **options)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pb", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "is a Git LFS pointer"),
        ("w.h5", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "is a Git LFS pointer"),
        ("w.pb", b"\n<!DOCTYPE html><html>sign in</html>", "is a web page, not weights"),
        ("w.pb", b"", "is not a frozen graph"),
        ("w.pb", b"\x0a\xffnot a graph", "is damaged, or not a frozen graph"),
        ("w.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "not a readable .h5"),
        ("w.weights", b"hello", "is damaged, or not a frozen graph"),
    ],
)
def test_what_is_no_weights(models, tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert words in _refused(path, models["v1"])


def test_a_graph_cut_short(models, tmp_path):
    path = factory.save_graph(factory.random_values(models["v1"]), tmp_path / "w.pb")
    path.write_bytes(path.read_bytes()[:-1000])
    assert "is damaged, or not a frozen graph" in _refused(path, models["v1"])


def test_an_h5_cut_short(models, tmp_path):
    path = factory.save_keras(models["v1"], factory.random_values(models["v1"]), tmp_path / "w.h5")
    path.write_bytes(path.read_bytes()[:-5000])
    assert "not a readable .h5" in _refused(path, models["v1"])


def test_weights_of_another_architecture(models, tmp_path):
    path = factory.save_tf1(factory.random_values(models["v2"]), tmp_path / "model.ckpt")
    message = _refused(path, models["v1"])
    assert "has no variable of this MobileNet v1 detector" in message
    assert "It holds MobileNet v2; choose a config with that backbone" in message
    folded = {n: v for n, v in factory.random_values(models["v1"]).items() if "weights" in n and "v1" not in n}
    path = factory.save_graph({f"{n}_fold": v for n, v in folded.items()}, tmp_path / "folded.pb")
    assert "Its batch norm is folded into the weights" in _refused(path, models["v1"])
    with pytest.raises(InputError, match="these are not weights of a MobileNet v1, v2 or v3"):
        check_weights(_npz(tmp_path / "x.npz", {"dense/kernel": np.zeros(3)}))


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="this folder holds no weights"):
        open_weights(tmp_path)

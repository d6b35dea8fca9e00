"""MobileNet v1 under a new output layer: variants, weights, bottlenecks, distortions, and the frozen graph."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from pipelines.classification import images
from pipelines.classification.bottleneck_batches import bottleneck_batches, outputs_of, training_order
from pipelines.classification.bottlenecks import Bottlenecks, open_cache, read_bottlenecks
from pipelines.classification.distortions import distort
from pipelines.classification.model_config import ClassifierAugmentation, ClassifierData, Network
from pipelines.classification.networks.mobilenet import ARCHITECTURES, Mobilenet
from pipelines.classification.record_form import record_form
from pipelines.classification.retrained_graph import retrained_graph, retrained_label, write_retrained_labels
from pipelines.experiment import load_experiment
from pipelines.weights.fetching import fetch_weights
from pipelines.weights.published import weights_for
from records.classification_features import encoded_features
from records.example import encode_example
from records.reading import read_features
from records.tfrecord import write_frames
from tests.support.fake_bucket.server import FakeBucket
from tests.support.keras_mobilenet import keras_file_name, write_keras_mobilenet
from tests.unit.records.drawing_files import write_picture

pytestmark = pytest.mark.tf

SMALLEST = "mobilenet_0.25_128"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_keras_mobilenet(tmp_path_factory.mktemp("weights") / keras_file_name(SMALLEST), SMALLEST)


@pytest.fixture(scope="module")
def model(weights):
    network = Mobilenet(architecture=SMALLEST, init_stddev=0.1)
    built = network.build((*network.own_input_size, 3), 3)
    network.load_published(built, weights)
    return built


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Twelve JPEGs of three sizes, one of them twice."""
    root = tmp_path_factory.mktemp("pictures")
    pictures = [
        write_picture(root / f"{number}.jpg", f"picture {number % 11}", size=(40 + number % 3, 30)).read_bytes()
        for number in range(11)
    ]
    pictures.append(pictures[0])
    return _record(root / "pictures_training.record", pictures)


def _record(path, pictures):
    with path.open("wb") as stream:
        write_frames(
            stream,
            (
                encode_example(
                    encoded_features(
                        labels=[1 + number % 3], texts=[("cat", "dog", "emu")[number % 3]], encoded=content,
                        format_name="jpeg", width=40, height=30,
                    )
                )
                for number, content in enumerate(pictures)
            ),
        )  # fmt: skip
    return path


def _read(record, model, root, told=None):
    cache = open_cache(root, model, SMALLEST, record_form([record]), notice=(told or []).append)
    reading = read_bottlenecks([record], cache, model)
    steps = []
    while True:
        try:
            steps.append(next(reading))
        except StopIteration as end:
            return end.value, steps


# --- variants -------------------------------------------------------------------------------------------------------


def test_there_are_the_sixteen_classic_variants():
    assert len(set(ARCHITECTURES)) == 16
    for name in ARCHITECTURES:
        network = Mobilenet(architecture=name)
        assert network.impossible() is None
        width, side = name.split("_")[1:]
        assert network.own_input_size == [int(side)] * 2
        assert weights_for("imagenet", _model_config(name)).file_name == keras_file_name(name)
        assert network.published_as == ("MobileNetV1", float(width), int(side))


def _model_config(name):
    experiment = load_experiment(Path("image_retrainer"), [f"task.model.network.mobilenet.architecture={name}"])
    assert experiment.params.task.model.input_size == Mobilenet(architecture=name).own_input_size
    return experiment.params.task.model


@pytest.mark.parametrize(("width", "count"), [("1.0", 3_228_864), ("0.75", 1_832_976), ("0.50", 829_536)])
def test_the_base_has_the_published_number_of_parameters(width, count):
    network = Mobilenet(architecture=f"mobilenet_{width}_128")
    assert network._base(128, 128).count_params() == count


def test_the_smallest_one_and_what_is_trained_of_it(model):
    assert model.get_layer("backbone").count_params() == 218_544
    assert model.count_params() == 218_544 + 256 * 3 + 3
    assert [weight.shape.as_list() for weight in model.trainable_variables] == [[256, 3], [3]]
    whole = Mobilenet(architecture=SMALLEST, freeze=False, freeze_blocks=13).build((128, 128, 3), 3)
    assert {weight.name.split("/")[0] for weight in whole.trainable_variables} == {"Conv2d_13", "logits"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mobilenet_1.0_224_quantized", "quantized ones are made of a trained network"),
        ("mobilenet_0.25_128_quant", "tagbox export"),
        ("inception_v3", "must be a MobileNet"),
        ("mobilenet_v1_0.5_192", "such as mobilenet_0.50_192"),
        ("resnet", "such as mobilenet_1.0_224"),
    ],
)
def test_other_names_are_refused_with_the_reason(name, words):
    with pytest.raises(ConfigError, match=words):
        load_experiment(Path("image_retrainer"), [f"task.model.network.mobilenet.architecture={name}"])


def test_a_size_that_is_set_stays():
    words = ["task.model.input_size=[96,96]", f"task.model.network.mobilenet.architecture={SMALLEST}"]
    assert load_experiment(Path("image_retrainer"), words).params.task.model.input_size == [96, 96]
    assert Network(type="mobilenet").chosen().own_input_size == [224, 224]
    with pytest.raises(ValueError, match="32 pixels or more"):
        Mobilenet().build((16, 40, 3), 2)


# --- weights --------------------------------------------------------------------------------------------------------


def test_published_weights_come_over_the_network_into_the_right_layers(model, weights, tmp_path):
    with FakeBucket({weights.name: weights.read_bytes()}) as server:
        found = fetch_weights(weights_for("imagenet", _model_config(SMALLEST)), tmp_path, mirror=server.url)
    other = Mobilenet(architecture=SMALLEST).build((128, 128, 3), 3)
    accounting = Mobilenet(architecture=SMALLEST).load_published(other, found)
    assert (len(accounting.loaded), accounting.missing, accounting.unused) == (135, (), ())
    pixels = np.random.default_rng(1).random((2, 128, 128, 3), np.float32)
    both = [tf_bottlenecks(one, pixels) for one in (model, other)]
    assert np.array_equal(*both)


def tf_bottlenecks(model, pictures):
    return model.get_layer("bottleneck")(
        model.get_layer("backbone")(pictures * 2 - 1, training=False)["Conv2d_13_pointwise"]
    ).numpy()


def test_weights_of_another_variant_are_refused(weights):
    wider = Mobilenet(architecture="mobilenet_0.50_128")
    with pytest.raises(InputError, match="depth_multiplier"):
        wider.load_published(wider.build((128, 128, 3), 3), weights)


# --- bottlenecks ----------------------------------------------------------------------------------------------------


def test_bottlenecks_are_those_of_the_network_and_are_computed_once(model, record, tmp_path):
    found, steps = _read(record, model, tmp_path)
    assert (found.num_computed, len(found.labels)) == (11, 12)
    assert steps[-1].num_computed == 11
    assert found.texts[:4] == ("cat", "dog", "emu", "cat")
    assert found.labels.tolist() == [1, 2, 3] * 4
    assert np.array_equal(found.vectors[0], found.vectors[11])
    for row, features in enumerate(read_features(record)):
        content = features["image/encoded"].values[0]
        picture = images.network_input(images.decode_encoded(content, 3)[None], (128, 128, 3))
        assert np.allclose(tf_bottlenecks(model, picture)[0], found.vectors[row], atol=1e-5)
    again, steps = _read(record, model, tmp_path)
    assert (again.num_computed, steps) == (0, [])
    assert np.array_equal(again.vectors, found.vectors)


def test_a_reading_that_is_left_keeps_what_it_has(model, record, tmp_path):
    cache = open_cache(tmp_path, model, SMALLEST, record_form([record]), notice=print)
    reading = read_bottlenecks([record], cache, model)
    next(reading)
    reading.close()
    assert _read(record, model, tmp_path)[0].num_computed == 0


def test_other_weights_have_another_cache(model, record, tmp_path):
    _read(record, model, tmp_path)
    variable = model.get_layer("backbone").weights[0]
    kept = variable.numpy()
    variable.assign(kept + 1e-6)
    try:
        assert len(open_cache(tmp_path, model, SMALLEST, record_form([record]), notice=print)) == 0
    finally:
        variable.assign(kept)
    assert len(open_cache(tmp_path, model, SMALLEST, record_form([record]), notice=print)) == 11


def test_a_picture_that_does_not_decode_is_named_and_the_rest_is_kept(model, record, tmp_path):
    pictures = [features["image/encoded"].values[0] for features in read_features(record)]
    broken = _record(tmp_path / "broken.record", [*pictures, b"\xff\xd8\xff\xe0 no picture"])
    with pytest.raises(InputError, match=r"broken\.record: picture 12 \(without a name\) cannot be decoded"):
        _read(broken, model, tmp_path)
    cut = tmp_path / "cut.record"
    cut.write_bytes(record.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"cut\.record"):
        _read(cut, model, tmp_path / "new")


# --- batches of them ------------------------------------------------------------------------------------------------


def _examples(count, labels=3):
    numbers = np.arange(count)
    names = tuple("abc"[number % labels] if number % 2 else "" for number in numbers)
    return Bottlenecks(numbers[:, None].astype(np.float32), 1 + numbers % labels, names, 0)


def _taken(dataset, count):
    return np.concatenate([vectors.numpy()[:, 0] for vectors, _ in dataset.take(count)]).astype(int).tolist()


@given(st.integers(1, 20), st.integers(1, 7), st.integers(0, 40))
def test_every_epoch_has_every_example_once_and_goes_on_anywhere(count, size, first):
    rows = np.concatenate(list(itertools.islice(training_order(count, 3, 0, size), 60 // size + 8)))
    for epoch in range(len(rows) // count):
        assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))
    rest = np.concatenate(list(itertools.islice(training_order(count, 3, first, size), 2)))
    assert rest.tolist() == rows[first : first + 2 * size].tolist()


def test_training_has_batches_of_them_without_end():
    config = ClassifierData(global_batch_size=4, seed=3)
    names = {1: "a", 2: "b", 3: "c"}
    wanted = list(itertools.islice(training_order(10, 3, 6, 4), 5))
    dataset = bottleneck_batches(lambda: _examples(10), config, names, 1, first_example=6)
    assert _taken(dataset, 5) == np.concatenate(wanted).tolist()


def test_evaluation_has_all_of_them_in_order_or_each_nth():
    config = ClassifierData(is_training=False, global_batch_size=4, drop_remainder=False)
    names = {1: "a", 2: "b", 3: "c"}
    assert _taken(bottleneck_batches(lambda: _examples(10), config, names, 1), 9) == list(range(10))
    config.sample_1_of_n, config.max_examples = 3, 3
    batches = list(bottleneck_batches(lambda: _examples(10), config, names, 1))
    assert batches[0][1]["places"].numpy().tolist() == [0, 3, 6]
    # The label map of the run counts, by name first: here `b` is no class, and id 2 has no output.
    assert outputs_of(_examples(6), {3: "a", 1: "c"}).tolist() == [1, -1, 0, 0, -1, 1]


# --- distortions ----------------------------------------------------------------------------------------------------


def test_distortions_show_parts_of_the_picture_and_change_its_light():
    slope = np.broadcast_to(np.linspace(0.2, 0.6, 32, dtype=np.float32)[None, None, :, None], (64, 32, 32, 3))
    seed = tf.constant([1, 2])
    assert distort(slope, seed, ClassifierAugmentation()) is slope
    cut = distort(slope, seed, ClassifierAugmentation(crop=0.5, zoom=0.5)).numpy()
    assert cut.shape == slope.shape
    spans = cut[:, 0, -1, 0] - cut[:, 0, 0, 0]
    # Of 0.4 the cut shows from 1 / 1.5 down to 1 / (1.5 * 1.5).
    assert 0.4 / 2.25 - 1e-3 <= spans.min() < 0.21 < 0.24 < spans.max() <= 0.4 / 1.5 + 1e-3
    assert cut.min() >= 0.2 - 1e-5
    assert cut.max() <= 0.6 + 1e-5
    lit = distort(slope, seed, ClassifierAugmentation(brightness=0.3)).numpy()
    shares = lit[:, 0, 0, 0] / 0.2
    assert 0.7 <= shares.min() < 0.8 < 1.2 < shares.max() <= 1.3
    assert distort(np.ones_like(slope), seed, ClassifierAugmentation(brightness=0.3)).numpy().max() == 1
    assert np.array_equal(lit, distort(slope, seed, ClassifierAugmentation(brightness=0.3)).numpy())


# --- the frozen graph -----------------------------------------------------------------------------------------------


def test_the_graph_gives_what_the_network_gives(model, tmp_path):
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(retrained_graph(model, final_tensor_name="my_result").SerializeToString())
    assert not {node.op for node in graph_def.node} & {"VarHandleOp", "ReadVariableOp", "StatefulPartitionedCall"}
    pixels = np.random.default_rng(2).random((2, 128, 128, 3), np.float32)
    wanted = tf.nn.softmax(model(pixels, training=False)).numpy()
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(graph_def, name="")
        found = session.run("my_result:0", {"input:0": pixels * 2 - 1})
    assert np.allclose(found, wanted, atol=1e-5)
    for name in ("input", "network", "two words", "ä", ""):
        with pytest.raises(ConfigError, match="no tensor can be called"):
            retrained_graph(model, final_tensor_name=name)
    write_retrained_labels({1: "Ice_cream", 4: "T-shirt"}, tmp_path / "labels.txt")
    assert (tmp_path / "labels.txt").read_text(encoding="utf-8") == "ice cream\nt shirt\n"
    assert [retrained_label(name) for name in ("Éclair", "a  (b)", "猫")] == ["éclair", "a b ", "猫"]


def test_the_key_of_a_picture_is_its_content(model, record, tmp_path):
    _read(record, model, tmp_path)
    cache = open_cache(tmp_path, model, SMALLEST, record_form([record]), notice=print)
    for features in read_features(record):
        assert hashlib.sha256(features["image/encoded"].values[0]).digest() in cache

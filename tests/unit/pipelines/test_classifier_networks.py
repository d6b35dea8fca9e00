"""The networks: layers, sizes, parameters that nothing can be built with."""

import dataclasses

import numpy as np
import pytest
import tf_keras
import yaml
from official.core import config_definitions as tfm

from pipelines.classification.model_config import ClassifierData, ClassifierModel, Network
from pipelines.classification.networks.cnn import CNN
from pipelines.classification.networks.mnist_convnet import MnistConvnet

pytestmark = pytest.mark.tf


@pytest.mark.parametrize("name", Network.types())
def test_every_network_maps_pictures_to_finite_logits(name):
    network = Network(type=name).chosen()
    shape = (96, 96, 3) if name.startswith(("mobilenet", "inception")) else (28, 28, 1)
    model = network.build(shape, 5)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 5)
    logits = model(np.random.default_rng(1).random((2, *shape), np.float32), training=False).numpy()
    assert np.isfinite(logits).all()
    assert len(set(logits[0].tolist())) > 1
    assert model.layers[-1].get_config().get("activation", "linear") == "linear"
    assert network.impossible() is None


def test_the_cnn_has_the_layers_it_is_named_for():
    model = CNN().build((28, 28, 1), 4)
    assert [layer.output_shape[1:] for layer in model.layers[1:]] == [
        (24, 24, 30), (12, 12, 30), (11, 11, 15), (5, 5, 15), (5, 5, 15), (375,), (128,), (50,), (4,),
    ]  # fmt: skip
    assert [layer.kernel_size for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)] == [
        (5, 5),
        (2, 2),
    ]
    # 5*5*30 + 30, 2*2*30*15 + 15, 375*128 + 128, 128*50 + 50, 50*4 + 4
    assert model.count_params() == 780 + 1815 + 48128 + 6450 + 204


def test_the_mnist_convnet_has_the_layers_of_the_tutorial():
    model = MnistConvnet().build((28, 28, 1), 345)
    assert model.get_layer("pool_2").output_shape == (None, 7, 7, 64)
    assert model.count_params() == (25 * 32 + 32) + (25 * 32 * 64 + 64) + (3136 * 1024 + 1024) + (1024 * 345 + 345)
    assert model.get_layer("dropout").rate == 0.4


def test_an_input_too_small_for_the_pools_is_refused():
    with pytest.raises(ValueError, match=r"convolution 2 .*left of 6x6 pixels"):
        CNN().build((6, 6, 1), 4)
    with pytest.raises(ValueError, match="2 pools leave nothing of 3x3"):
        MnistConvnet().build((3, 3, 1), 4)


@pytest.mark.parametrize(
    ("network", "key"),
    [
        (CNN(filters=[0, 3]), "filters"),
        (CNN(filters=[3]), "kernel_sizes"),
        (CNN(pool_size=0), "pool_size"),
        (CNN(dropout=1.0), "dropout"),
        (CNN(dense=[-1]), "dense"),
        (MnistConvnet(filters=[]), "filters"),
        (MnistConvnet(kernel_size=0), "kernel_size"),
        (MnistConvnet(dropout=-0.1), "dropout"),
    ],
)
def test_what_cannot_be_built_is_named_by_its_key(network, key):
    found, words = network.impossible()
    assert found == key
    assert words.startswith("must")


def test_the_key_of_a_network_is_its_type():
    keys = [field.name for field in dataclasses.fields(Network) if field.name != "type"]
    assert Network.types() == tuple(keys)
    assert ClassifierModel(input_size=[10, 20], channels=3).input_shape == (10, 20, 3)


def test_the_page_on_configs_has_every_key_and_its_default():
    from official.core import exp_factory

    from pipelines.experiment import leaves_of
    from tests.support.docs_pages import page, table_rows

    task = dict(leaves_of(exp_factory.get_exp_config("cnn_classifier").task.as_dict(), "task"))
    rows = list(table_rows(page("docs/reference/classifier-config.md").text))
    written = {cells[0].strip("`"): yaml.safe_load(cells[1].strip("`")) for cells in rows}
    assert {key: task[key] for key in written} == written
    own = ("task.model.", "task.losses.", "task.train_data.augmentation.")
    assert sorted(key for key in task if key.startswith(own) and key not in written) == []
    fields = {field.name for field in dataclasses.fields(ClassifierData)}
    fields -= {field.name for field in dataclasses.fields(tfm.DataConfig)}
    assert {f"task.train_data.{name}" for name in fields - {"augmentation"}} <= set(written)

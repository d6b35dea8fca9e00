"""Stroke dropout on whole batches, held against NumPy: what stays is laid over each other, one always stays."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from labeling.label_map import LabelMap
from pipelines.classification.input_pipeline import build_dataset
from pipelines.classification.model_config import ClassifierAugmentation, ClassifierData, ClassifierTask
from pipelines.classification.record_form import record_form
from pipelines.classification.stroke_dropout import drop_strokes
from pipelines.classification.tagging import TaggerTask, TaggingTask
from pipelines.classification.task import ClassificationTask
from records.reading import read_features
from records.stroke_layers import lay_over, pack_layers, unpack_layers
from tests.unit.records.drawing_files import build, strokes, write_ndjson

pytestmark = pytest.mark.tf

NAMES = {1: "ant", 2: "bee"}


@tf.function(
    input_signature=[
        tf.TensorSpec([None, 5, 4, 1], tf.uint8),
        tf.TensorSpec([None], tf.string),
        tf.TensorSpec([2], tf.int64),
        tf.TensorSpec([], tf.float32),
    ]
)
def _traced(images, packed, seed, chance):
    return drop_strokes(images, packed, seed, chance)


def _dropped(images, packed, seed, chance):
    return _traced(images, tf.constant(packed), tf.constant(seed, tf.int64), tf.constant(chance, tf.float32)).numpy()


def _random_batch(counts, seed):
    """Layers that cover little, so that any set of them makes another picture; their pictures; and both packed."""
    chance = np.random.default_rng(seed)
    stacks = [chance.integers(1, 60, (count, 5, 4), np.uint8) for count in counts]
    images = np.stack([lay_over(stack) for stack in stacks])[..., None]
    return stacks, images, [pack_layers(stack) if len(stack) else b"" for stack in stacks]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.floats(0, 1, width=32), st.integers(0, 2**31 - 1))
def test_each_drawing_is_some_of_its_strokes_and_at_least_one(counts, chance, seed):
    stacks, images, packed = _random_batch(counts, seed)
    found = _dropped(images, packed, [seed, 1], chance)
    np.testing.assert_array_equal(found, _dropped(images, packed, [seed, 1], chance))
    for stack, image, got in zip(stacks, images, found, strict=True):
        subsets = [stack[[bool(bits >> at & 1) for at in range(len(stack))]] for bits in range(1, 2 ** len(stack))]
        # The very picture where nothing is missing; else within the rounding of other arithmetic.
        near = [np.abs(lay_over(subset).astype(int) - got[..., 0]).max() <= 1 for subset in subsets]
        assert np.array_equal(got, image) or any(near)
        if chance == 0 or len(stack) < 2:
            np.testing.assert_array_equal(got, image)
        elif chance == 1:
            assert any(near[(1 << at) - 1] for at in range(len(stack)))


def test_each_stroke_goes_with_its_chance_and_the_last_one_left_is_any():
    layers = np.zeros((3, 5, 4), np.uint8)
    for place in range(3):
        layers[place, place] = 255
    count = 3000
    images = np.repeat(lay_over(layers)[None, ..., None], count, axis=0)
    for chance in (0.3, 1.0):
        found = _dropped(images, [pack_layers(layers)] * count, [5, 6], chance)
        stays = found[:, :3, 0, 0] > 0
        # Five standard deviations of a share of 3,000 are 0.046.
        expected = 1 - chance + chance**3 / 3
        np.testing.assert_allclose(stays.mean(axis=0), [expected] * 3, atol=0.046)
        assert stays.any(axis=1).all()


# --- records --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("strokes")
    for label in NAMES.values():
        write_ndjson(root / "src", label, strokes(label, 30))
    build(root / "src", root / "with", 20, 10, with_layers=True)
    build(root / "src", root / "without", 20, 10)
    build(root / "src", root / "png", 20, 10, encoding="png")
    return root


def _batches(paths, count, *, first=0, truth_of_tags=None, shape=(28, 28, 1), **options):
    options = {"is_training": True, "global_batch_size": 8, "seed": 3} | options
    config = ClassifierData(input_path=[str(path) for path in paths], **options)
    dataset = build_dataset(config, shape, NAMES, first_example=first, truth_of_tags=truth_of_tags)
    return [images.numpy() for images, _ in dataset.take(count)]


def _training(folder):
    return folder / "drawings_training.record"


def test_batches_lack_strokes_the_same_again_and_from_the_middle(root):
    augmentation = ClassifierAugmentation(stroke_dropout=0.5)
    paths = [_training(root / "with")]
    whole = _batches(paths, 8, augmentation=augmentation)
    later = _batches(paths, 3, first=5 * 8, augmentation=augmentation)
    np.testing.assert_array_equal(np.stack(whole[5:]), np.stack(later))
    every = _batches(paths, 8)
    lighter = [(few <= all_of).all() and (few < all_of).any() for few, all_of in zip(whole, every, strict=True)]
    assert all(lighter)
    # Two strokes each, of which one always stays: a quarter of the drawings is whole, all the others have one.
    stacks = {
        features["image/raw"].values[0]: unpack_layers(features["image/stroke_layers"].values[0], 28, 28)
        for features in read_features(paths[0])
    }
    num_whole = 0
    for few, all_of in zip(np.concatenate(whole), np.concatenate(every), strict=True):
        raw = np.round(all_of[..., 0] * 255).astype(np.uint8)
        shown = np.round(few[..., 0] * 255).astype(np.uint8)
        is_one = [np.array_equal(shown, layer) for layer in stacks[raw.tobytes()]]
        assert any(is_one) or np.array_equal(shown, raw)
        num_whole += not any(is_one)
    assert 4 <= num_whole <= 30  # of 64, 16 expected


def test_other_variations_are_those_of_a_run_without_it(root):
    options = {"shift": 0.2, "rotation": 30.0}
    batches = [
        np.stack(
            _batches([_training(root / "with")], 2, augmentation=ClassifierAugmentation(stroke_dropout=one, **options))
        )
        for one in (0.0, 1e-9)
    ]
    np.testing.assert_array_equal(*batches)


def test_pictures_of_several_labels_lack_strokes_too(root):
    options = {"augmentation": ClassifierAugmentation(stroke_dropout=0.5)}
    paths = [_training(root / "with")]
    tags = _batches(paths, 2, truth_of_tags=lambda ids, names: tf.reduce_sum(ids), **options)
    np.testing.assert_array_equal(np.stack(tags), np.stack(_batches(paths, 2, **options)))


def test_records_without_strokes_are_refused_before_the_first_step_and_read_beside_others(root):
    dropout = ClassifierAugmentation(stroke_dropout=0.2)
    both = [_training(root / "with"), _training(root / "without")]
    assert not record_form(both).has_strokes
    assert len(_batches(both, 2)) == 2
    for paths, words in (
        (both, "without their strokes one by one"),
        ([_training(root / "png")], "picture files, which have no strokes"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            _batches(paths, 1, augmentation=dropout)
        assert "--strokes" in caught.value.fix
    label_map = LabelMap.from_names(NAMES.values())
    for task, config in ((ClassificationTask, ClassifierTask()), (TaggingTask, TaggerTask())):
        config.train_data.augmentation.stroke_dropout = 0.2
        config.label_map = str(root / "without" / "label_map.pbtxt")
        surveys = [task.survey(list(folder.glob("*training.record"))) for folder in (root / "with", root / "without")]
        task.check_records(config, label_map, surveys[0], surveys[1], trains=True)
        task.check_records(config, label_map, surveys[1], surveys[1], trains=False)
        with pytest.raises(InputError, match="without their strokes"):
            task.check_records(config, label_map, surveys[1], surveys[0], trains=True)


def test_an_evaluation_sees_all_strokes(root):
    path = root / "with" / "drawings_verification.record"
    options = {"is_training": False, "augmentation": ClassifierAugmentation(stroke_dropout=0.9)}
    images = np.concatenate(_batches([path], 9, drop_remainder=False, **options))
    pixels = [np.frombuffer(features["image/raw"].values[0], np.uint8) for features in read_features(path)]
    np.testing.assert_array_equal(np.round(images.reshape(20, -1) * 255), np.stack(pixels))


def test_impossible_chances_are_refused():
    for chance in (-0.1, 1.5):
        assert ClassifierAugmentation(stroke_dropout=chance).impossible() == (
            "stroke_dropout",
            "must be between 0 and 1",
        )

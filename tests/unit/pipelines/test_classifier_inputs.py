"""Classification records to batches: what stands in them, classes by name, one order for all, variations."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from collectors.errors import InputError
from pipelines.classification import images as pixels
from pipelines.classification.augmentation import augment
from pipelines.classification.input_pipeline import OutputOfLabel, build_dataset
from pipelines.classification.model_config import ClassifierAugmentation, ClassifierData
from pipelines.example_order import RecordOrder
from tests.support.od_api_records import encode_picture, od_example, write_records
from tests.unit.records.drawing_files import build, write_npy

pytestmark = pytest.mark.tf

NAMES = {1: "ant", 2: "bee"}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawings")
    for label in NAMES.values():
        write_npy(root / "npy", label, 30)
    for encoding in ("raw", "png"):
        build(root / "npy", root / encoding, 20, 10, encoding=encoding, num_shards=2)
    return root


def _paths(folder, split):
    return sorted(str(path) for path in folder.glob(f"drawings_{split}.record*"))


def _batches(folder, split="verification", count=None, *, names=NAMES, shape=(28, 28, 1), first=0, **options):
    options = {"is_training": split == "training", "drop_remainder": False, "global_batch_size": 8} | options
    config = ClassifierData(input_path=_paths(folder, split), **options)
    dataset = build_dataset(config, shape, names, first_example=first)
    return [
        (images.numpy(), {key: value.numpy() for key, value in labels.items()})
        for images, labels in (dataset if count is None else dataset.take(count))
    ]


def test_a_drawing_comes_out_as_it_went_in(drawings):
    batches = _batches(drawings / "raw")
    images = np.concatenate([images for images, _ in batches])
    classes = np.concatenate([labels["classes"] for _, labels in batches])
    assert images.dtype == np.float32
    assert images.shape == (20, 28, 28, 1)
    assert np.concatenate([labels["places"] for _, labels in batches]).tolist() == list(range(20))
    assert np.bincount(classes).tolist() == [10, 10]
    sources = {place: np.load(drawings / "npy" / f"{name}.npy") for place, name in enumerate(NAMES.values())}
    for image, place in zip(images, classes, strict=True):
        rows = (sources[place] == np.round(image.reshape(-1) * 255)).all(axis=1)
        assert rows.sum() == 1  # it is there, under its own class


def test_picture_files_give_the_same_pixels_as_bytes_do(drawings):
    raw, encoded = _batches(drawings / "raw"), _batches(drawings / "png")
    for (ours, labels), (theirs, other_labels) in zip(raw, encoded, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(labels["classes"], other_labels["classes"])


def test_grey_drawings_fill_three_channels_and_another_size(drawings):
    (images, _), *_ = _batches(drawings / "raw", shape=(14, 20, 3))
    assert images.shape == (8, 14, 20, 3)
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(images[..., 0], images[..., 2])


def test_colours_become_grey_when_the_network_has_one_channel():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, :, 1] = 255
    from PIL import Image

    for form in ("PNG", "JPEG", "BMP", "GIF"):
        encoded = encode_picture(Image.fromarray(picture), form)
        for channels in (1, 3):
            decoded = pixels.decode_encoded(tf.constant(encoded), channels)
            assert decoded.shape == (4, 4, channels)
        grey = pixels.decode_encoded(tf.constant(encoded), 1).numpy()
        assert grey.mean() == pytest.approx(0.587 * 255, abs=3)


# --- classes by name ------------------------------------------------------------------------------------------------


def test_classes_are_found_by_name_whatever_their_ids(drawings):
    ours = np.concatenate([labels["classes"] for _, labels in _batches(drawings / "raw")])
    swapped = np.concatenate(
        [labels["classes"] for _, labels in _batches(drawings / "raw", names={1: "bee", 7: "ant"})]
    )
    np.testing.assert_array_equal(swapped, 1 - ours)


def test_a_class_that_the_network_does_not_have_is_no_class_of_it(drawings):
    found = np.concatenate([labels["classes"] for _, labels in _batches(drawings / "raw", names={2: "bee"})])
    assert sorted(set(found.tolist())) == [-1, 0]


def test_ids_count_only_where_there_is_no_name():
    output_of = OutputOfLabel({3: "ant", 5: "bee"})
    found = output_of(tf.constant([3, 5, 3, 4], tf.int64), tf.constant(["", "", "bee", ""]))
    assert found.numpy().tolist() == [0, 1, 1, -1]


# --- the order ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle_buffer_size", [5, 100])
def test_training_goes_on_in_the_middle_with_the_batches_it_would_have_had(drawings, shuffle_buffer_size):
    options = {"shuffle_buffer_size": shuffle_buffer_size, "seed": 3,
               "augmentation": ClassifierAugmentation(shift=0.1, rotation=10, scale=0.2)}  # fmt: skip
    whole = _batches(drawings / "raw", "training", 12, **options)
    later = _batches(drawings / "raw", "training", 5, first=7 * 8, **options)
    for (images, labels), (same_images, same_labels) in zip(whole[7:], later, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(labels["classes"], same_labels["classes"])
    other = _batches(drawings / "raw", "training", 1, **{**options, "seed": 4})
    assert (other[0][0] != whole[0][0]).any()


def test_every_epoch_has_every_drawing_once(drawings):
    batches = _batches(drawings / "raw", "training", 10, seed=1)
    images = np.concatenate([images for images, _ in batches]).reshape(2, 40, -1)
    first, second = ({image.tobytes() for image in epoch} for epoch in images)
    assert len(first) == 40
    assert first == second
    assert (images[0] != images[1]).any()  # in another order


def test_the_order_does_not_depend_on_how_files_are_read(drawings):
    paths = _paths(drawings / "raw", "training")
    orders = [
        [
            (int(place), example.numpy())
            for place, example in RecordOrder(paths, seed=3, shuffle_buffer_size=5, parallel_reads=parallel)
            .endless()
            .take(100)
        ]
        for parallel in (True, False)
    ]
    assert len(paths) == 2
    assert orders[0] == orders[1]


def test_a_cached_set_gives_every_drawing(drawings):
    batches = _batches(drawings / "raw", "training", 5, seed=1, cache=True)
    assert [batch["places"].tolist() for _, batch in batches] == np.arange(40).reshape(5, 8).tolist()


def test_part_of_a_split_can_be_evaluated(drawings):
    labels = [labels for _, labels in _batches(drawings / "raw", sample_1_of_n=3, max_examples=4)]
    assert np.concatenate([one["places"] for one in labels]).tolist() == [0, 3, 6, 9]


def test_records_of_a_detector_and_of_two_sizes_are_refused(drawings, tmp_path):
    from PIL import Image

    boxes = write_records(tmp_path / "a.record", [od_example(Image.new("RGB", (40, 30)), [], [])])
    with pytest.raises(InputError, match="a detector's record"):
        build_dataset(ClassifierData(input_path=[str(boxes)]), (28, 28, 1), NAMES)
    mixed = _paths(drawings / "raw", "training")[:1] + _paths(drawings / "png", "training")[:1]
    with pytest.raises(InputError, match=r"holds drawings of 28x28 bytes, .* picture files"):
        build_dataset(ClassifierData(input_path=mixed), (28, 28, 1), NAMES)


# --- variations -----------------------------------------------------------------------------------------------------


def _scene():
    scene = np.zeros((3, 28, 28, 1), np.float32)
    scene[:, 6:12, 8:20] = 1.0
    return tf.constant(scene)


def _varied(**options):
    return augment(_scene(), tf.constant([1, 2], tf.int64), ClassifierAugmentation(**options)).numpy()


def _centres(images):
    rows, columns = np.mgrid[:28, :28]
    weight = images[..., 0].sum(axis=(1, 2))
    return np.stack([(images[..., 0] * grid).sum(axis=(1, 2)) / weight for grid in (rows, columns)], axis=1)


def test_nothing_asked_for_nothing_changed():
    np.testing.assert_array_equal(_varied(), _scene())


def test_a_shift_moves_each_picture_by_up_to_its_share():
    moved = _centres(_varied(shift=0.1)) - [8.5, 13.5]
    assert np.abs(moved).max() <= 2.8 + 1e-4
    assert len({tuple(one) for one in moved.round(3).tolist()}) == 3  # each on its own
    assert np.abs(moved).max() > 0.3
    np.testing.assert_allclose(_varied(shift=0.1).sum(axis=(1, 2, 3)), 72, rtol=1e-4)  # nothing lost


def test_a_rotation_is_about_the_centre_and_a_scale_keeps_the_middle():
    turned = _centres(_varied(rotation=20)) - 13.5
    np.testing.assert_allclose(np.hypot(*turned.T), 5.0, atol=0.05)  # the centre of the bar stays as far away
    assert np.ptp(np.arctan2(*turned.T)) > 0.02
    areas = _varied(scale=0.3).sum(axis=(1, 2, 3)) / 72
    assert ((areas > 1 / 1.3**2 - 0.03) & (areas < 1.3**2 + 0.03)).all()
    assert np.ptp(areas) > 0.05


def test_a_mirror_image_and_a_cutout():
    np.testing.assert_allclose(_varied(flip=1.0), _scene().numpy()[:, :, ::-1], atol=1e-5)
    ink = tf.ones([64, 28, 28, 1])
    cut = augment(ink, tf.constant([1, 2]), ClassifierAugmentation(cutout=0.5, cutout_size=0.25)).numpy()
    blank = (cut == 0).sum(axis=(1, 2, 3))
    assert 16 <= (blank > 0).sum() <= 48
    assert blank.max() <= 49
    for image in itertools.islice(cut[blank == 49, :, :, 0], 3):
        rows, columns = np.nonzero(image == 0)
        assert np.ptp(rows) == np.ptp(columns) == 6  # one square

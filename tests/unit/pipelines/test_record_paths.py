"""Which record files are meant."""

import pytest

from pipelines.record_paths import expand, to_evaluate


@pytest.fixture
def records(tmp_path):
    """A folder of both kinds, and one of neither."""
    for name in ("r/a_training.record", "r/a_verification.record", "r/b_verification.record", "other/images.tfrecord"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1")
    return tmp_path


def names(words):
    return [path.name for path in expand(to_evaluate(words))]


def test_a_folder_means_what_was_not_trained_on(records):
    assert names(str(records / "r")) == ["a_verification.record", "b_verification.record"]


def test_what_is_named_is_taken(records):
    training = str(records / "r" / "a_training.record")
    assert names([training]) == ["a_training.record"]
    assert names([f"{training},{records / 'r' / 'b_verification.record'}"]) == [
        "a_training.record",
        "b_verification.record",
    ]
    assert names([str(records / "r" / "*.record")]) == [
        "a_training.record",
        "a_verification.record",
        "b_verification.record",
    ]


def test_a_folder_without_verification_records_is_taken_whole(records):
    assert names([str(records / "other")]) == ["images.tfrecord"]

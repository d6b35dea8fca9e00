"""Config, label map and records against each other: everything that cannot work is refused before the first step."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from collectors.errors import ConfigError, InputError
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from pipelines.record_paths import expand
from records.errors import DamagedRecordError
from scripts.exit_codes import INPUT, USAGE, code_of
from tests.support.od_api_records import od_example, write_records
from tests.support.tiny_training import make_records, write_tiny_config

pytestmark = pytest.mark.tf

BOX = (0.1, 0.1, 0.5, 0.5)


@pytest.fixture
def experiment(tmp_path):
    return load_experiment(write_tiny_config(tmp_path / "config"))


def _records(folder, *, ids=(1,), text=b"thing", verification=True, label_map="item { id: 1 name: 'thing' }"):
    """Records whose pictures each have one box, with these class ids."""
    from records.example import BytesList

    picture = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    examples = [od_example(picture, [BOX], [one], image__object__class__text=BytesList((text,))) for one in ids]
    write_records(folder / "thing_training.record", examples)
    if verification:
        write_records(folder / "thing_verification.record", examples)
    if label_map is not None:
        (folder / "label_map.pbtxt").write_text(label_map)
    return folder


def _refused(kind, experiment, records, code):
    with pytest.raises(kind) as refusal:
        prepare(experiment, records)
    assert code_of(refusal.value) == code
    message = str(refusal.value)
    assert "\n" not in message
    return message


def test_what_the_config_leaves_open_is_filled_in(experiment, tmp_path):
    records = make_records(tmp_path, training=3, verification=2)
    found = prepare(experiment, records)
    task = experiment.params.task
    assert task.train_data.input_path == [str(records / f"{name}_training.record") for name in ("disc", "square")]
    assert task.label_map == str(records / "label_map.pbtxt")
    assert task.model.num_classes == 2
    assert experiment.params.trainer.optimizer_config.learning_rate.cosine.decay_steps == 20
    assert experiment.origins["task.model.num_classes"] == str(records / "label_map.pbtxt")
    assert experiment.origins["task.train_data.input_path"] == f"--records {records}"
    assert (found.training.num_examples, found.verification.num_examples) == (6, 4)
    assert found.training.boxes == {1: 3, 2: 3}
    assert found.label_map.names == ("disc", "square")


def test_missing_records_name_the_command_that_builds_them(experiment, tmp_path):
    records = make_records(tmp_path)
    for path in records.glob("*_training.record"):
        path.unlink()
    message = _refused(InputError, experiment, records, INPUT)
    assert "no training record is there" in message
    assert f"tagbox records build DATA --out {records}" in message


def test_a_folder_that_is_not_there(experiment, tmp_path):
    message = _refused(InputError, experiment, tmp_path / "nowhere", INPUT)
    assert "no label map" in message
    assert "tagbox records build" in message


def test_a_record_that_the_config_names_and_that_is_not_there(experiment, tmp_path):
    records = make_records(tmp_path)
    experiment.set("task.train_data.input_path", str(records / "gone.record"), "--set")
    assert "gone.record" in _refused(InputError, experiment, records, INPUT)
    assert "gone.record" in _refused(InputError, experiment, tmp_path / "nowhere", INPUT)  # not: no label map


def test_a_key_of_a_kind_that_is_not_chosen_is_refused():
    lone = "trainer.optimizer_config.learning_rate.exponential.initial_learning_rate=0.1"
    with pytest.raises(ConfigError, match=r"learning_rate\.type` is cosine, so .* decides nothing"):
        load_experiment(Path("cnn"), [lone])
    chosen = "trainer.optimizer_config.learning_rate.type=exponential"
    assert load_experiment(Path("cnn"), [lone, chosen]).params.trainer.optimizer_config.learning_rate.type in chosen


def test_a_class_in_the_records_and_not_in_the_label_map(experiment, tmp_path):
    records = _records(tmp_path / "records", ids=[1, 7], text=b"lynx")
    (records / "label_map.pbtxt").write_text("item { id: 1 name: 'lynx' }")
    message = _refused(ConfigError, experiment, records, USAGE)
    assert "class id 7 (lynx)" in message
    assert str(records / "label_map.pbtxt") in message
    assert "thing_training.record" in message


def test_an_id_that_has_another_name_in_the_label_map(experiment, tmp_path):
    records = _records(tmp_path / "records", text=b"dog", label_map="item { id: 1 name: 'cat' }")
    message = _refused(ConfigError, experiment, records, USAGE)
    assert "class id 1 is `dog` in the records and `cat` in the label map" in message


def test_an_id_of_zero(experiment, tmp_path):
    message = _refused(ConfigError, experiment, _records(tmp_path / "records", ids=[0]), USAGE)
    assert "class id 0 (thing)" in message
    assert "Ids count from 1" in message


def test_a_label_map_with_an_id_of_zero(experiment, tmp_path):
    records = _records(tmp_path / "records", label_map="item { id: 0 name: 'thing' }")
    with pytest.raises((ConfigError, InputError), match=r"label_map\.pbtxt"):
        prepare(experiment, records)


def test_a_label_map_beyond_num_classes(experiment, tmp_path):
    records = _records(tmp_path / "records", label_map="item { id: 1 name: 'thing' }\nitem { id: 5 name: 'other' }")
    experiment.set("task.model.num_classes", 3, "mine.yaml:7")
    message = _refused(ConfigError, experiment, records, USAGE)
    assert message.startswith("mine.yaml:7: num_classes is 3, but the label map has ids up to 5")
    assert "Set task.model.num_classes to 0" in message


def test_num_classes_may_be_larger_than_the_label_map(experiment, tmp_path):
    experiment.set("task.model.num_classes", 90, "--set")
    prepare(experiment, _records(tmp_path / "records"))
    assert experiment.params.task.model.num_classes == 90


def test_an_empty_label_map(experiment, tmp_path):
    message = _refused(ConfigError, experiment, _records(tmp_path / "records", label_map=""), USAGE)
    assert "label map" in message


def test_without_verification_pictures_training_goes_on_and_says_so(experiment, tmp_path):
    found = prepare(experiment, _records(tmp_path / "records", verification=False))
    assert found.verification.num_examples == 0
    assert "there is no verification record: the run will not be evaluated" in found.remarks


def test_a_class_without_a_box_in_one_split_is_remarked(experiment, tmp_path):
    records = _records(tmp_path / "records", label_map="item { id: 1 name: 'thing' }\nitem { id: 2 name: 'other' }")
    remarks = prepare(experiment, records).remarks
    assert "class `other` has no box in the training records: it cannot be learned" in remarks
    assert "class `other` has no box in the verification records: its AP is undefined" in remarks


def test_fewer_pictures_than_a_batch_are_remarked(experiment, tmp_path):
    remarks = prepare(experiment, _records(tmp_path / "records")).remarks
    assert "only 1 training pictures for batches of 4: each batch repeats some" in remarks


@pytest.mark.parametrize("change", ["cut", "flip", "empty"])
def test_a_damaged_record_is_named_with_its_place(experiment, tmp_path, change):
    records = make_records(tmp_path)
    path = records / "disc_training.record"
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-9], "flip": whole[:100] + b"\0\0\0\0" + whole[104:], "empty": b""}[change])
    message = _refused(InputError, experiment, records, INPUT)
    assert str(path) in message
    if change != "empty":
        with pytest.raises(DamagedRecordError, match=r"disc_training\.record.*byte"):
            prepare(experiment, records)


def test_a_file_that_is_no_record(experiment, tmp_path):
    records = _records(tmp_path / "records")
    (records / "thing_training.record").write_bytes(b"not a record, but long enough to be read as one\n" * 9)
    assert "thing_training.record" in _refused(InputError, experiment, records, INPUT)


def test_records_without_a_picture(experiment, tmp_path):
    records = _records(tmp_path / "records")
    write_records(records / "thing_training.record", [])
    assert "thing_training.record" in _refused(InputError, experiment, records, INPUT)


def test_a_temporary_file_of_a_build_is_no_record(experiment, tmp_path):
    records = _records(tmp_path / "records")
    (records / "thing_training.record.tmp").write_bytes(b"half")
    prepare(experiment, records)


def test_weights_are_looked_for_before_the_first_step(experiment, tmp_path):
    experiment.set("task.init_checkpoint", str(tmp_path / "gone.npz"), "--init")
    message = _refused(InputError, experiment, _records(tmp_path / "records"), INPUT)
    assert "gone.npz: no such weights" in message


def test_the_forms_of_input_path(tmp_path):
    names = ("a_training.record", "b, c_training.record", "d[1]_training.record")
    paths = [write_records(tmp_path / name, [b""]) for name in names]
    assert expand([str(path) for path in paths]) == paths
    assert expand(str(paths[0])) == paths[:1]
    assert expand(f"{paths[0]}, {paths[2]}") == [paths[0], paths[2]]
    assert set(expand(str(tmp_path / "*_training.record"))) == set(paths)
    assert expand(str(paths[1])) == [paths[1]]  # a comma in the name of a file that is there
    assert expand([]) == expand("") == []
    with pytest.raises(InputError, match="gone"):
        expand([str(paths[0]), str(tmp_path / "gone.record")])

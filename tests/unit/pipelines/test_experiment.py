"""The config loader: what it refuses and in which words, what it reads as what, and the way back."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from pipelines.config_files import packaged_configs, purpose_of
from pipelines.experiment import dump_experiment, load_experiment, registered_experiments

pytestmark = pytest.mark.tf

HEAD = "experiment: ssd_mobilenet_v1\n"


@pytest.fixture
def load(tmp_path):
    """Load a config from its text (or bytes), with overrides."""

    def load_text(text="", *overrides):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_experiment(path, overrides)

    return load_text


def _refusal(call, *arguments):
    """What the person reads; always one line."""
    with pytest.raises(ConfigError) as refusal:
        call(*arguments)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "task:\n  model:\n    num_clases: 3\n",
            "mine.yaml:4: there is no key `task.model.num_clases`. Did you mean `task.model.num_classes`?",
        ),
        (
            "trainer:\n  train_step: 3\n",
            "mine.yaml:3: there is no key `trainer.train_step`. Did you mean `trainer.train_steps`?",
        ),
        ("tsk:\n  model: {}\n", "mine.yaml:3: there is no key `tsk`. Did you mean `task`?"),
        (
            "task: {model: {zzz: 1}}\n",
            "mine.yaml:2: there is no key `task.model.zzz`. Known in `task.model`: anchors, backbone,",
        ),
        ("default_params: {a: 1}\n", "there is no key `default_params`. Known: runtime, task, trainer."),
        ("1: 2\n", "mine.yaml:2: there is no key `1`"),
        (
            "trainer: {optimizer_config: {optimizer: {sgdd: {momentum: 1.0}}}}\n",
            "Did you mean `trainer.optimizer_config.optimizer.sgd`?",
        ),
        (
            "trainer: {optimizer_config: {ema: {average_decey: 0.9}}}\n",
            "Did you mean `trainer.optimizer_config.ema.average_decay`?",
        ),
        ("task: {label_map: {a: 1}}\n", "`task.label_map` is a value, not a group of keys"),
    ],
    ids=lambda value: value[:40],
)
def test_an_unknown_key_is_refused_with_the_nearest_one_and_its_line(load, text, words):
    message = _refusal(load, HEAD + text)
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trainer: {train_steps: many}", "`trainer.train_steps` is 'many'. It must be: whole number."),
        ("trainer: {train_steps: 1.5}", "`trainer.train_steps` is 1.5. It must be: whole number."),
        ("trainer: {train_steps: true}", "`trainer.train_steps` is True. It must be: whole number."),
        ("trainer: {train_steps: null}", "`trainer.train_steps` is None. It must be: whole number."),
        ("trainer: {train_steps:}", "`trainer.train_steps` is None. It must be: whole number."),
        (
            "task: {model: {backbone: {freeze: yes}}}",
            "`task.model.backbone.freeze` is 'yes'. It must be: true or false.",
        ),
        ("task: {model: {backbone: {freeze: 1}}}", "`task.model.backbone.freeze` is 1. It must be: true or false."),
        ("task: {losses: {l2_weight_decay: 4e-5x}}", "`task.losses.l2_weight_decay` is '4e-5x'. It must be: number."),
        ("task: {label_map: [a]}", "`task.label_map` is ['a']. It must be: text."),
        ("task: {label_map: 7}", "`task.label_map` is 7. It must be: text."),
        ("task: {model: {input_size: 300}}", "`task.model.input_size` is 300. It must be: list of whole numbers."),
        (
            "task: {model: {input_size: [a, b]}}",
            "`task.model.input_size` is ['a', 'b']. It must be: list of whole numbers.",
        ),
        ("task: {model: {anchors: {aspect_ratios: [1, x]}}}", "is [1, 'x']. It must be: list of numbers."),
        ("task: {train_data: {input_path: [a, 1]}}", "is ['a', 1]. It must be: list of texts or text."),
        ("task: {train_data: {seed: now}}", "is 'now'. It must be: whole number or null."),
        ("task: {validation_data: {cycle_length: x}}", "is 'x'. It must be: whole number or null."),
        ("task: 3", "`task` is a group of keys, not a value. Set a key in it."),
        ("task:", "`task` is a group of keys, not a value"),
        ("task: {model: []}", "`task.model` is a group of keys, not a value"),
    ],
    ids=lambda value: value[:40],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_line(load, text, words):
    message = _refusal(load, HEAD + text + "\n")
    assert message.startswith("mine.yaml:2: ")
    assert words in message


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("trainer.train_steps", "0", "must be 1 or more"),
        ("trainer.steps_per_loop", "-5", "must be 1 or more"),
        ("task.train_data.global_batch_size", "0", "must be 1 or more"),
        ("task.model.input_size", "[300]", "must be a height and a width"),
        ("task.model.input_size", "[8, 300]", "at least 32 pixels"),
        ("task.model.head.num_layers", "0", "must be 1 or more"),
        ("task.model.anchors.aspect_ratios", "[]", "ratios of width to height above 0"),
        ("task.model.anchors.aspect_ratios", "[1.0, -2.0]", "ratios of width to height above 0"),
        ("task.model.backbone.model_id", "ResNet", "must be one of MobileNetV1"),
        ("task.model.backbone.depth_multiplier", "0", "must be above 0"),
        ("task.losses.classification", "focla", "must be one of sigmoid, focal"),
        ("task.losses.unmatched_threshold", "0.7", "must not be above task.losses.matched_threshold"),
        ("task.init_checkpoint_type", "head", "must be one of auto, backbone, feature_extractor, detector"),
        ("task.train_data.augmentation.flip", "1.5", "must be between 0 and 1"),
        ("task.train_data.augmentation.zoom_out_max", "0.5", "must be 1 or more"),
        ("runtime.distribution_strategy", "mirored", "must be one of off, one_device, mirrored"),
        ("trainer.optimizer_config.optimizer.type", "sdg", "must be one of adafactor"),
        ("trainer.optimizer_config.learning_rate.type", "null", "must be one of constant, cosine"),
    ],
)
def test_a_value_that_cannot_be_trained_with_is_refused(load, key, value, words):
    message = _refusal(load, HEAD, f"{key}={value}")
    assert message.startswith(f"--set: `{key}` is ")
    assert words in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not a mapping of keys"),
        ("\n# only a comment\n", "is not a mapping of keys"),
        ("[1, 2]", "is not a mapping of keys"),
        ("3", "is not a mapping of keys"),
        ("task: {}\n", "has no key `experiment`. Known: "),
        ("experiment:\n", "has no key `experiment`"),
        (
            "experiment: ssd_mobilenet_v9\n",
            "`experiment: ssd_mobilenet_v9` is not a known experiment. Known: ",
        ),
        ("experiment: [1]\n", "is not a known experiment"),
        (HEAD + HEAD, "mine.yaml:2: the key `experiment` stands twice (first in line 1)"),
        (
            HEAD + "task:\n  label_map: a\n  label_map: b\n",
            "mine.yaml:4: the key `label_map` stands twice (first in line 3)",
        ),
        (HEAD + "task: [\n", "is not YAML"),
        (HEAD + "\ttask: 1\n", "mine.yaml:2: is not YAML"),
        (HEAD + "task: *nobody\n", "mine.yaml:2: is not YAML: found undefined alias"),
        (HEAD + "task: &a\n  model: *a\n", "is not YAML: found unconstructable recursive node"),
        (HEAD + "? [a, b]\n: 1\n", "mine.yaml:2: is not YAML: a key must be a word"),
        (
            HEAD + "task: !!python/object/apply:os.getcwd []\n",
            "mine.yaml:2: is not YAML: could not determine a constructor",
        ),
        (HEAD + "task: 2026-13-45\n", "is not YAML: month must be in 1..12"),
        (HEAD + "---\n" + HEAD, "is not YAML: but found another document"),
        (HEAD + "a: " + "[" * 5000, "is not YAML"),
        (b"\x00\x01\x02", "is not YAML: special characters are not allowed"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_config_is_refused(load, content, words):
    assert words in _refusal(load, content)


def test_a_binary_file_a_missing_one_and_a_folder(load, tmp_path):
    with pytest.raises(InputError, match=r"mine\.yaml: cannot read the config .*Give a YAML text file"):
        load(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match=r"nothing\.yaml: no such config\. .*cnn, .*ssd_mobilenet_v1,"):
        load_experiment(tmp_path / "nothing.yaml")
    with pytest.raises(InputError, match="no such config"):
        load_experiment(tmp_path)


def test_a_packaged_config_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in packaged_configs():
        assert load_experiment(Path(path.stem)).name in registered_experiments()
        assert load_experiment(Path(path.name)).params == load_experiment(path).params
        assert load_experiment(Path("pipelines", "configs", path.name)).params == load_experiment(path).params
    # A path that leads nowhere is a mistake, also where its last word is known.
    with pytest.raises(InputError, match="no such config"):
        load_experiment(tmp_path / "demo.yaml")


def test_every_packaged_config_has_a_head_note():
    for path in packaged_configs():
        assert len(purpose_of(path)) > 20
    assert {"demo", "ssd_mobilenet_v1"} <= {path.stem for path in packaged_configs()}


def test_numbers_words_and_booleans(load):
    experiment = load(
        HEAD
        + "task:\n  losses: {l2_weight_decay: 1e-3, huber_delta: 2}\n  label_map: off\n"
        + "  model: {backbone: {freeze: True}}\n"
        + "trainer: {train_steps: 500, loss_upper_bound: 1E+6}\nruntime: {distribution_strategy: off}\n"
    )
    task = experiment.params.task
    assert task.losses.l2_weight_decay == 0.001
    assert isinstance(task.losses.l2_weight_decay, float)
    assert task.losses.huber_delta == 2
    assert task.label_map == "off"
    assert task.model.backbone.freeze is True
    assert experiment.params.trainer.loss_upper_bound == 1e6
    assert experiment.params.runtime.distribution_strategy == "off"


def test_the_name_of_the_experiment_is_enough_and_a_byte_order_mark_does_no_harm(load):
    plain = load(HEAD)
    assert load("\ufeff" + HEAD).params == plain.params
    assert plain.params.trainer.train_steps == 1500
    assert plain.origins == {}


def test_origins_name_line_and_flag(load):
    experiment = load(HEAD + "task:\n  model:\n    num_classes: 3\n", "trainer.train_steps=7", "task.label_map=a=b")
    assert experiment.origins == {
        "task.model.num_classes": "mine.yaml:4",
        "trainer.train_steps": "--set",
        "task.label_map": "--set",
    }
    assert experiment.params.task.label_map == "a=b"
    text = dump_experiment(experiment)
    assert re.search(r"^    num_classes: 3  # mine\.yaml:4$", text, re.M)
    assert re.search(r"^  train_steps: 7  # --set$", text, re.M)


def test_the_forms_of_set(load):
    for words, expected in {
        "trainer.train_steps = 12": 12,
        "trainer.train_steps=12": 12,
        "trainer={train_steps: 12}": 12,
    }.items():
        assert load(HEAD, words).params.trainer.train_steps == expected
    assert load(HEAD, "trainer.train_steps=3", "trainer.train_steps=4").params.trainer.train_steps == 4
    assert load(HEAD, "task.model.input_size=[200, 300]").params.task.model.input_size == [200, 300]
    assert load(HEAD, "task.train_data.input_path=a.record").params.task.train_data.input_path == "a.record"
    adam = load(HEAD, "trainer.optimizer_config.optimizer={type: adam, adam: {beta_1: 0.8}}")
    assert adam.params.trainer.optimizer_config.optimizer.get().beta_1 == 0.8
    ema = load(HEAD, "trainer.optimizer_config.ema.average_decay=0.99")
    assert ema.params.trainer.optimizer_config.ema.average_decay == 0.99


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", "cannot read ``. Write it as --set trainer.train_steps=500."),
        ("trainer.train_steps", "cannot read `trainer.train_steps`"),
        ("=3", "cannot read `=3`"),
        ("trainer.train_steps=", "`trainer.train_steps` is None"),
        ("trainer.train_steps=[", "the value of `trainer.train_steps` is not YAML"),
        ("trainer.train_steps=2026-13-45", "the value of `trainer.train_steps` is not YAML: month must be in 1..12"),
        ("trainer..train_steps=3", "there is no key `trainer.`"),
        ("experiment=demo", "there is no key `experiment`"),
        ("task.model={num_classes: 4, num_classes: 5}", "the key `num_classes` stands twice"),
    ],
)
def test_a_set_that_cannot_be_read(load, words, answer):
    message = _refusal(load, HEAD, words)
    assert message.startswith("--set")
    assert answer in message


def test_a_config_extends_another(load, tmp_path):
    (tmp_path / "base.yaml").write_text(
        HEAD + "task:\n  model:\n    num_classes: 3\n    input_size: [200, 300]\ntrainer: {train_steps: 5}\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "middle.yml").write_text("extends: ../base.yaml\ntrainer: {train_steps: 6}\n")
    experiment = load("extends: sub/middle.yml\ntask:\n  model:\n    num_classes: 4\n")
    assert experiment.name == "ssd_mobilenet_v1"
    assert experiment.origins == {
        "task.model.num_classes": "mine.yaml:4",
        "task.model.input_size": "base.yaml:5",
        "trainer.train_steps": "middle.yml:2",
    }
    model = experiment.params.task.model
    assert (model.num_classes, model.input_size, experiment.params.trainer.train_steps) == (4, [200, 300], 6)
    _assert_round_trip(experiment, tmp_path)
    # The ending may be left out; the name of the experiment may be said again.
    assert load("extends: base\n" + HEAD).params.task.model.num_classes == 3


def test_a_packaged_config_is_extended_by_its_name(load, tmp_path):
    packaged = load_experiment(Path("ssd_mobilenet_v2"))
    mine = load("extends: ssd_mobilenet_v2\n")
    assert (mine.params, mine.origins) == (packaged.params, packaged.origins)
    # Also by a file of the same name, which cannot mean itself.
    twin = tmp_path / "ssd_mobilenet_v2.yaml"
    twin.write_text("extends: ssd_mobilenet_v2\ntrainer: {train_steps: 6}\n")
    assert load_experiment(twin).params.trainer.train_steps == 6
    assert load_experiment(twin).params.task == packaged.params.task


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: 3\n", "mine.yaml:1: `extends` is 3. Name a config"),
        ("extends: ''\n", "mine.yaml:1: `extends` is ''"),
        ("extends: round.yaml\n", "the config extends itself: mine.yaml -> round.yaml -> mine.yaml"),
        ("extends: broken\n", "broken.yaml:1: there is no key `trane`"),
        ("extends: ssd_mobilenet_v2\n" + HEAD, "mine.yaml:2: `experiment: ssd_mobilenet_v1` is not that of its base"),
    ],
)
def test_what_cannot_be_extended_is_refused(load, tmp_path, text, words):
    (tmp_path / "round.yaml").write_text("extends: mine.yaml\n")
    (tmp_path / "broken.yaml").write_text("trane: {}\n" + HEAD)
    assert words in _refusal(load, text)


def test_a_base_that_is_not_there(load, tmp_path):
    for base in ("nothing", "mine.yaml", str(tmp_path)):
        with pytest.raises(InputError, match=r"mine\.yaml:1: cannot extend .*: no such config\. Configs that come"):
            load(f"extends: {base}\n")


@pytest.mark.parametrize("path", packaged_configs(), ids=lambda path: path.stem)
def test_a_packaged_config_survives_its_own_dump(path, tmp_path):
    _assert_round_trip(load_experiment(path), tmp_path)


_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "trainer.train_steps": st.integers(1, 10**7),
        "task.losses.l2_weight_decay": st.floats(0, 1e30),
        "task.model.anchors.aspect_ratios": st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5),
        "task.model.input_size": st.lists(st.integers(32, 2000), min_size=2, max_size=2),
        "task.model.backbone.freeze": st.booleans(),
        "task.train_data.seed": st.none() | st.integers(-(2**31), 2**31),
        "task.label_map": st.text(st.characters(codec="utf-8")),
        "task.train_data.input_path": st.text(max_size=8) | st.lists(st.text(max_size=8), max_size=3),
        "runtime.distribution_strategy": st.sampled_from(["off", "mirrored", "one_device"]),
        "trainer.optimizer_config.ema": st.none()
        | st.fixed_dictionaries({"average_decay": st.floats(0, 1, exclude_max=True)}),
    },
)


@settings(deadline=None, max_examples=25)
@given(_VALUES)
def test_any_values_survive_dumping_and_loading(tmp_path_factory, values):
    experiment = load_experiment(Path("ssd_mobilenet_v1"))
    for key, value in values.items():
        experiment.set(key, value, "test")
    again = _assert_round_trip(experiment, tmp_path_factory.mktemp("dump"))
    for key, value in values.items():
        if not isinstance(value, dict):
            found = again.params.as_dict()
            for part in key.split("."):
                found = found[part]
            assert found == value


def _assert_round_trip(experiment, folder):
    path = folder / "config.yaml"
    path.write_text(dump_experiment(experiment), encoding="utf-8")
    again = load_experiment(path)
    assert again.name == experiment.name
    assert again.params.as_dict() == experiment.params.as_dict()
    return again

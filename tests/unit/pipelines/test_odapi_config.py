"""pipeline.config: what is read, what is refused and in which words, and what becomes of each field."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from pipelines.odapi.explain import explain, refuse_what_cannot_be_honoured
from pipelines.odapi.field_fates import Fate
from pipelines.odapi.field_notes import NOTES, note_of
from pipelines.odapi.input_paths import expand_input_paths, resolve
from pipelines.odapi.pipeline_config import SCHEMA, is_pipeline_config, read_pipeline_config, schema
from pipelines.odapi.pipeline_text import field_lines

SSD = """model {
  ssd {
    num_classes: 3
    feature_extractor { type: 'ssd_mobilenet_v1' }
  }
}
"""


@pytest.fixture
def read(tmp_path):
    """Read a config from its text (or bytes)."""

    def read_text(text):
        path = tmp_path / "pipeline.config"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_pipeline_config(path)

    return read_text


def _refusal(error, call, *arguments):
    """What the person reads; always one line."""
    with pytest.raises(error) as refusal:
        call(*arguments)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_the_configs_of_the_od_api_are_read(shared_data):
    paths = sorted((shared_data / "configs").glob("*.config"))
    assert len(paths) == 22
    for path in paths:
        config = read_pipeline_config(path)
        assert config.message.model.ssd.num_classes >= 1
        fields = explain(config)
        lines = path.read_text().splitlines()
        for field in fields:
            name = field.path.rpartition(".")[2].partition("[")[0]
            assert not field.is_set or name in lines[field.line - 1], field
        assert len(fields) > 200


def test_defaults_are_those_of_the_od_api(read):
    config = read(SSD + "train_config { optimizer { rms_prop_optimizer {} } }")
    fields = {field.path: field for field in explain(config)}
    assert fields["train_config.batch_size"].value == "32"
    assert fields["train_config.optimizer.use_moving_average"].value == "true"
    assert fields["train_config.optimizer.rms_prop_optimizer.epsilon"].value == "1"
    assert not fields["train_config.batch_size"].is_set
    assert fields["model.ssd.num_classes"].is_set
    assert fields["model.ssd.num_classes"].line == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "model { ssd { num_clases: 3 } }",
            "pipeline.config:1:15: there is no field `num_clases` in Ssd. Did you mean",
        ),
        ("model { ssd { zzzz: 3 } }", "there is no field `zzzz` in Ssd. Known here: add_background_class,"),
        (SSD + "model { ssd { } }", "pipeline.config:7:7: `model` stands twice. Keep one of the two."),
        ("model { ssd { } faster_rcnn { } }", "both `ssd` and `faster_rcnn` stand here. Keep one of the two."),
        ("model {\n faster_rcnn {\n num_classes: 3 } }", "pipeline.config:2: `faster_rcnn` is no SSD."),
        ('model { ssd { num_classes: "x" } }', "pipeline.config:1:28: cannot be parsed: Couldn't parse integer"),
        ("model { ssd { num_classes: 3 }", "cannot be parsed"),
        ("model { " * 300, "there is no field `model` in DetectionModel"),
    ],
)
def test_what_is_no_config_is_refused_with_its_place(read, text, words):
    assert words in _refusal(ConfigError, read, text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is not a text file"),
        (b"model { ssd {\n \xff } }", "pipeline.config:2: is not UTF-8 text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
    ],
)
def test_a_file_that_is_something_else_is_named(read, content, words):
    assert words in _refusal(InputError, read, content)


def test_a_missing_file(tmp_path):
    assert "no such config" in _refusal(InputError, read_pipeline_config, tmp_path / "pipeline.config")


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("normalize_loss_by_num_matches: false", "pipeline.config:5: `normalize_loss_by_num_matches: false` cannot"),
        ("box_coder { square_box_coder { } }", "`square_box_coder` cannot be honoured"),
        ("post_processing { score_converter: SOFTMAX }", "Write score_converter: SIGMOID."),
        ("post_processing { }", "`score_converter: IDENTITY` cannot be honoured (the default)"),
        ("box_coder { faster_rcnn_box_coder { y_scale: 9.5 } }", "`y_scale: 9.5` cannot be honoured. Write"),
        ("image_resizer { identity_resizer { } }", "`identity_resizer` cannot be honoured"),
    ],
)
def test_a_value_that_cannot_be_honoured_is_refused_at_its_line(read, inner, words):
    config = read("model {\n  ssd {\n    num_classes: 3\n\n    " + inner + "\n  }\n}\n")
    assert words in _refusal(ConfigError, refuse_what_cannot_be_honoured, config)
    assert Fate.UNSUPPORTED in {field.fate for field in explain(config)}


def test_every_field_of_a_supported_message_has_a_fate():
    messages = schema().FindFileByName("pipeline.proto").message_types_by_name
    assert set(NOTES) <= set(messages)
    for name, notes in NOTES.items():
        # Augmentation steps without a note are unsupported.
        assert set(notes) <= set(messages[name].fields_by_name), name
        assert name == "PreprocessingStep" or set(notes) == set(messages[name].fields_by_name), name
        for field, note in notes.items():
            kind = messages[name].fields_by_name[field]
            assert note.fate is Fate.HONOURED or note.note, (name, field)
            if kind.message_type is not None and note.fate is not Fate.UNSUPPORTED:
                assert kind.message_type.name in NOTES, (name, field)
    assert note_of("RandomBlackPatches", "probability").fate is Fate.UNSUPPORTED


def test_the_descriptor_set_is_that_of_the_schema(tmp_path):
    # In a process of its own: protoc's library and TensorFlow's do not get on in one.
    output = tmp_path / "pipeline.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SCHEMA.parent}", f"--descriptor_set_out={output}"]
    done = subprocess.run([*command, "pipeline.proto"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == SCHEMA.read_bytes(), "run: make protos"


def test_lines_of_repeated_fields_lists_and_messages():
    text = """a {  # b: 1
  b: 1 b: 2
  c: [1,
      2]
  d: "x { y: 1 }"
  e < f: 3 >
}
a: { b: 4 }
g: [{ h: 1 }, { h: 2 }]
"""
    assert field_lines(text) == {
        "a": [1, 8], "a.b": [2, 2, 8], "a.c": [3], "a.d": [5], "a.e": [6], "a.e.f": [6], "g": [9], "g.h": [9, 9],
    }  # fmt: skip


def test_the_value_of_a_list_has_the_line_of_the_list(read):
    anchors = "anchor_generator { ssd_anchor_generator {\n aspect_ratios: [1, 2]\n} }"
    config = read(SSD.replace("num_classes: 3", anchors))
    field = next(field for field in explain(config) if field.path.endswith("aspect_ratios"))
    assert (field.value, field.line) == ("[1, 2]", 4)


@given(st.text(alphabet="model ssd{}<>[]:;,#'\"\\\n1.ex_-", max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.config"
    path.write_text(text, newline="")
    field_lines(text)
    with contextlib.suppress(ConfigError, InputError):
        explain(read_pipeline_config(path))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a.record"], ["/c/a.record"]),
        (["a.record,b.record"], ["/c/a.record", "/c/b.record"]),
        (["a.record ; b.record"], ["/c/a.record", "/c/b.record"]),
        (["a.record", "/d/b.record-?????-of-00010"], ["/c/a.record", "/d/b.record-?????-of-00010"]),
        ([r"data\\train.record"], ["/c/data/train.record"]),
        ([r"C:\\data\\train.record"], ["C:/data/train.record"]),
        (["gs://bucket/a.record"], ["gs://bucket/a.record"]),
        ([""], []),
    ],
)
def test_input_paths(paths, expected):
    assert expand_input_paths(paths, Path("/c")) == expected
    assert [resolve(path, Path("/c")) for path in expected] == expected


def test_a_config_is_told_from_yaml(tmp_path):
    for name, text, expected in (
        ("pipeline.config", "", True),
        ("pipeline", "# x\nmodel {\n", True),
        ("pipeline", "train_config: {\n", True),
        ("mine.yaml", "model {\n", False),
        ("mine", "experiment: x\n", False),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert is_pipeline_config(path) is expected, (name, text)
    assert not is_pipeline_config(tmp_path / "ssd_mobilenet_v1")

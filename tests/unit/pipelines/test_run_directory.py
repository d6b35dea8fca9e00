"""The run folder: what is in it, what it refuses, and what it survives."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from pipelines.run_directory import RunDirectory


def test_an_empty_or_absent_folder_is_not_started(tmp_path):
    assert not RunDirectory(tmp_path).is_started()
    assert not RunDirectory(tmp_path / "new").is_started()
    assert not (tmp_path / "new").exists()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match=r"has files in it but is not a run.*--run") as refusal:
        RunDirectory(tmp_path).is_started()
    assert str(tmp_path) in str(refusal.value)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_require_names_the_command_that_starts_one(tmp_path):
    with pytest.raises(InputError, match=r"no config.yaml.*tagbox train CONFIG --run"):
        RunDirectory(tmp_path / "x").require()


def test_rows_are_read_as_they_were_written(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.read_rows() == []
    run.append_row({"step": 10, "loss": "1.5", "AP": ""})
    run.append_row({"step": 20, "loss": "1.2", "AP": "0.5"})
    assert run.read_rows() == [
        {"step": "10", "loss": "1.5", "AP": ""},
        {"step": "20", "loss": "1.2", "AP": "0.5"},
    ]


def test_a_new_column_leaves_old_rows_alone(tmp_path):
    run = RunDirectory(tmp_path)
    run.append_row({"step": 10, "loss": "1.5"})
    run.append_row({"step": 20, "loss": "1.2", "AP": "0.5"})
    run.append_row({"step": 30, "loss": "1.1"})
    assert [row["AP"] for row in run.read_rows()] == ["", "0.5", ""]
    assert [row["step"] for row in run.read_rows()] == ["10", "20", "30"]


def test_rows_after_a_step_are_dropped(tmp_path):
    run = RunDirectory(tmp_path)
    run.drop_rows_after(5)
    for step in (10, 20, 20, 30):
        run.append_row({"step": step, "loss": "1"})
    run.drop_rows_after(20)
    assert [row["step"] for row in run.read_rows()] == ["10", "20", "20"]
    run.drop_rows_after(0)
    assert run.read_rows() == []
    run.append_row({"step": 1, "loss": "2"})
    assert [row["step"] for row in run.read_rows()] == ["1"]


def test_a_row_that_cannot_be_written_leaves_the_others(tmp_path):
    run = RunDirectory(tmp_path)
    run.append_row({"step": 100, "loss": "1.5"})
    (tmp_path / "results.csv.tmp").mkdir()  # the disk refuses the new file
    with pytest.raises(InputError, match=r"results\.csv: cannot write"):
        run.append_row({"step": 200, "loss": "1.25"})
    assert run.read_rows() == [{"step": "100", "loss": "1.5"}]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"step": st.integers(0, 10**6)},
            optional={name: st.text(st.characters(codec="utf-8", exclude_characters="\0")) for name in ("a", "b", "c")},
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_rows_round_trip(tmp_path_factory, rows):
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    for row in rows:
        run.append_row(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    in_order = sorted(rows, key=lambda row: row["step"])
    assert run.read_rows() == [{name: str(row.get(name, "")) for name in columns} for row in in_order]


def test_status_and_results(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.read_status() == {}
    assert run.read_results() is None
    run.write_status("running", step=5)
    run.write_results({"AP50": 0.5, "name": "räccoon"})
    assert run.read_status()["state"] == "running"
    assert run.read_status()["step"] == 5
    assert run.read_results() == {"AP50": 0.5, "name": "räccoon"}
    assert "räccoon" in (tmp_path / "results.json").read_text(encoding="utf-8")


def test_unfinished_checkpoints_are_removed_and_no_others(tmp_path):
    run = RunDirectory(tmp_path)
    run.remove_unfinished_checkpoints()
    half = run.last_checkpoints / "ckpt-30_temp" / "part-00000-of-00001.data.tempstate1"
    for path in (half, run.last_checkpoints / "ckpt-20.index", run.best_checkpoints / "best_ckpt-1.index"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    run.remove_unfinished_checkpoints()
    left = sorted(path.name for path in run.path.rglob("*") if path.is_file())
    assert left == ["best_ckpt-1.index", "ckpt-20.index"]
    assert not half.parent.exists()


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_damaged_file_says_which_and_what_to_do(tmp_path, content):
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(InputError, match=r"results\.json: cannot read"):
        RunDirectory(tmp_path).read_results()


def test_the_environment_names_versions_and_no_place_on_this_machine(tmp_path):
    RunDirectory(tmp_path).write_environment(["tagbox", "train"])
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["command"] == ["tagbox", "train"]
    assert environment["packages"]["tensorflow"].startswith("2.")
    assert "/" not in environment["executable"]

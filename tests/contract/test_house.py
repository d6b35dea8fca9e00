"""The house holds together: folders, imports, types, style, what stands in the repository."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_FOLDERS = ("collectors", "labeling", "records", "pipelines", "scripts")
_LONGEST_MODULE_LINES = 500


def _run(repository: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=repository,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _tracked(repository: Path) -> list[Path]:
    listed = _run(repository, "git", "ls-files", "-z")
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    return [repository / name for name in listed.stdout.split("\0") if name and (repository / name).is_file()]


@pytest.mark.parametrize("name", _FOLDERS)
def test_the_five_names_are_ours(name: str, repository: Path) -> None:
    found = _run(repository, sys.executable, "-c", f"import {name}; print({name}.__file__)")
    assert Path(found.stdout.strip()) == repository / name / "__init__.py"


@pytest.mark.parametrize(
    "words",
    [("lint-imports",), ("mypy",), ("ruff", "check", "."), ("ruff", "format", "--check", ".")],
    ids=["imports run one way", "types", "style", "format"],
)
def test_the_checks_of_make_check_pass(words: tuple[str, ...], repository: Path) -> None:
    result = _run(repository, _tool(words[0]), *words[1:])
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_outgrows_its_room(repository: Path) -> None:
    lengths = {
        str(path.relative_to(repository)): path.read_text(encoding="utf-8").count("\n")
        for folder in _FOLDERS
        for path in (repository / folder).rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > _LONGEST_MODULE_LINES} == {}


def test_no_module_has_a_name_that_says_nothing(repository: Path) -> None:
    empty_words = {"utils", "helpers", "common", "manager", "core", "misc"}
    assert not [path for folder in _FOLDERS for path in (repository / folder).rglob("*.py") if path.stem in empty_words]


def test_pins_have_hashes_and_no_addresses(repository: Path) -> None:
    text = (repository / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[A-Za-z0-9][^\s=]*==[^\s]+", text, re.MULTILINE)
    assert len(pins) > 100
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "file:" not in text


def test_no_path_of_a_machine_and_no_package_index_is_tracked(repository: Path) -> None:
    # Put together here so that this file does not name them itself.
    forbidden = [
        re.compile(pattern)
        for pattern in (r"pypi\." + "org", r"pythonhosted\." + "org", r"(?<![\w.])/(work|root|farm)" + r"/[a-z]")
    ]
    guilty = [
        f"{path.relative_to(repository)}: {found.group()}"
        for path in _tracked(repository)
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".html", ""}
        for pattern in forbidden
        if (found := pattern.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert guilty == []


def test_nothing_large_is_tracked(repository: Path) -> None:
    large = {str(path.relative_to(repository)): path.stat().st_size for path in _tracked(repository)}
    assert {path: size for path, size in large.items() if size > 400_000} == {}


@pytest.mark.parametrize("command", ["", "demo", "labels", "records", "train", "eval", "predict", "board", "config"])
def test_help_imports_nothing_heavy(command: str, repository: Path) -> None:
    program = (
        "import sys, json\n"
        "from scripts.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print(json.dumps([code, [m for m in ('tensorflow', 'matplotlib', 'official', 'pandas') if m in sys.modules]]))"
    )
    result = _run(repository, sys.executable, "-c", program, *command.split(), "--help")
    assert json.loads(result.stdout.splitlines()[-1]) == [0, []], result.stderr
    assert "Usage: tagbox" in result.stdout


def test_a_foreign_package_in_front_of_ours_is_named(repository: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "records"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("", encoding="utf-8")
    result = _run(repository, _tool("tagbox"), "records", "build", PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    assert f"the package `records` of tagbox is hidden by {foreign / '__init__.py'}" in result.stderr


def test_a_bug_is_reported_in_one_line_with_the_way_to_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts import cli, exit_codes

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli.root, "main", broken)
    with pytest.raises(SystemExit) as stop:
        cli.main(["config", "list"])
    assert stop.value.code == exit_codes.BUG
    assert capsys.readouterr().err.count("\n") == 1


def test_every_kind_of_problem_has_its_exit_code() -> None:
    from collectors import errors
    from scripts import exit_codes

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TagboxError)]
    codes = {kind.__name__: exit_codes.code_of(kind("x")) for kind in kinds if kind is not errors.TagboxError}
    assert codes == {
        "ConfigError": 2,
        "CredentialsError": 3,
        "RemoteError": 4,
        "PartlyDoneError": 5,
        "InputError": 6,
        "MissingPartError": 7,
    }

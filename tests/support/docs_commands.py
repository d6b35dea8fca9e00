"""What is done with a command line of a page: parsed by click, run as it is, run smaller, or left out for a reason."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from scripts.cli import root
from tests.support import docs_world
from tests.support.warm_tagbox import DEPTH_MULTIPLIER, INPUT_SIZE, ROOT, WarmTagbox

# Command lines (their beginnings) that are not run here, each with the reason.
NOT_RUN = {
    ". .venv/bin/activate": "the tests run in that environment",
    "tagbox demo": "takes minutes; `make demo` is measured, its parts are tested; it is parsed",
    "tagbox train ssd_mobilenet_v1 --workers": "wants two at once; tests/e2e/test_cluster_command.py runs two",
    "tagbox weights fetch": "fetches; tests/integration/test_weights_fetching.py has a local server; it is parsed",
    "tagbox train ssdlite_mobilenet_v2 --run runs/lite": "fetches 50 MB first; it is parsed",
    "tagbox train ssd_mobilenet_v1 --smoke": "learns for a minute; test_smoke_test.py has a small one; it is parsed",
    "tagbox train ssd_mobilenet_v1 --run runs/quarter": "fills minutes; test_training_recipe.py has less; it is parsed",
    "tagbox predict runs/drawings --draw": "stays until Ctrl-C; test_classifier_predict.py draws on it; it is parsed",
    "tagbox board": "stays until Ctrl-C; it has a test of its own in test_docs_commands.py; it is parsed",
    "tagbox collect quickdraw cat": "fetches; tests/e2e/test_collect_quickdraw_command.py runs it on a local bucket",
    **{
        f"tagbox collect {name}": "wants Tumblr; tests/e2e/test_collect_command.py runs it on a local one; it is parsed"
        for name in ("tumblr", "status", "retry", "regate", "forget", "attribution")
    },
    "tagbox records build --engine beam": "wants a cluster; test_records_beam.py runs Beam; it is parsed",
    "python -m tests.support.fake_tumblr": "stays until Ctrl-C; tests/e2e/test_collect_command.py runs it",
    ".venv/bin/python -m pytest": "this is such a run",
    ".venv/bin/python -m tests.support.render_cli_reference": "test_docs.py renders and compares",
    ".venv/bin/python -m tests.support.docs_picture": "wants a run of the demo; test_docs.py tests it on samples",
}
# Command lines that end with another code than 0, as their page says.
EXIT_CODES = {
    "tagbox labels fix data": 1,  # there is something to mend
    "tagbox eval runs/drawings --min-top1 0.97": 1,  # a network of a few steps does not reach it
}
# A call of `tagbox` that wants nothing of a shell but its output in a file.
_PLAIN_CALL = re.compile(r"(?P<command>tagbox (?:[^|&;<>$*?'\"]|'[^']*'|\"[^\"$]*\")*)(?:>\s*(?P<file>\S+))?")
_STEPS, _MORE_STEPS = 4, 6
# A network with which a step takes milliseconds; the checkpoint of the test has the same depth.
_SMALLER = (
    f"task.model.input_size=[{INPUT_SIZE},{INPUT_SIZE}]",
    f"task.model.backbone.depth_multiplier={DEPTH_MULTIPLIER}",
    "task.train_data.global_batch_size=2",
    "trainer.steps_per_loop=2",
)
_SMALLER_RETRAINER = (
    f"task.model.network.mobilenet.architecture={docs_world.SMALL_VARIANT}",
    "task.train_data.global_batch_size=2",
    "trainer.steps_per_loop=2",
)
_SMALLER_CLASSIFIER = ("task.train_data.global_batch_size=8", "trainer.steps_per_loop=2")
_SMALLER_INCEPTION_RESNET = (*_SMALLER_CLASSIFIER, "task.model.network.inception_resnet.depths=[0,1,0]")


def reason_not_to_run(line: str) -> str | None:
    """Return why a command line is not run here, ``None`` when it is."""
    return next((reason for start, reason in NOT_RUN.items() if line.startswith(start)), None)


def tagbox_words(line: str) -> list[str] | None:
    """Return the words after ``tagbox`` of a line that calls it, without what a shell does with its output."""
    words = shlex.split(re.split(r"\s(?:\|\|?|&&|>)\s", line)[0], comments=True)
    return words[1:] if words and words[0] == "tagbox" else None


def parse_without_running(words: list[str]) -> click.Command:
    """Let click find the command and read its options and arguments; return the command.

    Raises:
        click.ClickException: The command would refuse these words.
    """
    command: click.Command = root
    context, name, rest = None, "tagbox", list(words)
    while True:
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group):
            return command
        found, member, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        assert member is not None
        name, command = found, member


def run_line(line: str, cwd: Path, warm: WarmTagbox) -> subprocess.CompletedProcess[str]:
    """Run one line of a page in ``cwd``: `make` as a dry run, training with fewer steps of a smaller network.

    The caller has asked `reason_not_to_run` first.
    """
    if line.startswith("make"):
        return _run_shell(line.replace("make", "make --dry-run", 1), ROOT)
    call = _PLAIN_CALL.fullmatch(line)
    if call is None:
        return _run_shell(line, cwd)
    done = warm.run(_smaller(shlex.split(call["command"])[1:]), cwd)
    if call["file"]:
        (cwd / call["file"]).write_text(done.stdout, encoding="utf-8")
    return done


def _smaller(words: list[str]) -> list[str]:
    if words[:2] == ["config", "time"]:
        return [*words, *_set(_SMALLER)]
    if words[0] != "train":
        return words
    steps = _MORE_STEPS if any(word.startswith("trainer.train_steps=") for word in words) else _STEPS
    config = ROOT / "pipelines" / "configs" / f"{words[1]}.yaml"
    is_classifier = words[1].startswith("--train_src") or (config.is_file() and "_classifier\n" in config.read_text())
    smaller = _SMALLER_CLASSIFIER if is_classifier else _SMALLER
    if words[1].startswith(("image_", "tag_")):
        smaller = _SMALLER_RETRAINER
    if "inception_resnet" in words[1]:
        smaller = _SMALLER_INCEPTION_RESNET
    return [*words, *_set((*smaller, f"trainer.train_steps={steps}"))]


def _set(overrides: Iterable[str]) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def _run_shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

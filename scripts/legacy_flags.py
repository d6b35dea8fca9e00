"""The flags of older scripts, the OD API's and the QuickDraw samples': read, answered with the modern form."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from scripts.output import say

Command = Callable[..., Any]

_PATH = click.Path(path_type=Path)
# What these said is decided elsewhere today; they are read so that old command lines go through.
_WITHOUT_EFFECT = ("num_clones", "clone_on_cpu", "worker_replicas", "ps_tasks", "master", "num_workers", "eval_timeout")
_SWITCHES = ("logtostderr", "alsologtostderr")


def training_flags(command: Command) -> Command:
    """Add the hidden flags of train.py and model_main_tf2.py."""
    options = [
        click.option("--pipeline_config_path", type=_PATH, hidden=True),
        click.option("--train_dir", "--model_dir", "train_dir", type=_PATH, hidden=True),
        click.option("--num_train_steps", type=int, hidden=True),
    ]
    return _with(options, command)


def evaluation_flags(command: Command) -> Command:
    """Add the hidden flags of eval.py."""
    options = [
        click.option("--pipeline_config_path", type=_PATH, hidden=True),
        click.option("--checkpoint_dir", type=_PATH, hidden=True),
        click.option("--eval_dir", type=_PATH, hidden=True),
        click.option("--run_once", is_flag=True, hidden=True),
    ]
    return _with(options, command)


def drawing_flags(command: Command) -> Command:
    """Add the hidden flags of the QuickDraw sample: the records of each split."""
    for name in ("eval_src", "train_src"):
        command = click.option(f"--{name}", type=_PATH, hidden=True)(command)
    return command


def drawing_paths(train_src: Path | None, eval_src: Path | None) -> tuple[str, ...]:
    """Return what ``--train_src`` and ``--eval_src`` mean as words of ``--set-path``.

    A folder stands for the record of drawings in it; the label map is the one beside the training record.
    """
    words = []
    for what, split, path in (("input", "training", train_src), ("eval_input", "verification", eval_src)):
        if path is not None:
            words.append(f"{what}={path / f'drawings_{split}.record' if path.is_dir() else path}")
    if train_src is not None:
        label_map = (train_src if train_src.is_dir() else train_src.parent) / "label_map.pbtxt"
        words += [f"label_map={label_map}"] if label_map.is_file() else []
    return tuple(words)


def announce(words: Sequence[object], whose: str = "the Object Detection API's") -> None:
    """Say the modern form of an old command line."""
    say(f"note: these are {whose} flags; in tagbox' own words: tagbox {_quoted(words)}")


def announce_without_effect(given: dict[str, Any]) -> None:
    """Name the flags that were given and decide nothing any more."""
    names = [f"--{name}" for name in _WITHOUT_EFFECT if given.get(name)]
    if names:
        say(f"note: {', '.join(names)} decide nothing here; several machines train with --workers and --task")


def _with(options: list[Any], command: Command) -> Command:
    options += [click.option(f"--{name}", is_flag=True, hidden=True) for name in _SWITCHES]
    options += [click.option(f"--{name}", hidden=True) for name in _WITHOUT_EFFECT]
    for option in reversed(options):
        command = option(command)
    return command


def _quoted(words: Sequence[object]) -> str:
    return " ".join(shlex.quote(str(word)) for word in words)

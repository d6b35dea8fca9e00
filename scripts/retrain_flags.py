"""The flags of TensorFlow's retrain.py: read as they are, answered with the modern form."""

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scripts.output import say

Command = Callable[..., Any]

CONFIG = Path("image_retrainer")
_PATH = click.Path(path_type=Path)
# retrain.py's defaults; a flag that is left out means these, so that an old command line does what it did.
_NUMBERS: dict[str, tuple[Any, Any]] = {
    "how_many_training_steps": (click.IntRange(min=1), 4000),
    "learning_rate": (click.FloatRange(min=0, min_open=True), 0.01),
    "testing_percentage": (click.IntRange(0, 100), 10),
    "validation_percentage": (click.IntRange(0, 100), 10),
    "eval_step_interval": (click.IntRange(min=1), 10),
    "train_batch_size": (click.IntRange(min=1), 100),
    "random_crop": (click.IntRange(0, 100), 0),
    "random_scale": (click.IntRange(0, 100), 0),
    "random_brightness": (click.IntRange(0, 100), 0),
}
_SWITCHES = ("print_misclassified_test_images", "flip_left_right")
_PATHS = ("output_graph", "output_labels", "bottleneck_dir")
_WORDS = ("image_dir", "final_tensor_name", "architecture", "tfhub_module")
# What these said is decided elsewhere today: flag -> what to know instead.
_WITHOUT_EFFECT = {
    "test_batch_size": "all verification pictures are always evaluated",
    "validation_batch_size": "all verification pictures are always evaluated",
    "summaries_dir": "the curves are in the run; tagbox board shows them",
    "intermediate_output_graphs_dir": "checkpoints are kept in the run; tagbox export makes models of them",
    "intermediate_store_frequency": "checkpoints are kept in the run; tagbox export makes models of them",
    "checkpoint_path": "checkpoints are kept in the run",
    "saved_model_dir": "tagbox export RUN makes a SavedModel",
    "logging_verbosity": "the log is in the run",
}
_OWN = (*_NUMBERS, *_SWITCHES, *_PATHS, *_WORDS, *_WITHOUT_EFFECT)


def retraining_flags(command: Command) -> Command:
    """Add the hidden flags of retrain.py; --model_dir is there already."""
    options = [click.option(f"--{name}", type=kind, hidden=True) for name, (kind, _) in _NUMBERS.items()]
    options += [click.option(f"--{name}", is_flag=True, hidden=True) for name in _SWITCHES]
    options += [click.option(f"--{name}", type=_PATH, hidden=True) for name in _PATHS]
    options += [click.option(f"--{name}", hidden=True) for name in (*_WORDS, *_WITHOUT_EFFECT)]
    for option in options:
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Retraining:
    """What an old command line asks for.

    Attributes:
        image_dir: The folder of label folders, in the words it was given.
        eval_share: Share of the pictures that is not trained on.
        overrides: Of the config, as ``--set`` takes them.
        output_graph: Where the frozen graph goes; ``None``: into the run.
        output_labels: Where its labels go; ``None``: into the run.
        final_tensor_name: Name of its tensor of probabilities.
        print_misclassified: Whether mistakes are listed.
    """

    image_dir: str
    eval_share: float
    overrides: tuple[str, ...]
    output_graph: Path | None
    output_labels: Path | None
    final_tensor_name: str
    print_misclassified: bool

    @property
    def name_prefix(self) -> str:
        """What retrain.py's paths began with."""
        return os.path.join(self.image_dir, "")  # noqa: PTH118 - pathlib drops the ./ that was hashed too

    def records_dir(self, base: Path) -> Path:
        """Where its records go when nothing else is said: below ``base``, under the name of the folder."""
        return base / (Path(self.image_dir).resolve().name or "pictures")


def take_retraining(given: dict[str, Any]) -> Retraining | None:
    """Take retrain.py's flags out of what was given; ``None`` where there is no ``--image_dir``.

    Raises:
        click.UsageError: There are others of them without it.
    """
    flags = {name: given.pop(name) for name in _OWN}
    if flags["image_dir"] is None:
        if named := [f"--{name}" for name in _OWN if flags[name]]:
            raise click.UsageError(f"{', '.join(named)}: of retrain.py's flags, --image_dir is missing")
        return None
    for name, (_, default) in _NUMBERS.items():
        flags[name] = default if flags[name] is None else flags[name]
    share = flags["testing_percentage"] + flags["validation_percentage"]
    if share > 100:
        raise click.UsageError(f"--testing_percentage and --validation_percentage are {share} together, above 100")
    _say_what_is_without_effect(flags)
    return Retraining(
        flags["image_dir"],
        share / 100,
        tuple(f"{key}={value}" for key, value in _overrides(flags)),
        flags["output_graph"],
        flags["output_labels"],
        flags["final_tensor_name"] or "final_result",
        flags["print_misclassified_test_images"],
    )


def announce(retraining: Retraining, records_dir: Path, run_dir: Path | None) -> None:
    """Say the modern form of an old command line."""
    share = f"{retraining.eval_share:g}"
    prefix = retraining.name_prefix
    build: list[object] = ["records", "folder", retraining.image_dir, "--out", records_dir, "--eval-share", share]
    build += ["--split-by", "name", "--name-prefix", prefix]
    train: list[object] = ["train", CONFIG, "--records", records_dir]
    train += ["--run", run_dir] if run_dir else []
    train += [word for override in retraining.overrides for word in ("--set", override)]
    say("note: these are retrain.py's flags; in tagbox' own words:")
    for words in (build, train):
        say(f"  tagbox {_quoted(words)}")


def _overrides(flags: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return key and value of what retrain.py's defaults and flags mean: plain gradient descent at one rate."""
    if flags["tfhub_module"]:
        raise click.UsageError(
            "--tfhub_module: modules of TF Hub are not loaded; give --architecture mobilenet_1.0_224 or one of the 15 "
            "other variants"
        )
    interval = min(flags["eval_step_interval"], flags["how_many_training_steps"])
    optimizer = "trainer.optimizer_config"
    found: list[tuple[str, Any]] = [
        ("trainer.train_steps", flags["how_many_training_steps"]),
        ("trainer.steps_per_loop", interval),
        ("trainer.summary_interval", interval),
        ("trainer.validation_interval", interval),
        (f"{optimizer}.optimizer.type", "sgd"),
        (f"{optimizer}.optimizer.sgd.momentum", 0.0),
        (f"{optimizer}.learning_rate.type", "constant"),
        (f"{optimizer}.learning_rate.constant.learning_rate", flags["learning_rate"]),
        ("task.train_data.global_batch_size", flags["train_batch_size"]),
    ]
    if flags["architecture"]:
        found.append(("task.model.network.mobilenet.architecture", flags["architecture"]))
    if flags["bottleneck_dir"]:
        found.append(("task.bottlenecks.folder", flags["bottleneck_dir"]))
    varied = {"crop": "random_crop", "zoom": "random_scale", "brightness": "random_brightness"}
    found += [(f"task.train_data.augmentation.{key}", flags[flag] / 100) for key, flag in varied.items() if flags[flag]]
    if flags["flip_left_right"]:
        found.append(("task.train_data.augmentation.flip", 0.5))
    return found


def _say_what_is_without_effect(flags: dict[str, Any]) -> None:
    reasons: dict[str, list[str]] = {}
    for name, reason in _WITHOUT_EFFECT.items():
        if flags[name] is not None:
            reasons.setdefault(reason, []).append(f"--{name}")
    for reason, names in reasons.items():
        decide = "decides" if len(names) == 1 else "decide"
        say(f"note: {', '.join(names)} {decide} nothing here: {reason}")


def _quoted(words: Sequence[object]) -> str:
    return " ".join(shlex.quote(str(word)) for word in words)

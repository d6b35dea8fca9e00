"""The checkpoint files of a run: which there are, which of them can be gone on from."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from collectors.errors import InputError
from collectors.files import write_atomically

_NUMBERED = re.compile(r".*-(\d+)")
_STATE = "checkpoint"
_SET_ASIDE = ".damaged"


def checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    """Return number (a step, or TFM's count of best ones) and prefix of every checkpoint in a folder, oldest first."""
    prefixes = (path.with_suffix("") for path in folder.glob("*-*.index"))
    return sorted((int(match[1]), prefix) for prefix in prefixes if (match := _NUMBERED.fullmatch(prefix.name)))


def last_step(folder: Path) -> int:
    """Return the step of the newest checkpoint, 0 when there is none."""
    found = checkpoints_in(folder)
    return found[-1][0] if found else 0


def problem_of(prefix: Path) -> str:
    """Read every value of a checkpoint and say what is wrong with it; an empty string when nothing is."""
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        for name, kind in reader.get_variable_to_dtype_map().items():
            value = reader.get_tensor(name)
            if kind.is_floating and not np.isfinite(value.astype(np.float32)).all():
                return f"`{name.partition('/.ATTRIBUTES')[0]}` is not a number"
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
        return str(error).partition("\n")[0]
    return ""


def keep_sound_ones(folder: Path, notice: Callable[[str], None]) -> int:
    """Set checkpoints aside that cannot be gone on from, newest first, until one can; return its step.

    A file that was cut, or weights that are not numbers, keep their name with ``.damaged`` after it. TensorFlow's own
    list of checkpoints is written anew where it disagrees with the files.

    Args:
        folder: ``checkpoints/last`` of a run; it need not exist.
        notice: Told in a sentence what was set aside.

    Returns:
        The step of the newest sound checkpoint, 0 when there are none at all.

    Raises:
        InputError: There are checkpoints, and none is sound.
    """
    found = checkpoints_in(folder)
    damaged = []
    while found and (problem := problem_of(found[-1][1])):
        step, prefix = found.pop()
        damaged.append(prefix)
        for path in folder.glob(f"{prefix.name}.*"):
            if path.suffix != _SET_ASIDE:
                path.rename(path.with_name(path.name + _SET_ASIDE))
        notice(f"the checkpoint of step {step} is set aside, it cannot be used: {problem}")
    if damaged and not found:
        raise InputError(
            "no checkpoint of this run can be read",
            where=str(folder),
            fix="Remove that folder to begin again at step 0, or copy a sound checkpoint into it.",
        )
    _write_state(folder, [prefix for _, prefix in found])
    if damaged:
        notice(f"going back to the checkpoint of step {found[-1][0]}")
    return found[-1][0] if found else 0


def _write_state(folder: Path, prefixes: list[Path]) -> None:
    """Let TensorFlow's list name the files that are there; a list that does is left alone."""
    names = [prefix.name for prefix in prefixes]
    listed = tf.train.get_checkpoint_state(str(folder)) if folder.is_dir() else None
    known = [Path(name).name for name in listed.all_model_checkpoint_paths] if listed else []
    newest = [Path(listed.model_checkpoint_path).name] if listed else []
    if known == names and newest == names[-1:]:
        return
    if not names:
        (folder / _STATE).unlink(missing_ok=True)
        return
    # Bare names, so that the folder can be copied elsewhere.
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
    write_atomically(folder / _STATE, "\n".join(lines) + "\n")

"""Options that several commands share, and what they do to a run."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.output import say

Command = Callable[..., Any]
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_S = 10.0


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")(command)


def records_option(command: Command) -> Command:
    """Add ``--records DIR``."""
    return click.option(
        "--records",
        "records_dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("records"),
        show_default=True,
        help="Where the records and their label map are.",
    )(command)


def weights_cache() -> Path:
    """Return the folder of fetched weights: TAGBOX_WEIGHTS_CACHE, or in the person's cache folder."""
    if named := os.environ.get("TAGBOX_WEIGHTS_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagbox" / "weights"


def cache_option(command: Command) -> Command:
    """Add ``--cache DIR``."""
    return click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        default=weights_cache,
        show_default="~/.cache/tagbox/weights",
        help="Where fetched weights are kept.",
    )(command)


# What --set-path can fill, and the key of the config that it stands for.
_PATH_KEYS = {
    "input": "task.train_data.input_path",
    "eval_input": "task.validation_data.input_path",
    "label_map": "task.label_map",
}


def set_path_option(command: Command) -> Command:
    """Add ``--set-path WHAT=PATH``."""
    return click.option(
        "--set-path",
        "paths",
        multiple=True,
        metavar="WHAT=PATH",
        help=f"Fill a path of the config: {', '.join(_PATH_KEYS)}. Globs and commas name several records; repeat it.",
    )(command)


def fill_paths(experiment: Any, paths: Sequence[str]) -> None:
    """Put the values of ``--set-path`` into an experiment."""
    given: dict[str, list[str]] = {}
    for word in paths:
        what, separator, value = word.partition("=")
        if what not in _PATH_KEYS or not separator or not value:
            raise click.UsageError(f"--set-path {word}: give one of {', '.join(f'{key}=PATH' for key in _PATH_KEYS)}")
        given.setdefault(what, []).append(value)
    for what, values in given.items():
        records = [part.strip() for one in values for part in one.split(",")]
        experiment.set(_PATH_KEYS[what], values[-1] if what == "label_map" else records, f"--set-path {what}")


def codes_in(words: Sequence[str]) -> frozenset[str]:
    """Return the codes that an option of `tagbox labels` names, words of codes and letters with commas between.

    Raises:
        ConfigError: There is no such code.
    """
    from labeling.codes import expand_codes

    try:
        return expand_codes([part for word in words for part in word.split(",") if part.strip()])
    except ValueError as error:
        raise ConfigError(str(error), fix="List them with: tagbox labels codes") from error


@contextmanager
def stop_on_signal(
    words: str = "stopping after this loop of steps and saving; press Ctrl-C again to drop them",
) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a polite request; the second one is not polite.

    Args:
        words: What to say to the first.

    Yields:
        A function that tells whether a stop was asked for.
    """
    asked: list[int] = []

    def on_signal(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say(words)

    previous = {number: signal.signal(number, on_signal) for number in _STOP_SIGNALS}
    try:
        with _end_even_when_stuck():
            yield lambda: bool(asked)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _end_even_when_stuck() -> Iterator[None]:
    """End the process some seconds after the second signal where Python had no chance to act on it.

    A worker that waits for others waits inside TensorFlow, where no handler of Python runs.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        received = 0
        while received < 2:
            numbers = reader.recv(16)
            if not numbers:
                return
            received += sum(number in _STOP_SIGNALS for number in numbers)
        reader.settimeout(_GRACE_S)
        try:
            while reader.recv(16):
                pass
        except TimeoutError:
            os._exit(exit_codes.INTERRUPTED)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        watcher.join()
        reader.close()


def quieten_tensorflow() -> None:
    """Keep the lines of TensorFlow and OpenCV off the terminal; must come before their import. A run's log has them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def native_lines_hidden() -> Iterator[None]:
    """Keep what converters and interpreters in C++ print on stderr off the terminal; Python's own stderr stays."""
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError):  # not a file, such as a test's
        yield
        return
    kept, shown = os.dup(number), sys.stderr
    with Path(os.devnull).open("w") as nowhere, os.fdopen(kept, "w", buffering=1) as terminal:
        os.dup2(nowhere.fileno(), number)
        sys.stderr = terminal
        try:
            yield
        finally:
            sys.stderr = shown
            os.dup2(terminal.fileno(), number)

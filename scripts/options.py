"""Options that several commands share, and what they do to a run."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from scripts.output import say

Command = Callable[..., Any]


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


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a polite request; the second one is not polite.

    Yields a function that tells whether a stop was asked for.
    """
    asked: list[int] = []

    def on_signal(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("stopping after this loop of steps and saving; press Ctrl-C again to drop them")

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def quieten_tensorflow() -> None:
    """Keep TensorFlow's own lines off the terminal; must come before its import. A run's log has them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
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

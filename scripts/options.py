"""Options that several commands share, and what they do to a run."""

import logging
import os
import signal
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

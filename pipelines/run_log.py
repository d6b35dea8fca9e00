"""Where TFM and TensorFlow log: a file of the run folder instead of the terminal."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from absl import logging as absl_logging


class _QuietFileHandler(logging.FileHandler):
    """A full disk ends the run with a message of its own; logging would print a traceback for every line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


@contextlib.contextmanager
def logging_into(path: Path) -> Iterator[None]:
    """Send what TFM and TensorFlow log into the run folder instead of the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _QuietFileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s"))
    loggers = [absl_logging.get_absl_logger(), logging.getLogger("tensorflow")]
    previous = [(logger, list(logger.handlers), logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, handlers, propagate, level in previous:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        handler.close()

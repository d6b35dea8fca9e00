"""The live line of a training: one line that is rewritten on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as RichProgress

from scripts.output import figure, say, words_above

if TYPE_CHECKING:  # its module imports TensorFlow
    from pipelines.training_progress import TrainingReport


def training_words(where: "TrainingReport") -> str:
    """Return step, loss, steps a second, time left and the last AP50 or top1; dashes for what is not known yet."""
    rate = f"{where.steps_per_second:.2f}" if where.steps_per_second else "-"
    left = _duration(where.eta_s) if where.eta_s else "-"
    return (
        f"step {where.step}/{where.total_steps}  loss {where.loss:.3f}  {rate} steps/s  ETA {left}  "
        f"{where.figure_name} {figure(where.figure)}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def training_line() -> Iterator[Callable[["TrainingReport"], None]]:
    """Yield what a training reports to."""
    if not sys.stderr.isatty():
        yield lambda where: say(training_words(where))
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    with RichProgress(*columns, console=Console(stderr=True)) as bar, words_above(bar):
        task = bar.add_task("preparing the first steps", total=None)

        def report(where: "TrainingReport") -> None:
            bar.update(task, completed=where.step, total=where.total_steps, description=training_words(where))

        yield report

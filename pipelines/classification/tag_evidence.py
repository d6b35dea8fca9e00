"""``tag_predictions.csv``: what an evaluation of a tag classifier found in every picture."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collectors.files import write_atomically
from pipelines.classification.tag_answers import TagAnswers

FILE = "tag_predictions.csv"


def write_tag_answers(
    folder: Path,
    answers: TagAnswers,
    pictures: Iterable[str],
    names: Sequence[str],
    thresholds: NDArray[np.float64],
) -> None:
    """Write a row for each tag that a picture has or is given: ``picture,tag,truth,found,score``.

    ``truth`` and ``found`` are 0 or 1. Rows are in the order of evaluation, those of a picture likeliest first.

    Args:
        folder: The run.
        answers: To all pictures.
        pictures: Their names, in that order.
        names: Tags, in the order of the outputs.
        thresholds: From which probability on each is given, ``(tags,)``.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["picture", "tag", "truth", "found", "score"])
    for picture, truth, scores in zip(pictures, answers.truth, answers.scores, strict=True):
        found = scores >= thresholds
        shown = [at for at in np.argsort(-scores, kind="stable").tolist() if truth[at] or found[at]]
        writer.writerows([picture, names[at], int(truth[at]), int(found[at]), f"{scores[at]:.6g}"] for at in shown)
    write_atomically(folder / FILE, stream.getvalue())

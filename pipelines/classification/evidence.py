"""What an evaluation of a classifier leaves beside its figures: every answer, confusion of classes, pictures."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from collectors.errors import InputError
from collectors.files import write_atomically
from pipelines.board_summaries import BoardSummaries
from pipelines.classification.answers import Answers, confusion_counts
from pipelines.classification.model_config import ClassifierData
from pipelines.classification.mosaic import Tile, draw_mosaic, picture_of
from pipelines.record_reader import RecordReader
from pipelines.run_directory import RunDirectory
from records.reading import read_features

PREDICTIONS, CONFUSION = "predictions.csv", "confusion.json"
_BOARD_PICTURES = 36
_NAME_KEYS = ("tagbox/image_path", "tagbox/source", "tagbox/drawing", "image/filename")
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A row of ``predictions.csv``.

    Attributes:
        picture: Name of the picture: its path below the source folder, or the file of a drawing and which one of it.
        truth: Its class.
        found: The likeliest classes, best first.
        scores: Their probabilities.
    """

    picture: str
    truth: str
    found: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether the best answer is the truth."""
        return self.found[0] == self.truth


def write(answers: Answers, names: Sequence[str], data: ClassifierData, run: RunDirectory) -> None:
    """Write ``predictions.csv``, a row a picture in the order of evaluation, and ``confusion.json``.

    Args:
        answers: To all pictures of ``data``.
        names: Class names, in the order of the outputs.
        data: What was evaluated.
        run: Where to write.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    num_found = answers.outputs.shape[1]
    writer.writerow(
        ["picture", "truth", *(f"{what}{rank}" for rank in range(1, num_found + 1) for what in ("found", "score"))]
    )
    columns = (answers.truth.tolist(), answers.outputs.tolist(), answers.scores.tolist())
    for picture, truth, outputs, scores in zip(picture_names(data), *columns, strict=True):
        found = [part for pair in zip(outputs, scores, strict=True) for part in (names[pair[0]], f"{pair[1]:.6g}")]
        writer.writerow([picture, names[truth] if truth >= 0 else "", *found])
    write_atomically(run.path / PREDICTIONS, stream.getvalue())
    confusion = {"names": list(names), "counts": confusion_counts(answers, len(names)).tolist()}
    write_atomically(run.path / CONFUSION, json.dumps(confusion, ensure_ascii=False) + "\n")


def read_answers(run: RunDirectory) -> list[StoredAnswer]:
    """Read ``predictions.csv`` of a run.

    Raises:
        InputError: The run was not evaluated, or the file is something else.
    """
    path = run.path / PREDICTIONS
    fix = f"Evaluate it: tagbox eval {run.path}"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            if header[:4] != ["picture", "truth", "found1", "score1"]:
                raise InputError("is not what an evaluation writes", where=str(path), fix=fix)
            return [StoredAnswer(row[0], row[1], tuple(row[2::2]), tuple(map(float, row[3::2]))) for row in rows]
    except FileNotFoundError as error:
        raise InputError("this run was not evaluated", where=str(path), fix=fix) from error
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"is not what an evaluation writes ({error})", where=str(path), fix=fix) from error


def picture_names(data: ClassifierData) -> Iterator[str]:
    """Yield the name of every picture that is evaluated, in that order; one without a name is ``#`` and its place."""
    wanted = {key: tf.io.FixedLenFeature([], tf.string, "") for key in _NAME_KEYS}
    examples = RecordReader(data).once()
    batches = examples.batch(_AT_ONCE).map(lambda places, batch: (places, tf.io.parse_example(batch, wanted)))
    for places, features in batches:
        columns = [features[key].numpy() for key in _NAME_KEYS]
        for place, path, source, drawing, file_name in zip(places.numpy().tolist(), *columns, strict=True):
            name = path or (source + b"#" + drawing if source else file_name) or b"#%d" % place
            yield name.decode("utf-8", "replace")


def tiles_of(paths: Sequence[Path], answers: Answers, rows: Sequence[int], names: Sequence[str]) -> list[Tile]:
    """Return pictures with what was answered to them.

    Args:
        paths: The records that were evaluated, in their order.
        answers: Of that evaluation.
        rows: Which of the answers, in the order in which they are wanted.
        names: Class names, in the order of the outputs.
    """
    wanted = {int(answers.places[row]): row for row in rows}
    found: dict[int, Tile] = {}
    for place, features in enumerate(features for path in paths for features in read_features(path)):
        if len(found) == len(wanted):
            break
        if place in wanted:
            row = wanted[place]
            truth = int(answers.truth[row])
            found[row] = Tile(
                picture_of(features),
                truth=names[truth] if truth >= 0 else "?",
                found=names[int(answers.outputs[row, 0])],
                score=float(answers.scores[row, 0]),
            )
    return [found[row] for row in rows if row in found]


class AnsweredPictures:
    """A few verification pictures, the same at every evaluation, with the best answer to each.

    Args:
        paths: The verification records, in the order in which they are evaluated.
        task: Whose newest evaluation is drawn.
    """

    def __init__(self, paths: Sequence[Path], task: Any) -> None:
        self._paths, self._task = paths, task

    def write(self, summaries: BoardSummaries) -> None:
        """Write ``eval_pictures``, one mosaic."""
        answers = self._task.answers
        count = min(_BOARD_PICTURES, len(answers))
        rows = np.linspace(0, max(0, len(answers) - 1), count).round().astype(int).tolist() if count else []
        mosaic = draw_mosaic(tiles_of(self._paths, answers, rows, self._task.names))
        if mosaic is not None:
            with summaries.summary_writer().as_default():
                tf.summary.image("eval_pictures", np.asarray(mosaic)[None], step=summaries.global_step,
                                 description="what each was taken for; mistakes in red, with the truth")  # fmt: skip
            summaries.flush()

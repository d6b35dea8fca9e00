"""``predictions.csv``: what a classifier answered to every picture of an evaluation; read without TensorFlow."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from collectors.files import write_atomically

FILE = "predictions.csv"
_HEAD = ["picture", "truth", "found1", "score1"]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One row.

    Attributes:
        picture: Name of the picture: its path below the source folder, or the file of a drawing and which one of it.
        truth: Its class; empty for a class that the network does not have.
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


def write_answers(folder: Path, answers: Iterable[StoredAnswer]) -> None:
    """Write ``predictions.csv``: ``picture,truth,found1,score1,found2,score2...``, a row a picture, in their order."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    num_found = 1
    rows = []
    for answer in answers:
        pairs = zip(answer.found, answer.scores, strict=True)
        rows.append([answer.picture, answer.truth, *(cell for name, score in pairs for cell in (name, f"{score:.6g}"))])
        num_found = max(num_found, len(answer.found))
    ranks = range(1, num_found + 1)
    writer.writerow(["picture", "truth", *(f"{what}{rank}" for rank in ranks for what in ("found", "score"))])
    writer.writerows(rows)
    write_atomically(folder / FILE, stream.getvalue())


def read_answers(folder: Path) -> list[StoredAnswer]:
    """Read ``predictions.csv`` of a run.

    Raises:
        InputError: The run was not evaluated, or the file is something else.
    """
    path = folder / FILE
    fix = f"Evaluate it: tagbox eval {folder}"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream)
            if next(rows, [])[: len(_HEAD)] != _HEAD:
                raise InputError("is not what an evaluation of a classifier writes", where=str(path), fix=fix)
            return [_answer(row) for row in rows]
    except FileNotFoundError as error:
        raise InputError("this run was not evaluated", where=str(path), fix=fix) from error
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InputError(
            f"is not what an evaluation of a classifier writes ({error})", where=str(path), fix=fix
        ) from error


def _answer(row: Sequence[str]) -> StoredAnswer:
    answer = StoredAnswer(row[0], row[1], tuple(row[2::2]), tuple(map(float, row[3::2])))
    if not answer.found or len(answer.found) != len(answer.scores):
        raise ValueError(f"a row of {len(row)} cells")
    return answer

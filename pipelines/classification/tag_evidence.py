"""What an evaluation of a tag classifier leaves beside its figures.

``tag_predictions.csv`` is for people: the tags that a picture has or is given. ``tag_scores.npz`` is for programs: the
score of every tag for every picture, which a comparison of two runs needs.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.files import write_atomically
from pipelines.classification.tag_answers import TagAnswers

FILE = "tag_predictions.csv"
SCORES_FILE = "tag_scores.npz"


@dataclass(frozen=True, slots=True, eq=False)
class StoredTags:
    """What ``tag_scores.npz`` holds, rows in the order of evaluation.

    Attributes:
        pictures: Name of each picture, ``(n,)``.
        tags: Names of the tags, ``(tags,)``, in the order of the outputs.
        places: int64 ``(n,)``: place of each picture in the records.
        truth: bool ``(n, tags)``: the tags of each picture.
        scores: float32 ``(n, tags)``: the probability of each tag.
    """

    pictures: tuple[str, ...]
    tags: tuple[str, ...]
    places: NDArray[np.int64]
    truth: NDArray[np.bool_]
    scores: NDArray[np.float32]


def write_tag_answers(
    folder: Path, answers: TagAnswers, pictures: Sequence[str], names: Sequence[str], thresholds: NDArray[np.float64]
) -> None:
    """Write both files.

    ``tag_predictions.csv`` has a row for each tag that a picture has or is given: ``picture,tag,truth,found,score``.
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
    shape = (len(answers), len(names))
    content = io.BytesIO()
    np.savez_compressed(
        content,
        # Without a picture there is no column either.
        pictures=np.array(pictures, np.str_),
        tags=np.array(names, np.str_),
        places=answers.places,
        truth=answers.truth if len(answers) else np.zeros(shape, np.bool_),
        scores=answers.scores if len(answers) else np.zeros(shape, np.float32),
    )
    write_atomically(folder / SCORES_FILE, content.getvalue())


def read_tag_scores(folder: Path) -> StoredTags:
    """Read ``tag_scores.npz`` of a run.

    Raises:
        InputError: The run was not evaluated, or the file is something else.
    """
    path = folder / SCORES_FILE
    fix = f"Evaluate it: tagbox eval {folder}"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            stored = StoredTags(
                tuple(content["pictures"].tolist()),
                tuple(content["tags"].tolist()),
                content["places"].astype(np.int64),
                content["truth"].astype(np.bool_),
                content["scores"].astype(np.float32),
            )
    except FileNotFoundError as error:
        raise InputError("this run was not evaluated", where=str(path), fix=fix) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"is not what an evaluation of a tag classifier writes ({reason})", where=str(path), fix=fix
        ) from error
    shape = (len(stored.pictures), len(stored.tags))
    if stored.truth.shape != shape or stored.scores.shape != shape or stored.places.shape != shape[:1]:
        raise InputError("is not what an evaluation of a tag classifier writes (its parts differ in size)",
                         where=str(path), fix=fix)  # fmt: skip
    return stored

"""What an evaluation of a classifier leaves beside its figures: every answer, confusion of classes, pictures."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from collectors.files import atomic_writer, write_atomically
from pipelines.board_summaries import BoardSummaries
from pipelines.classification.answers import Answers, confusion_counts
from pipelines.classification.model_config import ClassifierData
from pipelines.classification.mosaic import MOST_TILES, NamedPicture, Tile, draw_mosaic, picture_of
from pipelines.classification.predictions_file import StoredAnswer, write_answers
from pipelines.record_reader import RecordReader
from pipelines.run_directory import RunDirectory
from records.reading import read_features_at

CONFUSION = "confusion.json"
_NAME_KEYS = ("tagbox/image_path", "tagbox/source", "tagbox/drawing", "image/filename")
_AT_ONCE = 4096


def write(answers: Answers, names: Sequence[str], data: ClassifierData, run: RunDirectory) -> None:
    """Write ``predictions.csv``, a row a picture in the order of evaluation, and ``confusion.json``.

    Args:
        answers: To all pictures of ``data``.
        names: Class names, in the order of the outputs.
        data: What was evaluated.
        run: Where to write.
    """
    columns = (answers.truth.tolist(), answers.outputs.tolist(), answers.scores.tolist())
    write_answers(
        run.path,
        (
            StoredAnswer(
                picture, names[truth] if truth >= 0 else "", tuple(names[one] for one in outputs), tuple(scores)
            )
            for picture, truth, outputs, scores in zip(picture_names(data), *columns, strict=True)
        ),
    )
    confusion = {"names": list(names), "counts": confusion_counts(answers, len(names)).tolist()}
    write_atomically(run.path / CONFUSION, json.dumps(confusion, ensure_ascii=False) + "\n")


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


def write_batch(pictures: Sequence[tuple[Any, Sequence[str]]], output: Path) -> None:
    """Draw inputs of the network, each with what it is, as a JPEG; of many the first ones.

    Args:
        pictures: float32 ``(height, width, channels)`` in ``[0, 1]``, and the lines to write below, at most six. One
            channel is ink, and is drawn dark on white.
        output: The file.
    """
    tiles = []
    for image, lines in pictures[:MOST_TILES]:
        pixels = np.clip(image * 255.0, 0, 255).round().astype(np.uint8)
        picture = Image.fromarray(255 - pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        tiles.append(NamedPicture(picture, lines))
    if mosaic := draw_mosaic(tiles):
        with atomic_writer(output) as stream:
            mosaic.save(stream, "JPEG", quality=90)


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
    for place, features in read_features_at(paths, wanted):
        row = wanted[place]
        truth = int(answers.truth[row])
        found[row] = Tile(
            picture_of(features),
            truth=names[truth] if truth >= 0 else "?",
            found=names[int(answers.outputs[row, 0])],
            score=float(answers.scores[row, 0]),
        )
    return [found[row] for row in rows if row in found]


@dataclass(frozen=True, slots=True)
class BoardMosaic:
    """A few verification pictures, the same at every evaluation, for TensorBoard.

    Attributes:
        draw: Draws them as the newest evaluation has them; ``None`` where there is nothing to draw.
        description: What the colours mean.
    """

    draw: Callable[[], Image.Image | None]
    description: str

    def write(self, summaries: BoardSummaries) -> None:
        """Write ``eval_pictures``."""
        if (mosaic := self.draw()) is None:
            return
        with summaries.summary_writer().as_default():
            step = summaries.global_step
            tf.summary.image("eval_pictures", np.asarray(mosaic)[None], step=step, description=self.description)
        summaries.flush()

"""Verification pictures of a tag classifier for TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.board_summaries import BoardSummaries
from pipelines.classification.evidence import cross_section, write_board_mosaic
from pipelines.classification.tag_answers import thresholds_of
from pipelines.classification.tag_mosaic import draw_tag_mosaic, judged_tiles


class TaggedPictures:
    """A few verification pictures, the same at every evaluation, with their tags judged.

    Args:
        paths: The verification records, in the order in which they are evaluated.
        task: Whose newest evaluation is drawn.
    """

    def __init__(self, paths: Sequence[Path], task: Any) -> None:
        self._paths, self._task = paths, task

    def write(self, summaries: BoardSummaries) -> None:
        """Write ``eval_pictures``, one mosaic."""
        answers, names = self._task.tag_answers, self._task.names
        rows = cross_section(len(answers))
        places = {int(answers.places[row]): row for row in rows}
        thresholds = thresholds_of(self._task.evaluation, names)
        tiles = judged_tiles(self._paths, places, answers.truth, answers.scores, names, thresholds)
        mosaic = draw_tag_mosaic([tiles[row] for row in rows if row in tiles])
        write_board_mosaic(mosaic, summaries, "red: given and wrong; brown: missed; at each tag's best threshold")

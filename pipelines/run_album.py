"""The album of mistakes of a run, from what its last evaluation left in the run folder."""

import json
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from pipelines.detection_record import DetectionRecord
from pipelines.evaluate import stored_experiment
from pipelines.mistake_album import DEFAULT_LIMIT, find_mistakes, write_album
from pipelines.picture_origins import RecordPictures
from pipelines.record_paths import expand
from pipelines.run_directory import RunDirectory


def write_run_album(run: RunDirectory, *, limit: int = DEFAULT_LIMIT, output: Path | None = None) -> dict[str, Any]:
    """Write the folder ``mistakes`` of a run that was evaluated; see `pipelines.mistake_album.write_album`.

    Where the records are gone, everything is listed and nothing drawn.

    Args:
        run: The run folder.
        limit: At most so many mistakes of each kind and class.
        output: Another folder than the run's.

    Returns:
        The content of ``mistakes.json``.

    Raises:
        InputError: The run was not evaluated, or by a tagbox that did not analyse errors.
    """
    results = run.read_results()
    if results is None or "errors" not in results:
        raise InputError("was not evaluated yet", where=str(run.path), fix=f"Run: tagbox eval {run.path}")
    truth = _read(run.path / "ground_truth.json")
    record = DetectionRecord(truth["images"], truth["annotations"], _read(run.path / "detections.json"))
    names = {int(one["id"]): str(one["name"]) for one in truth["categories"]}
    album = find_mistakes(record, names, min_score=results["errors"]["min_score"], limit=limit)
    try:
        paths = expand(stored_experiment(run).params.task.validation_data.input_path)
    except InputError:
        paths = []
    return write_album(album, output or run.mistakes, record, RecordPictures(record.images, paths), beside=paths)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be read ({error})", where=str(path), fix=f"Evaluate again: tagbox eval {path.parent}"
        ) from error

"""What a person looks at after an evaluation: the report, and for a detector the album of its mistakes."""

from pathlib import Path

from pipelines.report.run_report import write_report
from pipelines.run_album import write_run_album
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import DETECTOR
from pipelines.run_list import kind_of_run


def write_run_pages(run: RunDirectory) -> Path:
    """Write them into the folder of a run that was evaluated, and return the path of the report.

    Raises:
        InputError: A file of the run cannot be read or written.
    """
    # A run that an older tagbox ended has no analysis of its errors; the next evaluation makes one.
    if kind_of_run(run) is DETECTOR and "errors" in (run.read_results() or {}):
        write_run_album(run)
    return write_report(run)

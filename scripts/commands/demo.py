"""``tagbox demo``: the whole way, offline, with a report to look at in the end."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow, stop_on_signal
from scripts.output import figure, progress, say, write_json


@click.command()
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Work below this folder."
)
@click.option("--fresh", is_flag=True, help="Remove what an earlier demo made and start over.")
@json_option
def demo(root: Path, fresh: bool, as_json: bool) -> int:
    """Draw doodles, compose labelled scenes, train a detector on them, and write a report.

    Everything is made here: no download, no key. It takes about three minutes on two cores. Ctrl-C at any point is
    safe: the same command finishes the job, and says so when it is done already.
    """
    from collectors.processes import num_cores
    from pipelines import demo as way
    from pipelines.run_directory import RunDirectory

    places = way.DemoPlaces(root)
    if fresh:
        places.start_over()
    if places.is_done():
        say("the demo is done already; --fresh starts over")
        _tell(places, RunDirectory(places.run).read_results() or {}, as_json)
        return exit_codes.DONE
    started = time.monotonic()
    dataset = way.make_dataset(places, progress, num_cores())
    say(f"  {dataset.num_drawings} drawings and {_scenes(way)} labelled scenes are in {places.home}")
    built = way.make_records(places, dataset, progress)
    say(f"  {built.num_written} pictures in records, {built.num_refused} refused, in {places.records}")
    quieten_tensorflow()
    say("starting TensorFlow")
    code = _train(way, places)
    if code != exit_codes.DONE:
        return code
    say("evaluating the best checkpoint and writing the report")
    results = way.finish(places)
    say(f"done in {(time.monotonic() - started) / 60:.1f} minutes")
    _tell(places, results, as_json)
    return exit_codes.DONE


def _scenes(way: Any) -> int:
    return int(len(way.CATEGORIES) * (way.TRAINING_SCENES + way.VERIFICATION_SCENES))


def _train(way: Any, places: Any) -> int:
    from pipelines.training_progress import InterruptedRunError, TrainingReport

    with stop_on_signal() as should_stop, progress("training") as advance:

        def report(where: TrainingReport) -> None:
            precision = f", AP50 {where.figure:.3f}" if where.figure is not None else ""
            advance(where.step, where.total_steps, f"loss {where.loss:.2f}{precision}")

        try:
            way.train_detector(places, command=sys.argv, report=report, should_stop=should_stop)
        except InterruptedRunError as stop:
            say(str(stop))
            return exit_codes.INTERRUPTED
    return exit_codes.DONE


def _tell(places: Any, results: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(results)
    say(f"AP50 {figure(results.get('AP50'))}, AP {figure(results.get('AP'))} on {results.get('num_images')} pictures")
    say(f"look at {places.report}")
    say(f"what it did: {places.home / 'data'} (scenes with LabelImg XML), {places.records}, {places.run}")
    say("by hand it is: tagbox labels check, tagbox records build, tagbox train, tagbox eval, tagbox predict")

"""A classifier evaluated, and its figures printed."""

from collections.abc import Sequence
from typing import Any

from scripts.evaluation_tables import say_intervals
from scripts.options import quieten_tensorflow
from scripts.output import figure, progress, say, write_json, write_table

_WORST, _SHOWN = 20, 5


def evaluate_classifier(run: Any, records: list[str], checkpoint: str, *, as_json: bool) -> dict[str, Any]:
    """Evaluate a run on its own records, which draws its report again, or on others; print and return the figures."""
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate

    with progress("evaluating, batches") as advance:
        results = evaluate(run, checkpoint=checkpoint, input_path=records or None, progress=advance)
    if records:
        _print(results, as_json=as_json)
    else:
        tell_of_classifier(run, results, as_json=as_json)
    return results


def tell_of_classifier(run: Any, results: dict[str, Any], *, as_json: bool) -> None:
    """Print the figures that a run folder holds, and draw its report."""
    from pipelines.report.run_report import write_report

    _print(results, as_json=as_json)
    say(f"report: {write_report(run)}")


def _print(results: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(results)
    elif "mAP" in results:
        _print_tag_results(results)
    else:
        _print_classifier_results(results)


def _print_tag_results(results: dict[str, Any]) -> None:
    _write_figures(results, ("mAP", "mAP_by_chance", "micro_F1", "macro_F1", "top1", "loss"))
    say_intervals(results, ("mAP", "top1"))
    if results["num_unknown"]:
        say(f"note: {results['num_unknown']} pictures have tags that the network does not have; those are left out")
    _write_classes(results, ("AP", "AP_by_chance", "F1", "threshold", "precision", "recall"), "tag", "tags")


def _print_classifier_results(results: dict[str, Any]) -> None:
    _write_figures(results, ("top1", "top5", "macro_top1", "loss"))
    say_intervals(results, ("top1", "top5"))
    if results["num_unknown"]:
        names = results.get("unknown_classes", [])
        shown = f": {', '.join(names[:_SHOWN])}{'...' if len(names) > _SHOWN else ''}" if names else ""
        say(
            f"note: {results['num_unknown']} pictures are of classes that the network does not have; all are mistakes"
            f"{shown}"
        )
    _write_classes(results, ("top1", "precision"), "class", "classes")


def _write_figures(results: dict[str, Any], names: Sequence[str]) -> None:
    row = [*(figure(results[name]) for name in names), str(results["num_images"]), str(results["step"])]
    write_table([*names, "pictures", "step"], [row], right=set(range(len(row))))


def _write_classes(results: dict[str, Any], columns: Sequence[str], noun: str, plural: str) -> None:
    """Print the figures of the classes that have pictures; of many, those that are worst in the first column."""
    judged = [(name, row) for name, row in results["per_class"].items() if row["num_truth"]]
    worst_first = sorted(judged, key=lambda one: (one[1][columns[0]], one[0]))
    shown = judged if len(judged) <= _WORST else worst_first[:_WORST]
    write_table(
        [noun, *columns, "pictures"],
        [[name, *(figure(row[column]) for column in columns), str(row["num_truth"])] for name, row in shown],
        right=set(range(1, 2 + len(columns))),
    )
    if len(shown) < len(judged):
        say(f"the {len(shown)} worst of {len(judged)} {plural}; all are in results.json")
    if len(judged) < len(results["per_class"]):
        say(f"{len(results['per_class']) - len(judged)} {plural} have no picture here")

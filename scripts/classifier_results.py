"""A classifier evaluated, and its figures printed."""

from typing import Any

from scripts.options import quieten_tensorflow
from scripts.output import figure, progress, say, write_json, write_table

_WORST = 20


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
        print_tag_results(results)
    else:
        print_classifier_results(results)


def print_tag_results(results: dict[str, Any]) -> None:
    """Print the figures of a tag classifier as two tables on stdout; of many tags the worst ones only."""
    names = ("mAP", "mAP_by_chance", "micro_F1", "macro_F1", "top1", "loss")
    write_table(
        [*names, "pictures", "step"],
        [[*(figure(results[name]) for name in names), str(results["num_images"]), str(results["step"])]],
        right=set(range(8)),
    )
    intervals = results["intervals"]
    if sure := [f"{name} {_range(intervals[name])}" for name in ("mAP", "top1") if intervals[name]]:
        say(f"95 % interval (bootstrap over the pictures): {', '.join(sure)}")
    if results["num_unknown"]:
        say(f"note: {results['num_unknown']} pictures have tags that the network does not have; those are left out")
    judged = [(name, row) for name, row in results["per_class"].items() if row["num_truth"]]
    shown = judged if len(judged) <= _WORST else sorted(judged, key=lambda one: (one[1]["AP"], one[0]))[:_WORST]
    columns = ("AP", "AP_by_chance", "F1", "threshold", "precision", "recall")
    write_table(
        ["tag", *columns, "pictures"],
        [[name, *(figure(row[column]) for column in columns), str(row["num_truth"])] for name, row in shown],
        right=set(range(1, 8)),
    )
    if len(shown) < len(judged):
        say(f"the {len(shown)} worst of {len(judged)} tags; all are in results.json")
    if len(judged) < len(results["per_class"]):
        say(f"{len(results['per_class']) - len(judged)} tags have no picture here")


def print_classifier_results(results: dict[str, Any]) -> None:
    """Print the figures of an evaluation as two tables on stdout; of many classes the worst ones only."""
    names = ("top1", "top5", "macro_top1", "loss")
    write_table(
        [*names, "pictures", "step"],
        [[*(figure(results[name]) for name in names), str(results["num_images"]), str(results["step"])]],
        right=set(range(6)),
    )
    intervals = results["intervals"]
    if sure := [f"{name} {_range(intervals[name])}" for name in ("top1", "top5") if intervals[name]]:
        say(f"95 % interval (bootstrap over the pictures): {', '.join(sure)}")
    if results["num_unknown"]:
        say(f"note: {results['num_unknown']} pictures are of classes that the network does not have; all are mistakes")
    judged = [(name, row) for name, row in results["per_class"].items() if row["num_truth"]]
    shown = judged if len(judged) <= _WORST else sorted(judged, key=lambda one: (one[1]["top1"], one[0]))[:_WORST]
    write_table(
        ["class", "top1", "precision", "pictures"],
        [[name, figure(row["top1"]), figure(row["precision"]), str(row["num_truth"])] for name, row in shown],
        right={1, 2, 3},
    )
    if len(shown) < len(judged):
        say(f"the {len(shown)} worst of {len(judged)} classes; all are in results.json")
    if len(judged) < len(results["per_class"]):
        say(f"{len(results['per_class']) - len(judged)} classes have no picture here")


def _range(ends: list[float]) -> str:
    return f"{figure(ends[0])} to {figure(ends[1])}"

"""The figures of a classifier, printed."""

from typing import Any

from scripts.output import figure, say, write_table

_WORST = 20


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

"""The figures of an evaluation, what goes wrong and which labels to look at, as tables on stdout."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.output import figure, say, write_table

_ERRORS = {
    "confused": "on a box of another class",
    "mislocalised": "beside a box of its class",
    "confused_mislocalised": "beside a box of another class",
    "duplicate": "a second time on a box",
    "background": "where nothing is",
    "missed": "box that is not found",
    "false_positives": "all that is wrongly found",
    "false_negatives": "all that is not rightly found",
}
_SUSPECTS_SHOWN, _WORTH_SHOWING = 10, 0.1


def print_results(results: Mapping[str, Any]) -> None:
    """Print the figures, those of each class, and what errors cost."""
    names, pascal = ["AP", "AP50", "AP75", "AR100"], results["pascal"]
    headings = [*names, "VOC AP", "VOC07 AP", "pictures"]
    row = [*(figure(results[name]) for name in names), figure(pascal["AP50"]), figure(pascal.get("AP50_11_point"))]
    row.append(str(results["num_images"]))
    if "step" in results:
        headings, row = [*headings, "step"], [*row, str(results["step"])]
    write_table(headings, [row], right=set(range(len(row))))
    say_intervals(results, ("AP", "AP50"))
    if results["best_threshold"] is not None:
        say(
            f"best F1 {figure(results['F1'])} with scores from {results['best_threshold']:.2f} on: "
            f"precision {figure(results['precision'])}, recall {figure(results['recall'])}"
        )
    write_table(
        ["class", "AP", "AP50", "VOC AP", "boxes"],
        [
            [name, figure(row["AP"]), figure(row["AP50"]), figure(pascal["per_class"][name]), str(row["num_truth"])]
            for name, row in results["per_class"].items()
        ],
        right={1, 2, 3, 4},
    )
    if errors := results.get("errors"):
        write_table(
            ["error", "what it is", "lost AP50", f"from {errors['min_score']:.2f} on"],
            [
                [name, _ERRORS.get(name, ""), figure(row["lost_AP50"]), str(row["count_at_min_score"])]
                for name, row in errors["kinds"].items()
            ],
            right={2, 3},
        )


def say_intervals(results: Mapping[str, Any], names: Sequence[str]) -> None:
    """Say how far other pictures would move some figures, those of them that have an interval."""
    intervals = results.get("intervals", {})
    ranges = {name: " to ".join(map(figure, intervals[name])) for name in names if intervals.get(name)}
    if ranges:
        sure = ", ".join(f"{name} {ends}" for name, ends in ranges.items())
        say(f"95 % interval (bootstrap over the pictures): {sure}")


def print_suspects(index: Mapping[str, Any]) -> None:
    """Print the labels that are most likely wrong, if there are any; ``index`` is the content of ``mistakes.json``."""
    suspects = [row for row in index["suspects"] if row["score"] >= _WORTH_SHOWING]
    if not suspects:
        return
    write_table(
        ["suspect", "score", "look at", "why"],
        [
            [
                row["kind"].replace("_", " "),
                f"{row['score']:.2f}",
                row["xml"] or row["image"] or f"picture {row['image_id']}",
                row["reason"],
            ]
            for row in suspects[:_SUSPECTS_SHOWN]
        ],
        right={1},
    )
    if len(suspects) > _SUSPECTS_SHOWN:
        say(f"{len(suspects) - _SUSPECTS_SHOWN} more labels are suspicious: see mistakes.json, or --json")
    if not any(row["xml"] for row in suspects):
        say("note: nothing says which XML a picture has; tagbox's own records and folders of XML do")

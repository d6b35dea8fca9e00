"""What the results of a detector say to do next: the things an experienced person would look at first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report.blocks import Finding
from pipelines.report.run_files import RunFiles
from pipelines.report.training import curve_of

_FEW_BOXES = 20
_WIDE_INTERVAL = 0.2
_FITTING_SHARE = 0.9
_LOOSE = 0.5
_MOST_NAMED = 6
_LONG_WAIT = 0.25
_ERROR_ADVICE = {
    "missed": ("boxes that are missed", "Are they small, hidden or cut off? More such training pictures."),
    "background": (
        "detections where nothing is",
        "Are these objects that nobody labelled? If not, add pictures of what is mistaken, without a box.",
    ),
    "mislocalised": ("boxes in the wrong place", "Train longer; look whether the labels are drawn tightly."),
    "confused": ("boxes taken for another class", "See What is taken for what: are these labels kept apart?"),
    "confused_mislocalised": ("loose boxes of another class", "See What is taken for what."),
    "duplicate": ("objects detected twice", "A lower task.model.detections.iou_threshold drops more of them."),
}


def findings_of(files: RunFiles) -> list[Finding]:
    """Return what to look at in an evaluated run, the most important first; empty where nothing stands out."""
    found = _headline(files)
    found += _training(files)
    found += _data(files)
    found += _classes(files.results)
    found += _errors(files)
    return found


def _headline(files: RunFiles) -> list[Finding]:
    results = files.results
    reached, tight = results.get("AP50"), results.get("AP")
    if reached is None:
        return [
            Finding(
                "AP is not defined: there is no box to find in the verification pictures.",
                "Put labelled pictures into data/CLASS/verification and build the records again.",
            )
        ]
    if reached < 0.01:
        return [Finding(f"AP50 is {reached:.3f}: practically nothing is found.", _why_nothing(files))]
    if tight is not None and reached >= 0.4 and tight < _LOOSE * reached:
        return [
            Finding(
                f"Boxes are found but lie loosely: AP50 {reached:.3f}, AP {tight:.3f}.",
                "Train longer, and look whether the labels are drawn tightly (tagbox labels sheet).",
            )
        ]
    return [Finding(f"AP50 is {reached:.3f}, AP {'–' if tight is None else f'{tight:.3f}'}.", tone="good")]


def _why_nothing(files: RunFiles) -> str:
    """Say what an AP of 0 usually comes from, the likeliest for this run first."""
    step, weights = files.status.get("step") or 0, files.value("task.init_checkpoint")
    fit = files.data.get("anchors") or {}
    reasons = []
    if step < 1000:
        reasons.append(f"the run has only {step} steps: train on with --set trainer.train_steps=5000")
    if not weights:
        reasons.append("it started from random weights: give trained ones with --init (tagbox weights list)")
    if fit.get("num_boxes") and fit["num_matched"] / fit["num_boxes"] < 0.5:
        reasons.append("most boxes have no anchor of their size, see Data below")
    if not (files.results.get("thresholds") or {}).get("curve"):
        reasons.append("no detection was counted at all")
    reasons.append("look at the training pictures below: are the boxes where the objects are, and the names right?")
    return "Likely causes: " + "; ".join(reasons) + "."


def _training(files: RunFiles) -> list[Finding]:
    found = []
    _, losses = curve_of(files.rows, "loss")
    if losses and not math.isfinite(losses[-1]):
        found.append(Finding("The loss is not a number at the end.", "Lower the learning rate; see train.log."))
    elif len(losses) >= 10 and (later := _mean(losses[-len(losses) // 4 :])) > 0.95 * _mean(losses[: len(losses) // 4]):
        found.append(
            Finding(
                f"The training loss does not fall (about {later:.2f} at the end).",
                "Learning rate too high or too low, or labels in the wrong places (tagbox labels check).",
            )
        )
    evaluated, figures = curve_of(files.rows, "AP50")
    if len(figures) >= 4 and max(figures) > 0.05:
        best = figures.index(max(figures))
        if best == len(figures) - 1 and figures[-1] > 1.02 * figures[-2]:
            found.append(
                Finding(
                    f"AP50 was still rising at the last step ({evaluated[-1]}).",
                    "More steps are likely to pay: trainer.train_steps.",
                    tone="plain",
                )
            )
        elif best < len(figures) // 2 and figures[-1] < 0.9 * figures[best]:
            found.append(
                Finding(
                    f"AP50 fell after step {evaluated[best]}, from {figures[best]:.3f} to {figures[-1]:.3f}.",
                    "The network learns the training pictures by heart: more pictures or stronger augmentation. "
                    "The best checkpoint is kept and is what was judged here.",
                )
            )
    _, waits = curve_of(files.rows, "input_wait_share")
    if waits and _mean(waits) > _LONG_WAIT:
        found.append(
            Finding(
                f"Training waited for pictures {100 * _mean(waits):.0f} % of its time.",
                "The processors cannot keep up with decoding and augmenting: more of them, or smaller pictures.",
                tone="plain",
            )
        )
    state = files.status.get("state")
    if state in ("failed", "interrupted"):
        reason = files.status.get("error") or f"at step {files.status.get('step')} of {files.status.get('total_steps')}"
        found.append(Finding(f"The run is {state}: {reason}", "Run the same command again to go on."))
    return found


def _data(files: RunFiles) -> list[Finding]:
    found = []
    fit = files.data.get("anchors") or {}
    if fit.get("num_boxes"):
        share = fit["num_matched"] / fit["num_boxes"]
        if share < _FITTING_SHARE:
            found.append(
                Finding(
                    f"{100 * (1 - share):.0f} % of the training boxes have no anchor that fits.",
                    "A larger task.model.input_size, a smaller task.model.anchors.min_scale, or other aspect_ratios.",
                )
            )
    classes = (files.data.get("training") or {}).get("classes") or {}
    if without := [name for name, count in classes.items() if not count]:
        found.append(Finding(f"Without any training box: {_named(without)}.", "They cannot be learned."))
    ends = (files.results.get("intervals") or {}).get("AP50")
    if ends and ends[1] - ends[0] > _WIDE_INTERVAL:
        found.append(
            Finding(
                f"AP50 lies anywhere from {ends[0]:.2f} to {ends[1]:.2f} with other pictures of the kind "
                f"({files.results['num_images']} verification pictures).",
                "Take small differences between runs for chance, or put more pictures into verification.",
                tone="plain",
            )
        )
    return found


def _classes(results: Mapping[str, Any]) -> list[Finding]:
    rows = results.get("per_class") or {}
    found = []
    if absent := [name for name, row in rows.items() if not row["num_truth"]]:
        found.append(Finding(f"Without any box to find: {_named(absent)}.", "Nothing is known of them.", tone="plain"))
    defined = {name: row["AP50"] for name, row in rows.items() if row["AP50"] is not None}
    overall = results.get("AP50") or 0.0
    behind = sorted((name for name, value in defined.items() if value < 0.6 * overall), key=defined.__getitem__)
    if behind:
        found.append(
            Finding(
                f"Far behind the others: {_named([f'{name} ({defined[name]:.2f})' for name in behind])}.",
                "Few training pictures, or labelled in some pictures and not in others? See What is taken for what.",
            )
        )
    few = [name for name in defined if rows[name]["num_truth"] < _FEW_BOXES]
    if few and len(rows) > 1:
        found.append(
            Finding(f"Fewer than {_FEW_BOXES} boxes to find, so a rough figure: {_named(few)}.", "", tone="plain")
        )
    return found


def _errors(files: RunFiles) -> list[Finding]:
    results = files.results
    if not (results.get("AP50") or 0) > 0.01:
        return []
    found = []
    kinds = (results.get("errors") or {}).get("kinds") or {}
    lost = {kind: kinds[kind]["lost_AP50"] or 0.0 for kind in _ERROR_ADVICE if kind in kinds}
    worst = max(lost, key=lost.__getitem__, default="")
    if worst and lost[worst] >= 0.02:
        words, todo = _ERROR_ADVICE[worst]
        number = kinds[worst]["count_at_min_score"]
        found.append(Finding(f"What costs most ({lost[worst]:.3f} of AP50): {words} ({number}).", todo, tone="plain"))
    suspects = (files.json("mistakes/mistakes.json") or {}).get("suspects") or []
    sure = [one for one in suspects if one["score"] >= 0.5]
    if sure:
        found.append(
            Finding(
                f"{len(sure)} verification {'label looks' if len(sure) == 1 else 'labels look'} wrong.",
                "See Labels to doubt. There may be as many among the training labels.",
                tone="plain",
            )
        )
    return found


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

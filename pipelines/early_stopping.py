"""Ending a run whose figures no longer get better."""

import dataclasses
from collections.abc import Mapping, Sequence

from official.modeling import hyperparams


@dataclasses.dataclass
class EarlyStopping(hyperparams.Config):
    """When a run ends before its last step.

    Attributes:
        patience: Evaluations in a row without a better figure after which the run ends; 0: it never ends early.
        min_delta: A figure is better when it is better by more than this.
        min_steps: The run does not end before this step.
        metric: The figure, a column of ``results.csv``; empty takes the one that decides the best checkpoint.
    """

    patience: int = 0
    min_delta: float = 0.0
    min_steps: int = 0
    metric: str = ""


def reason_to_stop(
    rows: Sequence[Mapping[str, str]], settings: EarlyStopping, *, step: int, metric: str, lower_is_better: bool
) -> str:
    """Tell from ``results.csv`` whether a run should end; a run that was stopped and gone on with has the same rows.

    Args:
        rows: Of ``results.csv``, in the order of steps; a row without a ``loss`` is that of an evaluation.
        settings: The config's.
        step: Where the run stands.
        metric: The column to judge by; a figure that is not defined there is no better one.
        lower_is_better: How to judge.

    Returns:
        The reason in words, such as ``AP50 has not been better than 0.9120 (step 500) in 3 evaluations``; empty when
        there is none.
    """
    if not settings.patience or step < settings.min_steps:
        return ""
    best: float | None = None
    best_step = since = 0
    for row in rows:
        if row["loss"]:
            continue
        value = float(row[metric]) if row.get(metric) else None
        gain = 0.0
        if value is not None and best is not None:
            gain = best - value if lower_is_better else value - best
        if value is not None and (best is None or gain > settings.min_delta):
            best, best_step, since = value, int(row["step"]), 0
        else:
            since += 1
    if since < settings.patience:
        return ""
    evaluations = "evaluation" if since == 1 else "evaluations"
    if best is None:
        return f"{metric} was not defined in {since} {evaluations}"
    by = f" by more than {settings.min_delta:g}" if settings.min_delta else ""
    return f"{metric} has not been better than {best:.4f} (step {best_step}){by} in {since} {evaluations}"

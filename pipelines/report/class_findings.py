"""What the results of each class say where a picture is the unit: the weakest classes, and those with few pictures."""

from collections.abc import Mapping

from pipelines.report.blocks import Finding

_MOST_NAMED = 3
_FAR_BELOW = 0.1


def weakest(figures: Mapping[str, float], mean: float, seen: str, do: str, *, unit: str = "") -> list[Finding]:
    """Name the weakest classes where the last of them is far below the mean; nothing of a single class.

    Args:
        figures: Of each class that has pictures.
        mean: Over the classes.
        seen: What they have in common, the beginning of the sentence.
        do: What to do about it.
        unit: What stands before each figure.
    """
    worst = sorted(figures, key=figures.__getitem__)[:_MOST_NAMED]
    if len(figures) < 2 or figures[worst[0]] >= mean - _FAR_BELOW:
        return []
    named = ", ".join(f"{name} ({unit}{figures[name]:.2f})" for name in worst)
    return [Finding(f"{seen}: {named}.", do, tone="plain")]


def rarely_judged(num_truth: Mapping[str, int], fewest: int, has: str, do: str) -> list[Finding]:
    """Count the classes with less than ``fewest`` verification pictures; ``has`` is as ``classes have``."""
    few = sum(count < fewest for count in num_truth.values())
    if not few:
        return []
    return [Finding(f"{few} of {len(num_truth)} {has} fewer than {fewest} verification pictures.", do, tone="plain")]

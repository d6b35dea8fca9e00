"""The numbers of a pipeline.config as a person wrote them."""

import math


def as_written(value: float) -> float:
    """Return the shortest decimal that is the same 32-bit float: 0.3333, not 0.33329999446868896."""
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if math.isclose(short, value, rel_tol=6e-8):
            return short
    return value

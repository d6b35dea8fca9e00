"""Drawings rendered a second, beside cairo, which made the official bitmaps."""

import time
from pathlib import Path

import numpy as np
import pytest

from collectors.quickdraw_formats import read_simplified
from collectors.rasterize import rasterize_drawings
from tests.unit.collectors.test_rasterize import _with_cairo

pytestmark = pytest.mark.bench


def _real_drawings(shared_data: Path, count: int):
    folder = shared_data / "quickdraw" / "simplified_25x344"
    files = sorted(folder.glob("*.ndjson"))[:: max(1, 344 * 25 // count)]
    return [drawing.strokes for path in files for drawing in read_simplified(path, pytest.fail)][:count]


def _best_seconds(work, times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


@pytest.mark.parametrize(("side", "at_least"), [(28, 7000), (85, 5000), (224, 2000)])
def test_drawings_a_second(shared_data: Path, side, at_least):
    drawings = _real_drawings(shared_data, 300)
    rate = len(drawings) / _best_seconds(lambda: rasterize_drawings(drawings, side=side))
    print(f"\n{side} px: {rate:,.0f} drawings/s a core")
    assert rate >= at_least


@pytest.mark.parametrize("side", [28, 85, 224])
def test_beside_cairo(shared_data: Path, side):
    cairo = pytest.importorskip("cairocffi", reason="the oracle, cairocffi with libcairo2, is not installed")
    drawings = _real_drawings(shared_data, 300)
    mine = _best_seconds(lambda: rasterize_drawings(drawings, side=side))
    theirs = _best_seconds(lambda: [_with_cairo(cairo, strokes, side) for strokes in drawings])
    truth = np.stack([_with_cairo(cairo, strokes, side) for strokes in drawings])
    difference = np.abs(rasterize_drawings(drawings, side=side).astype(float) - truth)
    print(f"\n{side} px: {theirs / mine:.2f} times cairo's speed, mean difference {difference.mean():.3f} of 255")
    assert difference.mean() <= 0.5
    assert theirs / mine >= 1

"""Scenes composed and written a second."""

import time
from pathlib import Path

import pytest

from collectors.doodles import doodle_categories, draw_doodle
from labeling.scene_spec import SceneSpec
from labeling.scenes import compose_scenes

pytestmark = pytest.mark.bench


@pytest.mark.parametrize(("size", "at_least"), [((320, 240), 200), ((640, 480), 150)])
def test_scenes_a_second_on_two_cores(tmp_path: Path, size, at_least):
    drawings = {name: [draw_doodle(name, index, seed=1) for index in range(30)] for name in doodle_categories()}
    spec = SceneSpec(width=size[0], height=size[1])
    started = time.perf_counter()
    summary = compose_scenes(drawings, tmp_path, spec=spec, training=150, verification=0, seed=1, jobs=2)
    rate = summary.written / (time.perf_counter() - started)
    print(f"\n{size[0]}x{size[1]}: {rate:.0f} scenes/s on two cores, start-up of the processes included")
    assert rate >= at_least


def test_doodles_a_second():
    started = time.perf_counter()
    for name in doodle_categories():
        for index in range(50):
            draw_doodle(name, index, seed=1)
    rate = 50 * len(doodle_categories()) / (time.perf_counter() - started)
    print(f"\n{rate:.0f} doodles/s")
    assert rate >= 300

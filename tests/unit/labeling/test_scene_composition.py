import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collectors.doodles import doodle_categories, draw_doodle
from labeling.scene_composition import VISIBLE_FROM, compose_scene
from labeling.scene_spec import SceneSpec

DRAWINGS = {category: [draw_doodle(category, i, seed=5) for i in range(3)] for category in doodle_categories()}
CATEGORIES = ("cat", "fish", "house")


def _scene(spec, seed, main="cat", categories=CATEGORIES):
    return compose_scene(spec, DRAWINGS, categories=categories, main=main, rng=np.random.default_rng(seed))


def _coverage(scene):
    """How much black ink lies on white paper; the picture is all the test looks at."""
    return 255 - np.asarray(scene.image)[..., 0].astype(int)


specs = st.builds(
    SceneSpec,
    width=st.integers(48, 500),
    height=st.integers(48, 500),
    objects=st.sampled_from([(1, 1), (2, 5)]),
    scale=st.sampled_from([(0.2, 0.3), (0.3, 0.9)]),
    max_overlap=st.just(0.0),
    rotation_deg=st.sampled_from([0.0, 30.0, 180.0]),
    line_width=st.sampled_from([None, (1.0, 1.0), (1.0, 4.0)]),
    colours=st.just(((0, 0, 0),)),
    background=st.just("plain"),
)


@given(specs, st.integers(0, 2**32))
@settings(max_examples=60)
def test_boxes_bound_the_ink_of_the_picture(spec, seed):
    scene = _scene(spec, seed)
    seen = _coverage(scene) >= VISIBLE_FROM
    outside = seen.copy()
    for labeled in scene.objects:
        box = labeled.box
        assert 0 < box.xmin < box.xmax < spec.width
        assert 0 < box.ymin < box.ymax < spec.height
        inside = np.s_[int(box.ymin) : int(box.ymax), int(box.xmin) : int(box.xmax)]
        for edge in (seen[inside][0], seen[inside][-1], seen[inside][:, 0], seen[inside][:, -1]):
            assert edge.any(), "every edge of a box touches ink"
        outside[inside] = False
    assert not outside.any(), "there is no ink outside the boxes"


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_overlapping_doodles_are_composed_too(seed):
    spec = SceneSpec(objects=(6, 9), scale=(0.2, 0.6), max_overlap=1.0, background="plain")
    scene = _scene(spec, seed, categories=doodle_categories())
    assert len(scene.objects) >= 6


def test_the_same_generator_state_makes_the_same_scene():
    spec = SceneSpec()
    first, second, other = _scene(spec, 3), _scene(spec, 3), _scene(spec, 4)
    assert first.objects == second.objects
    assert first.image.tobytes() == second.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


def test_the_main_category_is_always_there_and_only_chosen_ones_are_labelled():
    for seed in range(30):
        labels = [labeled.name for labeled in _scene(SceneSpec(objects=(1, 4)), seed, main="house").objects]
        assert "house" in labels
        assert 1 <= len(labels) <= 4
        assert set(labels) <= set(CATEGORIES)


def test_clutter_is_drawn_and_not_labelled():
    spec = SceneSpec(
        objects=(1, 1),
        clutter=("sun",),
        clutter_objects=(2, 2),
        max_overlap=0.0,
        colours=((0, 0, 0),),
        background="plain",
    )
    scene = _scene(spec, 1)
    assert [labeled.name for labeled in scene.objects] == ["cat"]
    ink = _coverage(scene) >= VISIBLE_FROM
    box = scene.objects[0].box
    ink[int(box.ymin) : int(box.ymax), int(box.xmin) : int(box.xmax)] = False
    assert ink.sum() > 500


def test_a_negative_scene_has_no_labels():
    empty = _scene(SceneSpec(background="plain"), 1, main=None)
    assert empty.objects == ()
    assert _coverage(empty).max() == 0
    spec = SceneSpec(background="plain", clutter=("sun",), colours=((0, 0, 0),))
    cluttered = _scene(spec, 1, main=None)
    assert cluttered.objects == ()
    assert _coverage(cluttered).max() > 100


def test_a_full_picture_gets_fewer_doodles_and_keeps_to_the_overlap():
    scene = _scene(SceneSpec(objects=(30, 30), scale=(0.5, 0.6), max_overlap=0.0), 2)
    boxes = [labeled.box for labeled in scene.objects]
    assert 1 <= len(boxes) < 30
    for number, first in enumerate(boxes):
        for second in boxes[number + 1 :]:
            # Exact extents do not overlap; boxes are whole pixels and may share one.
            assert min(first.xmax, second.xmax) - max(first.xmin, second.xmin) <= 1 or (
                min(first.ymax, second.ymax) - max(first.ymin, second.ymin) <= 1
            )


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_scale_is_the_longer_side_as_a_share_of_the_picture(share):
    spec = SceneSpec(width=600, height=400, objects=(1, 1), scale=(share, share))
    for seed in range(10):
        box = _scene(spec, seed).objects[0].box
        assert max(box.width, box.height) == pytest.approx(share * 400, abs=2)


def test_mirroring_and_rotation_can_be_switched_off():
    spec = SceneSpec(objects=(1, 1), mirror=0.0, rotation_deg=0.0)
    for seed in range(5):
        labeled = _scene(spec, seed, main="fish").objects[0]
        ratios = [
            np.ptp(points[:, 0]) / np.ptp(points[:, 1])
            for points in (np.concatenate(drawing.strokes) for drawing in DRAWINGS["fish"])
        ]
        assert min(abs(labeled.box.width / labeled.box.height - ratio) for ratio in ratios) < 0.1


@pytest.mark.parametrize(("ground", "stands_out"), [((0, 0, 0), 120), ((255, 255, 255), 120)])
def test_ink_stands_out_from_a_photograph(tmp_path, ground, stands_out):
    Image.new("RGB", (64, 64), ground).save(tmp_path / "photo.png")
    spec = SceneSpec(background="photos", photos=(tmp_path / "photo.png",), objects=(1, 1), line_width=(4, 4))
    chosen = 0
    for seed in range(20):
        difference = np.abs(np.asarray(_scene(spec, seed).image).astype(int) - ground).sum(axis=-1)
        chosen += difference.max() > 3 * stands_out
    assert chosen >= 15, "the best of three inks: seldom is none of them good"

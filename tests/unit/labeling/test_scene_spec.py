import pytest

from collectors.errors import ConfigError
from labeling.scene_spec import SceneSpec


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"width": 47}, "size"),
        ({"height": 9000}, "size"),
        ({"objects": (3, 2)}, "objects"),
        ({"objects": (0, 2)}, "objects"),
        ({"scale": (0.5, 0.4)}, "scale"),
        ({"scale": (0.5, 1.4)}, "scale"),
        ({"max_overlap": -0.1}, "max_overlap"),
        ({"max_overlap": float("nan")}, "max_overlap"),
        ({"rotation_deg": 181}, "rotation_deg"),
        ({"mirror": 2}, "mirror"),
        ({"line_width": (0.5, 3)}, "line_width"),
        ({"line_width": (3, 200)}, "line_width"),
        ({"colours": ()}, "colours"),
        ({"colours": ((0, 0, 256),)}, "colours"),
        ({"background": "sand"}, "background"),
        ({"background": "photos"}, "photos"),
        ({"clutter_objects": (2, 1)}, "clutter_objects"),
        ({"negatives": 1.0}, "negatives"),
        ({"verification_share": 0.0}, "verification_share"),
        ({"jpeg_quality": 0}, "jpeg_quality"),
        ({"jpeg_quality": 96}, "jpeg_quality"),
    ],
)
def test_a_recipe_nobody_can_draw_is_refused(changes, named):
    with pytest.raises(ConfigError, match=f"{named} must be"):
        SceneSpec(**changes)


def test_the_pen_follows_the_size_of_the_picture():
    small, large = SceneSpec(width=320, height=240), SceneSpec(width=640, height=480)
    assert large.pen_range == tuple(2 * width for width in small.pen_range)
    assert SceneSpec(width=48, height=48).pen_range == (1.0, 1.0)
    assert SceneSpec(line_width=(2, 5)).pen_range == (2, 5)

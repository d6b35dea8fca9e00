"""What stands below a picture: tags right, given wrongly and missed."""

import numpy as np
from PIL import Image

from pipelines.classification.mosaic import MISSED, RIGHT, SOFT, WRONG, NamedPicture, Tile, draw_mosaic
from pipelines.classification.tag_mosaic import TagTile, draw_tag_mosaic, judged_tile

PICTURE = Image.new("RGB", (40, 20), (10, 20, 200))
NAMES = ("cat", "dog", "art", "sea")


def _judged(truth, scores):
    thresholds = np.array([0.5, 0.2, 0.5, 0.5])
    return judged_tile(PICTURE, np.array(truth, bool), np.array(scores, np.float32), NAMES, thresholds)


def test_each_tag_is_told_by_its_own_threshold_mistakes_first():
    tile = _judged([1, 0, 1, 0], [0.9, 0.3, 0.4, 0.1])
    assert not tile.is_right
    assert tile.lines == [("wrong: dog 30%", WRONG), ("missed: art 40%", MISSED), ("cat 90%", RIGHT)]
    assert _judged([1, 0, 0, 0], [0.9, 0.1, 0.1, 0.1]).lines == [("cat 90%", RIGHT)]
    nothing = _judged([0, 0, 0, 0], [0.1] * 4)
    assert (nothing.is_right, nothing.lines) == (True, [("has no tag, is given none", SOFT)])


def test_of_many_tags_the_first_are_shown_and_the_rest_counted():
    tile = TagTile(PICTURE, wrong=tuple((f"tag {number}", 0.5) for number in range(9)))
    assert len(tile.lines) == 6
    assert tile.lines[-1][0] == "and 4 more"


def test_the_mosaic_has_room_for_the_longest_list_and_a_red_frame_for_mistakes():
    right, wrong = _judged([1, 0, 0, 0], [0.9, 0.1, 0.1, 0.1]), _judged([1, 1, 1, 1], [0.9, 0.1, 0.1, 0.1])
    mosaic = draw_tag_mosaic([right, wrong])
    assert mosaic.height > draw_tag_mosaic([right]).height
    assert mosaic.getpixel((4, 4)) == RIGHT
    assert mosaic.getpixel((4 + 168 + 4, 4)) == WRONG
    assert draw_tag_mosaic([]) is None
    # Tiles of one answer are as large as they were.
    assert draw_mosaic([Tile(PICTURE, "cat", "dog", 0.5)]).size == (120, 150)


def test_a_training_picture_has_a_line_for_each_of_its_tags():
    assert [words for words, _ in NamedPicture(PICTURE, ("cat", "art")).lines] == ["cat", "art"]
    many = NamedPicture(PICTURE, [f"tag {number}" for number in range(8)])
    assert [words for words, _ in many.lines][4:] == ["tag 4", "and 3 more"]

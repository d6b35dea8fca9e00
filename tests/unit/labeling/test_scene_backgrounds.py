from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from collectors.errors import InputError
from labeling.scene_backgrounds import find_photos, paint_background
from labeling.scene_spec import SceneSpec


def _photo(path: Path, colour, size=(90, 70)):
    Image.new("RGB", size, colour).save(path)
    return path


def test_paper_is_light_has_grain_and_differs_from_scene_to_scene():
    spec = SceneSpec(width=200, height=150)
    papers = [np.asarray(paint_background(spec, np.random.default_rng(seed))) for seed in range(6)]
    for paper in papers:
        assert paper.shape == (150, 200, 3)
        assert paper.mean() > 200
        assert 0.5 < paper[..., 1].std() < 20
    assert len({paper.tobytes() for paper in papers}) == 6


def test_plain_paper_is_white():
    picture = paint_background(SceneSpec(background="plain"), np.random.default_rng(0))
    assert picture.size == (320, 240)
    assert set(picture.getcolors()) == {(320 * 240, (255, 255, 255))}


def test_photographs_are_cut_to_the_picture(tmp_path: Path):
    photo = _photo(tmp_path / "red.png", (200, 10, 10), size=(31, 400))
    spec = SceneSpec(background="photos", photos=(photo,))
    picture = paint_background(spec, np.random.default_rng(0))
    assert picture.size == (320, 240)
    assert picture.getpixel((5, 5)) == (200, 10, 10)
    picture.paste((0, 0, 0), (0, 0, 320, 240))
    again = paint_background(spec, np.random.default_rng(0))
    assert again.getpixel((5, 5)) == (200, 10, 10), "what a caller draws does not stay in the cache"


def test_photographs_stand_upright(tmp_path: Path):
    image = Image.new("RGB", (100, 50), "white")
    image.paste("black", (0, 0, 50, 50))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: black is at the top
    image.save(tmp_path / "turned.png", exif=exif)
    spec = SceneSpec(width=50, height=100, background="photos", photos=(tmp_path / "turned.png",))
    picture = paint_background(spec, np.random.default_rng(0))
    assert picture.getpixel((25, 10)) == (0, 0, 0)
    assert picture.getpixel((25, 90)) == (255, 255, 255)


def test_good_photographs_are_told_from_bad_ones(tmp_path: Path):
    good = [_photo(tmp_path / name, "blue") for name in ("b.jpg", "a.png")]
    (tmp_path / "broken.jpg").write_bytes(good[0].read_bytes()[:200])
    (tmp_path / "page.jpeg").write_text("<html>")
    (tmp_path / "notes.txt").write_text("not a picture")
    found, refused = find_photos(tmp_path)
    assert found == (tmp_path / "a.png", tmp_path / "b.jpg")
    assert [(photo.path.name, photo.code) for photo in refused] == [
        ("broken.jpg", "unreadable"),
        ("page.jpeg", "unreadable"),
    ]


def test_a_folder_without_photographs_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="none of the 0 pictures"):
        find_photos(tmp_path)
    with pytest.raises(InputError, match="cannot list"):
        find_photos(tmp_path / "absent")

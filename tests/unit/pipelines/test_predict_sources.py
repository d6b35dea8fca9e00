"""Which pictures and films a prediction takes."""

import pytest
from PIL import Image

from collectors.errors import ConfigError, InputError
from pipelines.picture_sources import find_pictures, name_drawings


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "PNG")


def test_folders_are_searched_to_any_depth_and_sorted(tmp_path):
    _touch(tmp_path, "b.jpg", "a/z.PNG", "a/deep/er/c.webp", "a/b.gif", "b.bmp", "c.jpeg", "notes.txt", "x.xml")
    (tmp_path / "folder.jpg").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in find_pictures([tmp_path])]
    assert found == ["a/b.gif", "a/deep/er/c.webp", "a/z.PNG", "b.bmp", "b.jpg", "c.jpeg"]


def test_named_files_come_in_their_order_whatever_their_ending(tmp_path):
    _touch(tmp_path, "b.jpg", "a.jpg", "photo.tiff")
    wanted = [tmp_path / "b.jpg", tmp_path / "photo.tiff", tmp_path / "a.jpg"]
    assert find_pictures(wanted) == wanted


def test_a_picture_that_is_named_twice_is_done_once(tmp_path):
    _touch(tmp_path, "a.jpg", "b.jpg")
    assert find_pictures([tmp_path / "b.jpg", tmp_path, tmp_path / "b.jpg"]) == [tmp_path / "b.jpg", tmp_path / "a.jpg"]


def test_what_is_not_there_and_what_holds_no_picture(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.jpg: no such file or folder"):
        find_pictures([tmp_path, tmp_path / "nothing.jpg"])
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"no picture is there\. Looked for \.jpg"):
        find_pictures([tmp_path])


def test_a_pattern_stands_for_what_it_fits(tmp_path):
    _touch(tmp_path, "b.jpg", "a.JPG", "in/c.jpg", "in/deep/d.png", "in/notes.txt", "in/film.mp4", "e.tif", ".x/f.jpg")

    def fits(pattern):
        return [str(path.relative_to(tmp_path)) for path in find_pictures([tmp_path / pattern])]

    assert fits("*.jpg") == ["b.jpg"]
    assert fits("[ab].*") == ["a.JPG", "b.jpg"]
    assert fits("*.tif") == ["e.tif"]  # an ending that is written out counts
    assert fits("in/*") == ["in/c.jpg", "in/deep/d.png", "in/film.mp4"]
    assert sorted(fits("**")) == ["a.JPG", "b.jpg", "in/c.jpg", "in/deep/d.png", "in/film.mp4"]
    assert fits("**/*.png") == ["in/deep/d.png"]
    with pytest.raises(InputError, match=r"\*\.webp: no picture fits this pattern"):
        fits("*.webp")
    with pytest.raises(InputError, match="no picture fits this pattern"):
        fits("in/*.t?t")


def test_a_name_that_looks_like_a_pattern_is_that_file(tmp_path):
    _touch(tmp_path, "a[1].jpg", "a1.jpg")
    assert find_pictures([tmp_path / "a[1].jpg"]) == [tmp_path / "a[1].jpg"]


def test_folders_that_begin_with_a_dot_hold_no_pictures_of_a_person(tmp_path):
    _touch(tmp_path, ".tagbox/cache/x.jpg", "data/.hidden/y.jpg", "data/z.jpg")
    assert find_pictures([tmp_path]) == [tmp_path / "data" / "z.jpg"]
    assert find_pictures([tmp_path / ".tagbox"]) == [tmp_path / ".tagbox" / "cache" / "x.jpg"]


def test_a_film_has_a_folder_of_drawings(tmp_path):
    films = [tmp_path / "a" / "film.mp4", tmp_path / "b" / "Film.mp4", tmp_path / "film.jpg"]
    names = name_drawings(films, tmp_path / "drawn")
    assert [path.name for path in names.values()] == ["film.mp4", "Film_2.mp4", "film.jpg"]
    with pytest.raises(ConfigError, match="written over"):
        name_drawings(films, tmp_path / "a")

"""Which pictures a prediction takes, and what becomes of those that cannot be read."""

import pytest
from PIL import Image

from collectors.errors import InputError
from pipelines.predict import find_pictures

pytestmark = pytest.mark.tf


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

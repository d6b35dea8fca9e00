from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from collectors.errors import ConfigError, InputError
from labeling.contact_sheet import contact_sheet, pick_evenly, save_sheet
from labeling.drawing import font_for, label_color
from labeling.validate import CheckedImage, check_dataset
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_pair


@pytest.fixture
def images(tmp_path: Path) -> tuple[CheckedImage, ...]:
    for seed in range(7):
        write_pair(tmp_path, f"p{seed}", seed=seed)
    return check_dataset(tmp_path).images


def _one(
    tmp_path: Path, content: bytes, *boxes: tuple[float, float, float, float], size: tuple[int, int] = (64, 48)
) -> CheckedImage:
    write_pair(tmp_path, xml=annotation(*boxes, size=size, filename="a.png"), image=content, suffix=".png")
    (image,) = check_dataset(tmp_path).images
    return image


def test_sheet_holds_every_picture_in_rows(images: tuple[CheckedImage, ...]) -> None:
    sheet = contact_sheet(images, columns=3, tile_px=100, captions=False)
    assert sheet.size == (3 * 106 + 6, 3 * 106 + 6)
    pixels = np.asarray(sheet)
    used = [
        pixels[6 + row * 106 : 106 + row * 106, 6 + column * 106 : 106 + column * 106].std() > 5
        for row in range(3)
        for column in range(3)
    ]
    assert used == [True] * 7 + [False] * 2


def test_sheet_is_about_square_unless_told(images: tuple[CheckedImage, ...]) -> None:
    assert contact_sheet(images, tile_px=100, captions=False).size == (3 * 106 + 6, 3 * 106 + 6)
    assert contact_sheet(images[:1], columns=9, tile_px=100, captions=False).size == (112, 112)


def test_box_is_drawn_where_it_lies(tmp_path: Path) -> None:
    black = Image.new("RGB", (200, 100))
    black.save(tmp_path / "black.png")
    content = (tmp_path / "black.png").read_bytes()
    (tmp_path / "black.png").unlink()
    image = _one(tmp_path, content, (40, 20, 120, 80), size=(200, 100))
    tile = np.asarray(contact_sheet([image], tile_px=200, captions=False))[6:206, 6:206]
    colour = np.array(label_color("cat"))
    rows, columns = np.nonzero((tile == colour).all(axis=2))
    # Letterboxed: the picture's top is 50 pixels down; the name stands above the box.
    assert (columns.min(), rows.max()) == (40, 129)
    inside = tile[75:128, 44:116]
    assert (inside == 0).all(), "the box is an outline"
    assert (tile[100, 119] == colour).all()
    assert (tile[100, 121] == 0).all()


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "1", "I;16"])
def test_every_mode_is_drawn(mode: str, tmp_path: Path) -> None:
    grey = Image.new("I;16", (64, 48), 40_000) if mode == "I;16" else Image.new(mode, (64, 48), 1)
    grey.save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").unlink()
    sheet = contact_sheet([_one(tmp_path, content)], tile_px=64, captions=False)
    middle = sheet.getpixel((6 + 32, 6 + 32))
    if mode == "I;16":
        assert middle == (156, 156, 156)
    assert isinstance(middle, tuple)


def test_extreme_boxes_and_names_stay_on_their_tile(tmp_path: Path) -> None:
    image = _one(
        tmp_path, picture_bytes("PNG", size=(300, 2)), (-2, -1, 302, 3), (0, 0, 1, 1), (299, 0, 300, 2), size=(300, 2)
    )
    sheet = np.asarray(contact_sheet([image], tile_px=80, captions=False))
    assert (sheet[:6] == 250).all()
    assert (sheet[86:] == 250).all()
    assert (sheet[:, 86:] == 250).all()


def test_no_pictures_give_a_sheet_that_says_so() -> None:
    sheet = np.asarray(contact_sheet([]))
    assert (sheet != 250).any()


def test_captions_are_cut_to_the_tile(tmp_path: Path) -> None:
    write_pair(tmp_path, "a" * 150)
    sheet = np.asarray(contact_sheet(check_dataset(tmp_path).images, tile_px=60))
    assert (sheet[:, 67:] == 250).all()


def test_a_sheet_beyond_jpeg_is_refused(images: tuple[CheckedImage, ...]) -> None:
    with pytest.raises(ConfigError, match="smaller --limit"):
        contact_sheet(images * 100, columns=1)
    with pytest.raises(ConfigError, match="at least 40"):
        contact_sheet(images, tile_px=10)


def test_pick_evenly(images: tuple[CheckedImage, ...]) -> None:
    assert pick_evenly(images, None) == images
    assert pick_evenly(images, 7) == pick_evenly(images, 50) == images
    assert pick_evenly(images, 3) == (images[0], images[2], images[4])
    assert pick_evenly(images, 0) == ()


@pytest.mark.parametrize("suffix", [".jpg", ".PNG"])
def test_save(suffix: str, images: tuple[CheckedImage, ...], tmp_path: Path) -> None:
    path = tmp_path / "out" / f"sheet{suffix}"
    save_sheet(contact_sheet(images, tile_px=50), path)
    with Image.open(path) as saved:
        assert saved.format == {".jpg": "JPEG", ".PNG": "PNG"}[suffix]


def test_save_refuses_what_it_cannot_write(images: tuple[CheckedImage, ...], tmp_path: Path) -> None:
    sheet = contact_sheet(images[:1], tile_px=50)
    with pytest.raises(ConfigError, match=r"\.gif"):
        save_sheet(sheet, tmp_path / "sheet.gif")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot write"):
        save_sheet(sheet, tmp_path / "file" / "sheet.png")


def test_letters_beyond_latin_are_drawn() -> None:
    """Pillow's own font shows every one of them as the same empty square."""
    masks = {letter: bytes(font_for(letter, 20).getmask(letter)) for letter in "жщяΩ"}
    assert len(set(masks.values())) == 4
    assert font_for("Größe", 20).getlength("ß") == ImageFont.load_default(20).getlength("ß")
    assert font_for("猫", 20).getlength("猫") > 0

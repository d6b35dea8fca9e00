import io
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from collectors.errors import ConfigError
from collectors.image_quality import QUALITY_CODES, QualityMetrics, QualityThresholds, judge, measure
from tests.support.fake_tumblr.pictures import Recipe, picture_bytes


def _metrics(look: str, width: int = 640, height: int = 480) -> QualityMetrics:
    form = "png" if look == "screenshot" else "jpg"
    return measure(Image.open(io.BytesIO(picture_bytes(Recipe(4, 11, width, height, look=look, form=form)))))


@pytest.mark.parametrize(
    ("look", "size", "code"),
    [
        ("good", (640, 480), None),
        ("good", (128, 128), None),
        ("tiny", (127, 400), "too_small"),
        ("extreme", (900, 200), "extreme_aspect"),
        ("blank", (640, 480), "blank"),
        ("dark", (640, 480), "dark"),
        ("blurry", (640, 480), "blurry"),
        ("screenshot", (640, 480), "text_screenshot"),
        ("screenshot", (800, 700), "text_screenshot"),
    ],
)
def test_each_defect_is_named(look: str, size: tuple[int, int], code: str | None) -> None:
    refusal = judge(_metrics(look, *size), QualityThresholds())
    assert (refusal and refusal.code) == code
    assert refusal is None or refusal.code in QUALITY_CODES


def test_the_reason_names_the_value_and_the_threshold_to_turn() -> None:
    refusal = judge(_metrics("blurry"), QualityThresholds())
    assert refusal is not None
    assert "min_sharpness 7" in refusal.reason


def test_photographs_that_people_labelled_pass(shared_data: Path) -> None:
    paths = sorted((shared_data / "voc" / "raccoon").rglob("*.jpg"))[::6]
    codes = {}
    for path in paths:
        with Image.open(path) as image:
            refusal = judge(measure(image), QualityThresholds())
        if refusal:
            codes[path.name] = refusal
    assert codes == {}


def test_the_same_photographs_blurred_do_not(shared_data: Path) -> None:
    passed = 0
    paths = sorted((shared_data / "voc" / "raccoon").rglob("*.jpg"))[::10]
    for path in paths:
        with Image.open(path) as image:
            blurred = image.convert("RGB").resize((640, 480)).filter(ImageFilter.GaussianBlur(6))
        refusal = judge(measure(blurred), QualityThresholds())
        passed += refusal is None or refusal.code != "blurry"
    assert passed == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("size", [(1, 1), (9, 2), (40, 40), (300, 200)])
def test_every_mode_and_size_can_be_measured(mode: str, size: tuple[int, int]) -> None:
    metrics = measure(Image.new(mode, size))
    assert (metrics.width, metrics.height) == size
    assert QualityMetrics.from_json(metrics.to_json()).width == size[0]


def test_thresholds_are_changed_by_name_only() -> None:
    assert QualityThresholds().with_changes({"min_side": 300}).min_side == 300
    with pytest.raises(ConfigError, match="no quality threshold is called min_size"):
        QualityThresholds().with_changes({"min_size": 1})
    with pytest.raises(ConfigError, match="0 or more"):
        QualityThresholds().with_changes({"min_side": -1})
    with pytest.raises(ConfigError, match="0 or more"):
        QualityThresholds().with_changes({"min_side": float("nan")})

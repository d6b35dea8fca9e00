"""Records of drawings with their strokes one by one: the same drawings, told apart from others, and judged."""

import zlib

import numpy as np
import pytest

from collectors.errors import ConfigError, InputError
from collectors.rasterize import rasterize_layers
from records.classification_manifest import read_classification_manifest
from records.classification_verify import verify_classification
from records.example import BytesList
from records.reading import read_features
from records.stroke_layers import MAX_LAYERS, lay_over, pack_layers, unpack_layers
from records.stroke_style import StrokeStyle
from tests.integration.test_classification_verify import _rewrite
from tests.unit.records.drawing_files import (
    build,
    contents,
    strokes,
    write_binary,
    write_ndjson,
    write_npy,
    write_picture,
)

_TRAINING = "drawings_training.record"


@pytest.fixture
def src(tmp_path):
    for label in ("ant", "bee"):
        write_ndjson(tmp_path / "src", label, strokes(label, 12))
    return tmp_path / "src"


def _rows(folder, split="training"):
    return [features for path in sorted(folder.glob(f"*_{split}.record*")) for features in read_features(path)]


@pytest.mark.parametrize(("side", "style"), [(28, StrokeStyle()), (70, StrokeStyle(5, 0.5))])
def test_every_drawing_has_its_strokes_and_is_the_same_otherwise(src, tmp_path, side, style):
    build(src, tmp_path / "plain", 8, 4, side=side, style=style)
    build(src, tmp_path / "kept", 8, 4, side=side, style=style, with_layers=True)
    by_key = {(name, one.key_id.encode()): one.strokes for name in ("ant", "bee") for one in strokes(name, 12)}
    for split in ("training", "verification"):
        plain, kept = _rows(tmp_path / "plain", split), _rows(tmp_path / "kept", split)
        for features, before in zip(kept, plain, strict=True):
            packed = features.pop("image/stroke_layers").values[0]
            raw = features.pop("image/raw").values[0]
            ours, theirs = (
                np.frombuffer(one, np.uint8).astype(int) for one in (raw, before.pop("image/raw").values[0])
            )
            assert np.abs(ours - theirs).max() <= 2
            assert features == before
            key = features["image/class/text"].values[0].decode(), features["tagbox/drawing"].values[0]
            (layers,) = rasterize_layers(
                [by_key[key]], side=side, line_width=style.line_width, padding=style.padding, max_layers=MAX_LAYERS
            )
            np.testing.assert_array_equal(unpack_layers(packed, side, side), layers)
            assert lay_over(layers).tobytes() == raw
    assert verify_classification(tmp_path / "kept").findings == ()
    assert read_classification_manifest(tmp_path / "kept").content["stroke_layers"] == MAX_LAYERS
    assert "stroke_layers" not in read_classification_manifest(tmp_path / "plain").content


def test_records_with_and_without_strokes_are_told_apart_and_made_the_same_again(src, tmp_path):
    build(src, tmp_path / "plain", 8, 4)
    build(src, tmp_path / "kept", 8, 4, with_layers=True, jobs=1)
    build(src, tmp_path / "again", 8, 4, with_layers=True, jobs=2)
    assert contents(tmp_path / "kept") == contents(tmp_path / "again")
    report = build(src, tmp_path / "kept", 8, 4, with_layers=True)
    assert {outcome.state for outcome in report.outcomes} == {"up to date"}
    report = build(src, tmp_path / "kept", 8, 4)
    assert {outcome.state for outcome in report.outcomes} == {"written"}
    assert contents(tmp_path / "kept") == contents(tmp_path / "plain")


def test_the_binary_form_has_the_same_strokes(src, tmp_path):
    for label in ("ant", "bee"):
        write_binary(tmp_path / "bin", label, strokes(label, 12))
    packed = []
    for folder in (src, tmp_path / "bin"):
        build(folder, tmp_path / f"of_{folder.name}", 8, 4, with_layers=True)
        rows = _rows(tmp_path / f"of_{folder.name}")
        packed.append([features["image/stroke_layers"].values[0] for features in rows])
    assert packed[0] == packed[1]


def test_classes_without_strokes_are_refused_all_in_one_line(src, tmp_path):
    write_npy(src, "cow", 12)
    with pytest.raises(InputError, match=r"1 of 3 classes have pictures only: cow\.npy.*--class names the classes"):
        build(src, tmp_path / "out", 8, 4, with_layers=True)
    write_picture(tmp_path / "pictures" / "cat" / "1.png", "1", kind="PNG")
    with pytest.raises(InputError, match="1 of 1 classes have pictures only: cat"):
        build(tmp_path / "pictures", tmp_path / "out", with_layers=True)
    assert not (tmp_path / "out").exists()
    build(src, tmp_path / "out", 8, 4, with_layers=True, labels=("ant", "bee"))


def test_strokes_beside_picture_files_are_refused(src, tmp_path):
    with pytest.raises(ConfigError, match=r"beside raw pixels, not beside png.*Leave --strokes"):
        build(src, tmp_path / "out", 8, 4, with_layers=True, encoding="png")


def _with(value):
    def change(features):
        features[3]["image/stroke_layers"] = value

    return change


def _of_another(features):
    features[3]["image/stroke_layers"] = features[4]["image/stroke_layers"]


UNSOUND = {
    "missing": (_with(None), "V07"),
    "none": (_with(BytesList(())), "V07"),
    "empty": (_with(BytesList((b"",))), "V22"),
    "a byte too few": (_with(BytesList((zlib.compress(bytes(783)),))), "V22"),
    "without ink": (_with(BytesList((pack_layers(np.zeros((1, 28, 28), np.uint8)),))), "V22"),
    "of another drawing": (_of_another, "V22"),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_strokes_that_are_not_those_of_the_drawing_are_found(src, tmp_path, what):
    change, code = UNSOUND[what]
    out = tmp_path / "out"
    build(src, out, 8, 4, with_layers=True)
    _rewrite(out / _TRAINING, change)
    assert [(one.code, one.example) for one in verify_classification(out).findings] == [(code, 3)]

"""A labelled folder as examples: those of records, in their order, and what stays out."""

import shutil

import pytest
from PIL import Image

from collectors.errors import ConfigError
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.errors import DatasetError
from labeling.label_map import LabelMap, read_label_map
from labeling.voc import write_annotation
from records.build import build_records
from records.example import decode_example
from records.labelled_examples import read_labelled_examples, require_known_classes
from records.reading import read_features
from tests.support.tiny_training import add_shape, make_shapes

SHAPES = LabelMap.from_names(["disc", "square"])


def _without_number(features):
    return {key: value for key, value in features.items() if key != "image/source_id"}


@pytest.fixture
def data(tmp_path):
    return make_shapes(tmp_path / "data", training=1, verification=2)


def test_the_examples_are_those_of_records(data, tmp_path):
    image = add_shape(data, "disc", "verification", "turned", seed=5)
    with Image.open(image) as picture:
        exif = Image.Exif()
        exif[0x0112] = 8
        picture.transpose(Image.Transpose.ROTATE_270).save(image, exif=exif, quality=95)
    image = add_shape(data, "square", "verification", "other", seed=6)
    with Image.open(image) as picture:
        picture.save(image.with_suffix(".webp"))
    image.unlink()
    from records.prepare import ContentOptions

    build_records(data, tmp_path / "records", jobs=1, content=ContentOptions(transcode=frozenset({"exif", "webp"})))
    paths = [tmp_path / "records" / f"{name}_verification.record" for name in ("disc", "square")]
    built = [features for path in paths for features in read_features(path)]
    examples = read_labelled_examples(data, read_label_map(tmp_path / "records" / "label_map.pbtxt"), jobs=1)
    ours = [decode_example(payload) for payload in examples.encoded()]
    assert len(ours) == 6
    assert [_without_number(one) for one in ours] == [_without_number(one) for one in built]
    assert [int(one["image/source_id"].values[0]) for one in ours] == [1, 2, 3, 4, 5, 6]
    assert (examples.refused, examples.num_without_xml, dict(examples.unknown)) == ([], 0, {})


def test_a_plain_folder_of_labelimg_has_the_same_pictures(data, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in data.rglob("verification/**/*.*"):
        shutil.copy(path, flat / path.name)
    names = [source.image_path for source in read_labelled_examples(flat, SHAPES, jobs=1).sources]
    assert names == [f"{name}_verification_{number}.jpg" for name in ("disc", "square") for number in (0, 1)]


def test_classes_nobody_knows_ask_for_nothing_and_keep_their_pictures(data):
    only_discs = LabelMap.from_names(["disc"])
    examples = read_labelled_examples(data, only_discs, jobs=1)
    assert [len(source.objects) for source in examples.sources] == [1, 1, 0, 0]
    assert dict(examples.unknown) == {"square": 2}
    require_known_classes(examples, only_discs)
    cats = LabelMap.from_names(["cat"])
    with pytest.raises(ConfigError, match="it has disc, square; the run has cat"):
        require_known_classes(read_labelled_examples(data, cats, jobs=1), cats)


def test_a_picture_without_xml_is_empty_only_where_somebody_says_so(data):
    folder = data / "disc" / "verification"
    (folder / "disc_verification_0.xml").unlink()
    (folder / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    examples = read_labelled_examples(data, SHAPES, jobs=1)
    assert (len(examples.sources), examples.num_without_xml, examples.refused) == (3, 2, [])
    examples = read_labelled_examples(data, SHAPES, empty_without_xml=True, jobs=1)
    assert (len(examples.sources), examples.num_without_xml) == (4, 0)
    assert [one.path for one in examples.refused] == ["disc/verification/images/broken.jpg"]
    assert sorted(len(source.objects) for source in examples.sources) == [0, 1, 1, 1]
    assert len([decode_example(payload) for payload in examples.encoded()]) == 4


def test_what_cannot_be_read_is_named_and_the_rest_stays(data):
    folder = data / "disc" / "verification"
    (folder / "images" / "disc_verification_0.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (folder / "bad.xml").write_text("<annotation>")
    drawn = LabeledObject("disc", Box(1, 1, 9, 9), difficult=True)
    write_annotation(Annotation("gone.jpg", 10, 10, objects=(drawn,)), folder / "gone.xml")
    examples = read_labelled_examples(data, SHAPES, jobs=1)
    assert [one.path.rpartition("/")[2] for one in examples.refused] == [
        "bad.xml",
        "disc_verification_0.xml",
        "gone.xml",
    ]
    assert all(one.reason and one.code for one in examples.refused)
    assert len(examples.sources) == 3


def test_a_folder_without_xml_says_so(tmp_path):
    with pytest.raises(DatasetError, match="no XML labels"):
        read_labelled_examples(tmp_path, SHAPES)

"""One example out of many, by place, number or name."""

from pathlib import Path

import pytest
from PIL import Image

from collectors.errors import ConfigError, InputError
from records.build import build_records
from records.example import BytesList
from records.example_selection import select_example
from records.reading import expand_record_paths, read_examples
from tests.support.od_api_records import od_example, write_records
from tests.unit.records.pictures import make_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shown")
    build_records(make_data(root / "data"), root / "records", shard_bytes=600)
    return root / "records"


def _name(found) -> str:
    return found.features["image/filename"].values[0].decode()


def test_by_place_over_all_files_of_a_folder(folder):
    everything = list(read_examples(expand_record_paths([folder / "*.record*"])))
    for index in (0, 4, 9):
        assert _name(select_example([folder], index=index)) == _name(everything[index])
    shards = sorted(folder.glob("cat_training.record-*"))
    assert len(shards) > 1
    found, expected = select_example([folder / "cat_training.record"], index=2), list(read_examples(shards))[2]
    assert (_name(found), found.path) == (_name(expected), expected.path)
    with pytest.raises(InputError, match=r"no example 10\. It has 10: give --index 0 to 9"):
        select_example([folder], index=10)


@pytest.mark.parametrize(
    "selection",
    [
        {"source_id": "4000002"},
        {"filename": "dog_training_01.jpg"},
        {"filename": "training/images/dog_training_01.jpg"},
        {"filename": "dog/training/dog_training_01.xml"},
    ],
)
def test_by_number_and_by_name(folder, selection):
    found = select_example([folder], **selection)
    assert (_name(found), found.num_others) == ("dog_training_01.jpg", 0)


def test_several_that_fit_and_none(folder, tmp_path):
    picture = Image.new("RGB", (20, 20))
    path = write_records(
        tmp_path / "x.record", [od_example(picture), od_example(picture, source_id="b"), od_example(picture)]
    )
    found = select_example([path], filename="raccoon-1.jpg")
    assert (found.index, found.num_others) == (0, 2)
    assert select_example([path], source_id="b").index == 1
    for selection in ({"source_id": "c"}, {"filename": "accoon-1.jpg"}):
        with pytest.raises(InputError, match="no example has"):
            select_example([path], **selection)
    nameless = write_records(tmp_path / "y.record", [od_example(picture, image__filename=BytesList())])
    with pytest.raises(InputError, match="no example has"):
        select_example([nameless], filename="")


def test_one_way_of_selecting_only(folder):
    with pytest.raises(ConfigError, match="one way only"):
        select_example([folder], index=1, source_id="3")

"""Pictures picked out of records: spread over all of them, and all of them where there are few."""

import numpy as np
import pytest
from PIL import Image

from pipelines.samples import pick_pictures, write_sheet
from records.example import BytesList
from tests.support.od_api_records import od_example, write_records

pytestmark = pytest.mark.tf


def _records(folder, counts):
    picture = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    paths, number = [], 0
    for file, count in enumerate(counts):
        examples = []
        for _ in range(count):
            examples.append(
                od_example(picture, [(0.5, 0.25, 1.0, 0.75)], [2], image__filename=BytesList((str(number).encode(),)))
            )
            number += 1
        paths.append(write_records(folder / f"{file}.record", examples))
    return paths


@pytest.mark.parametrize(
    ("counts", "limit", "expected"),
    [
        ([4], 12, [0, 1, 2, 3]),
        ([2, 2], 12, [0, 1, 2, 3]),
        ([12], 12, list(range(12))),
        ([5, 5, 5], 3, [0, 7, 14]),
        ([50, 51], 5, [0, 25, 50, 75, 100]),
        ([9], 1, [0]),
        ([1], 12, [0]),
        ([], 12, []),
        ([3], 0, []),
    ],
)
def test_pictures_are_spread_evenly(tmp_path, counts, limit, expected):
    picked = pick_pictures(_records(tmp_path, counts), limit)
    assert [int(picture.name) for picture in picked] == expected


def test_of_a_part_of_the_records_the_place_is_that_in_the_part(tmp_path):
    picked = pick_pictures(_records(tmp_path, [6, 5]), 12, every=3)
    assert [(int(picture.name), picture.place) for picture in picked] == [(0, 0), (3, 1), (6, 2), (9, 3)]
    picked = pick_pictures(_records(tmp_path, [6, 5]), 2, every=2, at_most=3)
    assert [(int(picture.name), picture.place) for picture in picked] == [(0, 0), (4, 2)]


def test_boxes_are_in_pixels_of_the_picture(tmp_path):
    (picture,) = pick_pictures(_records(tmp_path, [1]), 1)
    ((label, box),) = picture.boxes
    assert label == 2
    assert (box.xmin, box.ymin, box.xmax, box.ymax) == (10, 15, 30, 30)


def test_a_picture_that_cannot_be_decoded_is_passed_over(tmp_path):
    picture = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    examples = [
        od_example(picture, image__encoded=BytesList((b"broken",))),
        od_example(picture, image__filename=BytesList((b"good",))),
    ]
    path = write_records(tmp_path / "a.record", examples)
    assert [one.name for one in pick_pictures([path], 12)] == ["good"]


def test_a_sheet_of_a_few_pictures_and_of_none(tmp_path):
    assert not write_sheet([], {2: "thing"}, tmp_path / "none.jpg")
    assert not (tmp_path / "none.jpg").exists()
    assert write_sheet(_records(tmp_path, [7]), {2: "thing"}, tmp_path / "sheet.jpg", columns=3)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (3 * 240, 3 * 180)

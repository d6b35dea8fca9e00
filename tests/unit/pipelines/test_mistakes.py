"""The album of mistakes and the list of suspected labels: by hand, seeded, and as files."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.errors import ConfigError
from pipelines.detection_record import DetectionRecord
from pipelines.error_kinds import judge_detections
from pipelines.label_suspects import SuspectKind, suspected_labels
from pipelines.mistake_album import INDEX, Album, album_index, draw_case, find_mistakes, write_album
from pipelines.mistakes import worst_mistakes
from pipelines.picture_origins import FilePictures, RecordPictures, find_data_root
from records.reading import read_examples
from tests.support.random_detections import random_record
from tests.support.tiny_training import make_records

NAMES = {1: "cat", 2: "dog"}
FAR = [300.0, 0.0, 40.0, 40.0]


def _record(truth, found):
    """Rows of truth: ``box, class, mark``; of detections: ``box, class, score``; all in picture 1."""
    record = DetectionRecord([{"id": 1, "width": 400, "height": 100, "file_name": "one.png", "xml": "one.xml"}])
    for box, label, *mark in truth:
        row = {"id": len(record.annotations) + 1, "image_id": 1, "category_id": label, "bbox": box}
        record.annotations.append({**row, "iscrowd": int("crowd" in mark), "difficult": int("difficult" in mark)})
    for box, label, score in found:
        record.detections.append({"image_id": 1, "category_id": label, "bbox": box, "score": score})
    return record


def _at(x, y=0.0, side=40.0):
    return [float(x), float(y), side, side]


MANY = [(_at(50 * place, 50), 1) for place in range(7)]
ALL_FOUND = [(box, 1, 0.9) for box, _ in MANY]


def _suspects(truth, found):
    return suspected_labels(judge_detections(_record(truth, found), NAMES), NAMES, min_score=0.5)


def test_each_mistake_says_what_happened():
    record = _record(
        [(_at(0), 1), (_at(60), 2), (_at(120), 1), (_at(180), 2)],
        [(_at(0), 1, 0.95), (_at(0), 1, 0.9), (_at(60), 1, 0.8), (_at(120, 22), 1, 0.7), (FAR, 2, 0.6), (FAR, 2, 0.4)],
    )
    found = worst_mistakes(judge_detections(record, NAMES), NAMES, min_score=0.5, limit=5)
    assert [(one.class_name, one.words) for one in found] == [
        ("cat", "cat 80 % on a dog"),
        ("cat", "cat 70 % beside its box, IoU 0.29"),
        ("cat", "cat 90 % a second time"),
        ("dog", "dog 60 % where nothing is"),
        ("dog", "dog was missed"),
    ]


def test_the_worst_come_first_and_no_more_than_asked_for():
    found = [(_at(40 * place), 1, 0.9 - place / 10) for place in range(4)]
    record = _record([(_at(0, 45, 20.0), 2), (_at(100, 45), 2)], found)
    mistakes = worst_mistakes(judge_detections(record, NAMES), NAMES, min_score=0.5, limit=2)
    assert [one.words for one in mistakes] == [
        "cat 90 % where nothing is",
        "cat 80 % where nothing is",
        "dog was missed",
        "dog was missed",
    ]
    assert mistakes[2].truth.box.width == 40


def test_a_missing_box_is_suspected_once_and_not_beside_difficult_ones():
    twice = [(FAR, 1, 0.95), (_at(302), 2, 0.9)]
    (one,) = _suspects(MANY, [*ALL_FOUND, *twice])
    assert (one.kind, one.score, one.class_name) == (SuspectKind.MISSING_BOX, 0.95, "cat")
    assert "sees cat 95 % where no box is" in one.reason
    assert _suspects([*MANY, (_at(290), 1, "difficult")], [*ALL_FOUND, *twice]) == []


def test_part_of_a_labelled_object_is_no_missing_box():
    assert _suspects([*MANY, (FAR, 1)], [*ALL_FOUND, (FAR, 1, 0.9), (_at(310, 10, 15.0), 1, 0.8)]) == []


def test_a_wrong_class_is_suspected_by_what_its_own_class_leaves():
    (one,) = _suspects([*MANY, (FAR, 2)], [*ALL_FOUND, (FAR, 1, 0.9), (FAR, 2, 0.2)])
    assert (one.kind, one.score) == (SuspectKind.WRONG_CLASS, pytest.approx(0.9 * 0.8))
    assert (one.truth.class_name, one.detection.class_name) == ("dog", "cat")
    assert "labelled dog, and seen as cat 90 %, as dog with 20 %" in one.reason


def test_a_box_is_suspected_where_nothing_is_found_though_others_are():
    (one,) = _suspects([*MANY, (FAR, 1)], ALL_FOUND)
    assert (one.kind, one.detection) == (SuspectKind.SPURIOUS_BOX, None)
    assert one.score == pytest.approx(0.1 / (0.1 + 0.9 * (1 - 7.5 / 8)))
    # A detector that finds half of them proves little, one that has found none proves nothing.
    half = _suspects([*MANY, (FAR, 1)], ALL_FOUND[::2])
    assert max(row.score for row in half) < 0.25
    assert _suspects([*MANY, (FAR, 1)], []) == []


def test_a_misplaced_box_is_suspected_when_others_fit():
    (one,) = _suspects([*MANY, (FAR, 1)], [*ALL_FOUND, (_at(325), 1, 0.9)])
    assert one.kind is SuspectKind.MISPLACED_BOX
    assert one.iou == pytest.approx(15 / 65)
    assert one.score == pytest.approx(0.9)
    (loose,) = _suspects([*MANY, (FAR, 1)], [*ALL_FOUND, (_at(308), 1, 0.9)])
    assert 0 < loose.score < 0.2
    assert _suspects([*MANY, (FAR, 1)], [*ALL_FOUND, (_at(305), 1, 0.9)]) == []


def _seeded(seed):
    """Return a record of 120 pictures with ten wrong labels among those of a good detector, and where they are."""
    chance, rows = random.Random(seed), []
    record = DetectionRecord()
    for image_id in range(1, 121):
        record.images.append({"id": image_id, "width": 400, "height": 300})
        for place in chance.sample(range(12), 2):
            side = chance.uniform(45, 80)
            box = [
                100.0 * (place % 4) + chance.uniform(0, 15),
                100.0 * (place // 4) + chance.uniform(0, 15),
                side,
                side,
            ]
            rows.append({"image_id": image_id, "category_id": chance.choice([1, 2]), "bbox": box, "iscrowd": 0})
    for row in rows:
        if chance.random() < 0.93:  # the others are missed, as by a real one
            moved = [edge + chance.gauss(0, 3) for edge in row["bbox"]]
            score = chance.uniform(0.6, 1.0)
            record.detections.append({**row, "bbox": moved, "score": score})
            if chance.random() < 0.1:
                record.detections.append({**row, "category_id": 3 - row["category_id"], "bbox": moved, "score": 0.3})
        if chance.random() < 0.2:
            where = [chance.uniform(0, 300), chance.uniform(0, 200), 60.0, 60.0]
            record.detections.append({**row, "bbox": where, "score": chance.uniform(0.05, 0.5)})
    found = {(one["image_id"], tuple(np.round(one["bbox"]))) for one in record.detections if one["score"] > 0.6}
    sound = [row for row in rows if any(image == row["image_id"] and np.abs(np.subtract(box, row["bbox"])).max() < 12
                                        for image, box in found)]  # fmt: skip
    seeds = []
    for number, row in enumerate(chance.sample(sound, 10)):
        kind = (SuspectKind.MISSING_BOX, SuspectKind.WRONG_CLASS, SuspectKind.MISPLACED_BOX)[number % 3]
        seeds.append((row["image_id"], kind))
        if kind is SuspectKind.MISSING_BOX:
            rows.remove(row)
        elif kind is SuspectKind.WRONG_CLASS:
            row["category_id"] = 3 - row["category_id"]
        else:
            row["bbox"] = [
                row["bbox"][0] + 0.5 * row["bbox"][2],
                row["bbox"][1] + 0.2 * row["bbox"][3],
                *row["bbox"][2:],
            ]
    record.annotations = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
    return record, seeds


def test_seeded_label_errors_stand_at_the_top():
    recalls = []
    for seed in range(8):
        record, seeds = _seeded(seed)
        suspects = suspected_labels(judge_detections(record, NAMES), NAMES, min_score=0.5)
        top = {(one.image_id, one.kind) for one in suspects[: 2 * len(seeds)]}
        recalls.append(sum(one in top for one in seeds) / len(seeds))
    assert np.mean(recalls) > 0.85


@given(st.integers(0, 10**6), st.integers(0, 5), st.integers(0, 12), st.floats(0, 1))
def test_any_detections_give_scores_in_order_and_boxes_that_exist(seed, truths, detections, min_score):
    record = random_record(seed, num_images=4, num_classes=2, truths=truths, detections=detections, crowds=True)
    album = find_mistakes(record, NAMES, min_score=min_score, limit=3)
    scores = [one.score for one in album.suspects]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    index = album_index(album, record)
    assert json.loads(json.dumps(index, allow_nan=False)) == index
    labelled = [(one.image_id, one.truth) for one in album.suspects if one.truth]
    assert len(set(labelled)) == len(labelled)
    assert all(one.detection is None or one.detection.score >= min_score for one in album.mistakes)


def test_crops_show_the_boxes_and_are_named_after_class_and_kind(tmp_path):
    Image.new("RGB", (400, 100), (90, 90, 90)).save(tmp_path / "one.png")
    names = {1: "a/b", 2: "a b"}
    record = _record([(_at(0), 1), (_at(60), 2)], [(_at(0), 2, 0.9), (_at(60), 1, 0.8), (FAR, 1, 0.7)])
    index = _album(record, tmp_path, names)
    shown = [row["picture"] for row in index["mistakes"]]
    assert shown == ["a_b_confused_01.jpg", "a_b_background_01.jpg", "a_b_confused_02.jpg"]
    assert {path.name for path in (tmp_path / "album").iterdir()} == {*shown, INDEX}
    assert [row["picture"] for row in index["suspects"]] == [shown[2], shown[0], shown[1]]  # not drawn twice
    assert index["mistakes"][0]["xml"] == "one.xml"
    assert json.loads((tmp_path / "album" / INDEX).read_text()) == index
    with Image.open(tmp_path / "album" / shown[0]) as crop:
        red, green, blue = np.asarray(crop.convert("RGB"), np.int64).transpose(2, 0, 1)
    assert ((green > 150) & (red < 100) & (blue < 130)).sum() > 50
    assert ((red > 180) & (green < 90) & (blue < 130)).sum() > 50


def _album(record, folder, names, limit=5):
    album = find_mistakes(record, names, min_score=0.5, limit=limit)
    return write_album(album, folder / "album", record, FilePictures(record.images, [folder]))


def test_an_older_album_gives_way_and_nothing_else_does(tmp_path):
    Image.new("RGB", (400, 100)).save(tmp_path / "one.png")
    record = _record([], [(FAR, 1, 0.9)])
    _album(record, tmp_path, NAMES)
    mine = tmp_path / "album" / "mine.jpg"
    mine.write_bytes(b"")
    record.detections.clear()
    assert _album(record, tmp_path, NAMES)["mistakes"] == []
    assert {path.name for path in (tmp_path / "album").iterdir()} == {INDEX, "mine.jpg"}
    (tmp_path / "album" / INDEX).unlink()
    with pytest.raises(ConfigError, match="is no album"):
        _album(record, tmp_path, NAMES)


def test_pictures_that_are_gone_leave_the_list(tmp_path):
    index = _album(_record([], [(FAR, 1, 0.9)]), tmp_path, NAMES)
    assert [row["picture"] for row in index["mistakes"]] == [None]
    assert _album(_record([], [(FAR, 1, 0.9)]), tmp_path, NAMES, limit=0)["mistakes"] == []


@pytest.mark.parametrize("box", [[-50.0, -50.0, 20.0, 20.0], [399.9, 99.9, 0.0, 0.0], [0.0, 0.0, 4000.0, 1.0]])
def test_any_box_can_be_cut_out(box):
    record = _record([(box, 1)], [])
    (mistake,) = find_mistakes(record, NAMES, min_score=0.5).mistakes
    assert max(draw_case(Image.new("RGB", (400, 100)), mistake, ()).size) < 600


def test_pictures_come_out_of_records_by_their_place_and_paths_are_found(tmp_path):
    paths = sorted(make_records(tmp_path, training=1, verification=1).glob("*_verification.record"))
    names = [f"{name}/verification/{name}_verification_0.xml" for name in ("disc", "square")]
    images = [
        {"id": 7 + place, "place": place, "file_name": example.filename, "xml": names[place]}
        for place, example in enumerate(read_examples(paths))
    ]
    shown = dict(RecordPictures(images, paths).show({8}))
    assert list(shown) == [8]
    assert shown[8].size == (128, 96)
    assert find_data_root(images, paths).resolve() == (tmp_path / "data").resolve()
    assert find_data_root(images, [tmp_path / "elsewhere" / "far" / "x.record"]) is None
    images[1]["file_name"] = "other.jpg"
    assert list(RecordPictures(images, paths).show({8})) == []


def test_a_turned_picture_is_shown_in_the_frame_of_its_boxes(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    for size in ((40, 20), (20, 40)):
        image = {"id": 1, "width": size[0], "height": size[1], "file_name": "turned.jpg"}
        ((_, picture),) = FilePictures([image], [tmp_path]).show({1})
        assert picture.size == size


def test_an_empty_album():
    assert album_index(Album(0.5, [], []), DetectionRecord())["suspects"] == []

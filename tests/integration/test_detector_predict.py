"""`tagbox predict`: every picture accounted for, boxes in the frame people see, drawings with names of their own."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.tiny_training import HEIGHT, WIDTH, draw_shape

pytestmark = pytest.mark.tf

_ORIENTATION = 0x0112


@pytest.fixture
def photos(tmp_path):
    """A folder with one good picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw_shape(5, "disc")[0].save(folder / "good.jpg")
    return folder


def _predict(workshop, *words):
    return tagbox_here("predict", workshop.run, *words)


def test_the_json_tells_everything(workshop, photos):
    answer = _predict(workshop, photos, "--json", "--min-score", "0")
    assert answer.code == 0, answer.err
    (picture,) = json.loads(answer.out)
    assert set(picture) == {"path", "width", "height", "objects"}
    assert picture["path"] == str(photos / "good.jpg")
    assert (picture["width"], picture["height"]) == (WIDTH, HEIGHT)
    assert 0 < len(picture["objects"]) <= 100
    scores = [found["score"] for found in picture["objects"]]
    assert scores == sorted(scores, reverse=True)
    for found in picture["objects"]:
        assert set(found) == {"class", "class_id", "score", "box"}
        assert {1: "disc", 2: "square"}[found["class_id"]] == found["class"]
        box = found["box"]
        assert 0 <= box["xmin"] < box["xmax"] <= WIDTH
        assert 0 <= box["ymin"] < box["ymax"] <= HEIGHT
    assert f"{len(scores)} objects in 1 pictures" in answer.err


def test_the_threshold_is_that_of_the_run_unless_one_is_given(workshop, photos, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    everything = json.loads(tagbox_here("predict", run.path, photos, "--json", "--min-score", "0").out)
    scores = [found["score"] for found in everything[0]["objects"]]
    run.write_results({**run.read_results(), "best_threshold": scores[2]})
    best = json.loads(tagbox_here("predict", run.path, photos, "--json").out)
    assert [found["score"] for found in best[0]["objects"]] == scores[:3]
    none = tagbox_here("predict", run.path, photos, "--min-score", "1")
    assert none.code == 0
    assert "0 objects in 1 pictures" in none.err
    wrong = tagbox_here("predict", run.path, photos, "--min-score", "2")
    assert wrong.code == 2


def test_the_table_has_a_line_an_object(workshop, photos):
    answer = _predict(workshop, photos / "good.jpg", "--min-score", "0")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["picture", "class", "score", "xmin", "ymin", "xmax", "ymax"]
    assert len([line for line in lines if "good.jpg" in line or " disc " in line or " square " in line]) >= 1


def test_pictures_that_cannot_be_read_are_named_and_the_rest_is_done(workshop, photos, tmp_path):
    good = (photos / "good.jpg").read_bytes()
    (photos / "a_text.jpg").write_text("not a picture")
    (photos / "b_cut.jpg").write_bytes(good[: len(good) // 2])
    (photos / "c_empty.png").write_bytes(b"")
    shutil.copyfile(photos / "good.jpg", photos / "z_last.jpg")
    answer = _predict(workshop, photos, "--json", "--output", tmp_path / "drawn")
    assert answer.code == 5
    entries = {entry["path"].rpartition("/")[2]: entry for entry in json.loads(answer.out)}
    assert set(entries) == {"a_text.jpg", "b_cut.jpg", "c_empty.png", "good.jpg", "z_last.jpg"}
    bad = {name for name, entry in entries.items() if "error" in entry}
    assert bad == {"a_text.jpg", "b_cut.jpg", "c_empty.png"}
    for name in bad:
        assert f"error: {photos / name}: cannot be read as a picture" in answer.err
    assert "2 pictures, 3 not read" in answer.err
    assert entries["good.jpg"]["objects"] == entries["z_last.jpg"]["objects"]
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["good.jpg", "z_last.jpg"]


def test_damaged_bytes_of_any_format_never_stop_the_others(workshop, photos):
    chance = np.random.default_rng(11)
    for kind, suffix in (("PNG", "png"), ("GIF", "gif"), ("BMP", "bmp"), ("WEBP", "webp"), ("JPEG", "jpg")):
        for number in range(12):
            path = photos / f"{suffix}_{number}.{suffix}"
            draw_shape(number, "square")[0].save(path, kind)
            content = bytearray(path.read_bytes())
            for place in chance.integers(0, len(content), 6):
                content[place] = chance.integers(0, 256)
            path.write_bytes(content if number % 3 else content[: len(content) * 2 // 3])
    answer = _predict(workshop, photos, "--json", "--min-score", "0.99")
    assert answer.code == 5, answer.err
    assert len(json.loads(answer.out)) == 61


def test_a_turned_picture_gives_boxes_in_the_frame_that_people_see(workshop, tmp_path):
    upright, _ = draw_shape(3, "square")
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[_ORIENTATION] = 6  # stored lying on its side: the viewer turns it clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as stored:
        assert stored.size == (HEIGHT, WIDTH)
    answer = _predict(workshop, tmp_path / "upright.png", tmp_path / "turned.png", "--json", "--min-score", "0.01",
                      "--output", tmp_path / "drawn")  # fmt: skip
    assert answer.code == 0, answer.err
    straight, turned = json.loads(answer.out)
    assert (turned["width"], turned["height"]) == (WIDTH, HEIGHT)
    assert turned["objects"] == straight["objects"]
    assert straight["objects"]
    with Image.open(tmp_path / "drawn" / "turned.jpg") as drawn:
        assert drawn.size == (WIDTH, HEIGHT)


def test_pictures_of_any_mode_and_shape(workshop, tmp_path):
    sizes = {}
    for mode in ("L", "RGBA", "P", "1", "CMYK", "LA", "I;16"):
        picture, _ = draw_shape(3, "square")
        name = f"{mode.replace(';', '')}.{'jpg' if mode == 'CMYK' else 'png'}"
        (picture.convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)).save(tmp_path / name)
        sizes[name] = picture.size
    for name, size in {"dot.png": (1, 1), "line.png": (600, 2), "column.png": (3, 400)}.items():
        Image.new("RGB", size, "white").save(tmp_path / name)
        sizes[name] = size
    answer = _predict(workshop, tmp_path, "--json", "--min-score", "0.01", "--output", tmp_path / "drawn")
    assert answer.code == 0, answer.err
    told = {entry["path"].rpartition("/")[2]: (entry["width"], entry["height"]) for entry in json.loads(answer.out)}
    assert told == sizes
    for name, size in sizes.items():
        with Image.open((tmp_path / "drawn" / name).with_suffix(".jpg")) as drawn:
            assert drawn.size == size


def test_drawn_pictures_never_share_a_name(workshop, tmp_path):
    sources = ["a/x.jpg", "a/x.png", "b/x.jpg", "c/x_1.jpg", "c/x_2.png", "d/y.jpg"]
    for number, name in enumerate(sources):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        draw_shape(number, "disc")[0].resize((100 + number, 80)).save(tmp_path / "in" / name)
    answer = _predict(workshop, tmp_path / "in", "--output", tmp_path / "drawn")
    assert answer.code == 0, answer.err
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == len(sources)
    widths = []
    for path in drawn:
        with Image.open(path) as picture:
            widths.append(picture.width)
    assert sorted(widths) == [100 + number for number in range(len(sources))]
    assert "y.jpg" in {path.name for path in drawn}


def test_a_source_is_never_written_over(workshop, photos):
    before = (photos / "good.jpg").read_bytes()
    answer = _predict(workshop, photos, "--output", photos)
    assert answer.code == 2
    assert f"{photos / 'good.jpg'}" in answer.error_line
    assert (photos / "good.jpg").read_bytes() == before


def test_what_is_not_there(workshop, tmp_path):
    answer = _predict(workshop, tmp_path / "gone.jpg")
    assert answer.code == 6
    assert "gone.jpg: no such file or folder" in answer.error_line
    answer = tagbox_here("predict", tmp_path, tmp_path)
    assert answer.code == 6
    assert "is not the folder of a run" in answer.error_line
    assert tagbox_here("predict", workshop.run).code == 2  # no picture named


# --- forms and proposals --------------------------------------------------------------------------------------------


def test_csv_and_coco_say_what_json_says(workshop, photos):
    import csv
    import io

    objects = json.loads(_predict(workshop, photos, "--json", "--min-score", "0").out)[0]["objects"]
    rows = list(csv.DictReader(io.StringIO(_predict(workshop, photos, "--format", "csv", "--min-score", "0").out)))
    coco = json.loads(_predict(workshop, photos, "--format", "coco", "--min-score", "0").out)
    assert len(rows) == len(coco["annotations"]) == len(objects) > 0
    for wanted, row, annotation in zip(objects, rows, coco["annotations"], strict=True):
        assert (row["class"], float(row["score"])) == (wanted["class"], wanted["score"])
        assert {edge: float(row[edge]) for edge in wanted["box"]} == wanted["box"]
        x, y, width, height = annotation["bbox"]
        assert [x, y, x + width, y + height] == pytest.approx(list(wanted["box"].values()))
        assert annotation["category_id"] == wanted["class_id"]
    assert coco["images"] == [{"id": 1, "file_name": str(photos / "good.jpg"), "width": WIDTH, "height": HEIGHT}]
    assert coco["categories"] == [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]


def test_many_pictures_come_in_their_order_with_the_answers_they_have_alone(workshop, photos):
    for number in range(30):
        draw_shape(number, "disc")[0].resize((64 + number, 60)).save(photos / f"{number:02d}.png")
    (photos / "15b.jpg").write_bytes(b"no picture")
    answer = _predict(workshop, photos, "--json", "--min-score", "0.02")
    assert answer.code == 5
    pictures = json.loads(answer.out)
    assert [picture["path"] for picture in pictures] == sorted(picture["path"] for picture in pictures)
    assert len(pictures) == 32
    assert sum("error" in picture for picture in pictures) == 1
    alone = json.loads(_predict(workshop, photos / "17.png", "--json", "--min-score", "0.02").out)[0]
    together = next(picture for picture in pictures if picture["path"].endswith("17.png"))
    for ours, theirs in zip(together["objects"], alone["objects"], strict=True):
        assert list(ours["box"].values()) == pytest.approx(list(theirs["box"].values()), abs=0.01)


def test_proposals_are_labels_only_once_a_person_saved_them(workshop, tmp_path):
    from labeling.voc import read_annotation, write_annotation

    folder = tmp_path / "data" / "disc" / "unlabeled"
    (folder / "images").mkdir(parents=True)
    for name in ("mine", "new", "broken"):
        draw_shape(5, "disc")[0].save(folder / "images" / f"{name}.jpg")
    (folder / "broken.xml").write_text("<annotation>")
    answer = _predict(workshop, folder, "--voc", "--min-score", "0.02")
    assert answer.code == 0, answer.err
    assert "2 proposals written, 0 pictures without any, 1 left to the person who labelled them" in answer.err
    assert "broken.xml was saved by a person, or cannot be read" in answer.err
    proposal = read_annotation(folder / "mine.xml")
    assert proposal.database.startswith("tagbox proposal of tiny step ")
    assert (proposal.filename, proposal.folder, proposal.width) == ("mine.jpg", "images", WIDTH)
    assert proposal.objects
    for labeled in proposal.objects:
        assert labeled.name in ("disc", "square")
        assert 0 <= labeled.box.xmin < labeled.box.xmax <= WIDTH
        assert labeled.box.xmin == int(labeled.box.xmin)

    findings = tagbox_here("labels", "check", folder)
    assert findings.code == 1
    assert findings.out.count("error X13") == 2

    # LabelImg writes "Unknown" as the database: the file is a person's now.
    import dataclasses

    write_annotation(dataclasses.replace(proposal, database="Unknown", objects=()), folder / "mine.xml")
    again = _predict(workshop, folder, "--voc", "--min-score", "0.02")
    assert "1 proposals written, 0 pictures without any, 2 left to the person" in again.err
    assert read_annotation(folder / "mine.xml").objects == ()
    assert tagbox_here("labels", "check", folder, "--only", "X13").out.count("error X13") == 1


# --- patterns, collections, films -----------------------------------------------------------------------------------


def test_only_what_nobody_has_labelled(workshop, tmp_path):
    from labeling.annotations import Annotation
    from labeling.voc import write_annotation

    folder = tmp_path / "data" / "disc"
    for name in ("training/images/old", "unlabeled/images/mine", "unlabeled/images/new"):
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_shape(5, "disc")[0].save(path)
    for path in (folder / "training" / "old.xml", folder / "unlabeled" / "mine.xml"):
        write_annotation(Annotation(f"{path.stem}.jpg", WIDTH, HEIGHT), path)
    words = ("--unlabeled", "--voc", "--json", "--min-score", "0.02")
    for _ in range(2):  # a proposal is no label
        answer = _predict(workshop, tmp_path / "data", *words)
        assert answer.code == 0, answer.err
        assert "1 of 3 pictures are not labelled" in answer.err
        assert [entry["path"] for entry in json.loads(answer.out)] == [str(folder / "unlabeled/images/new.jpg")]
        assert (folder / "unlabeled" / "new.xml").is_file()
    answer = _predict(workshop, folder / "*" / "images" / "[mo]*.jpg", *words)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out) == []
    answer = _predict(workshop, folder / "*.jpg")
    assert answer.code == 6
    assert "*.jpg: no picture fits this pattern" in answer.error_line


def test_a_film_is_done_frame_by_frame(workshop, photos, tmp_path):
    import cv2

    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for _ in range(20):
        writer.write(np.asarray(draw_shape(5, "disc")[0])[..., ::-1].copy())
    writer.release()
    words = ("--json", "--min-score", "0.02", "--output", tmp_path / "drawn")
    answer = _predict(workshop, film, photos, "--every", "9", *words)
    assert answer.code == 0, answer.err
    *frames, photo = json.loads(answer.out)
    assert [(frame["path"], frame["video"], frame["frame"], frame["seconds"]) for frame in frames] == [
        (f"{film}:frame {number}", str(film), number, number / 10) for number in (0, 9, 18)
    ]
    assert frames[0]["objects"][0]["score"] == pytest.approx(photo["objects"][0]["score"], abs=0.1)
    drawn = sorted(str(path.relative_to(tmp_path / "drawn")) for path in (tmp_path / "drawn").rglob("*.jpg"))
    assert drawn == [*(f"film.avi/frame_{number:06d}.jpg" for number in (0, 9, 18)), "good.jpg"]

    refused = _predict(workshop, film, "--voc")
    assert refused.code == 2
    assert "--voc needs pictures" in refused.error_line
    film.write_text("nothing")
    broken = _predict(workshop, photos, film)
    assert broken.code == 6
    assert "film.avi: cannot be read as a film" in broken.error_line

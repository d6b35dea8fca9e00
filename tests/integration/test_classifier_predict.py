"""A trained classifier is asked: pictures, drawings of every kind, a drawing made in a browser."""

import csv
import http.client
import io
import json
import os
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pipelines.classification.classifier import RunClassifier, best_answers
from pipelines.classification.drawing_server import DrawingServer, as_quickdraw, strokes_of
from pipelines.evaluate import evaluate
from pipelines.run_directory import RunDirectory
from tests.support.browser import Browser
from tests.support.command import command_line, tagbox_here
from tests.support.tiny_classifier import SHAPES, build_drawings, draw_shape, write_bitmaps, write_tiny_classifier
from tests.unit.records.drawing_files import write_npy

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDirectory:
    root = tmp_path_factory.mktemp("asked")
    records = build_drawings(write_bitmaps(root / "bitmaps", count=120), root / "records", train_size=90)
    config = write_tiny_classifier(root)
    run = RunDirectory(root / "runs" / "shapes")
    answer = tagbox_here("train", config, "--run", run.path, "--records", records, "--set", "trainer.train_steps=150")
    assert answer.code == 0, answer.err
    return run


@pytest.fixture(scope="module")
def classifier(run) -> RunClassifier:
    return RunClassifier(run)


def _drawn(label: str, count: int = 8):
    chance = np.random.default_rng([7, *label.encode()])
    return np.stack([draw_shape(label, chance) for _ in range(count)])


def _classes(answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [one["answers"][0]["class"] for one in json.loads(answer.out)]


def test_rows_of_bitmaps_get_the_answers_of_an_evaluation(run, classifier, tmp_path):
    rows = np.concatenate([_drawn(label) for label in SHAPES])
    np.save(tmp_path / "mixed.npy", rows)
    answer = tagbox_here("predict", run.path, tmp_path / "mixed.npy", "--json", "--top", 2)
    found = json.loads(answer.out)
    assert [one["path"] for one in found[:2]] == [f"{tmp_path}/mixed.npy:row 0", f"{tmp_path}/mixed.npy:row 1"]
    truth = [label for label in SHAPES for _ in range(8)]
    assert np.mean([name == label for name, label in zip(_classes(answer), truth, strict=True)]) > 0.8
    assert all(len(one["answers"]) == 2 for one in found)
    scores = classifier.scores(rows.reshape(-1, 28, 28, 1))
    np.testing.assert_allclose(
        [one["answers"][0]["score"] for one in found], scores.max(axis=1), rtol=0, atol=1e-5
    )  # fmt: skip
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    # Both ways through the network: records that are evaluated, and files that are asked about.
    assert evaluate(run)["top1"] > 0.8


def test_an_evaluation_names_the_classes_that_the_network_does_not_have(run, tmp_path):
    write_npy(write_bitmaps(tmp_path / "src", SHAPES[:2], count=8), "zigzag", 8)
    records = build_drawings(tmp_path / "src", tmp_path / "records", train_size=3, eval_size=5)
    path = records / "drawings_verification.record"
    answer = tagbox_here("eval", run.path, "--records", path)
    assert answer.code == 0, answer.err
    assert "5 pictures are of classes that the network does not have; all are mistakes: zigzag" in answer.err
    (records / "manifest.json").unlink()
    results = json.loads(tagbox_here("eval", run.path, "--records", path, "--json").out)
    assert (results["num_unknown"], results["unknown_classes"], results["num_images"]) == (5, ["zigzag"], 15)
    assert "unknown_classes" not in run.read_results()


def test_pictures_of_ink_on_paper_are_noted_and_can_be_turned(run, tmp_path):
    for label in SHAPES:
        drawing = Image.fromarray(_drawn(label, 1)[0].reshape(28, 28))
        drawing.save(tmp_path / f"{label}.png")
    light_on_dark = tagbox_here("predict", run.path, tmp_path, "--json")
    assert "dark on light" not in light_on_dark.err
    for path in tmp_path.glob("*.png"):
        ImageOps.invert(Image.open(path)).convert("RGBA").save(path)
    paper = tagbox_here("predict", run.path, tmp_path, "--json")
    assert "4 pictures are dark on light" in paper.err
    turned = tagbox_here("predict", run.path, tmp_path, "--json", "--invert")
    assert "dark on light" not in turned.err
    assert json.loads(turned.out) == json.loads(light_on_dark.out)


def test_strokes_are_drawn_as_the_bitmaps_are(run, tmp_path):
    line = {"word": "stripe", "key_id": "1", "recognized": True, "drawing": [[[0, 128, 255], [9, 4, 0]]]}
    file = tmp_path / "stripe.ndjson"
    file.write_text(json.dumps(line) + "\nno drawing\n", encoding="utf-8")
    answer = tagbox_here("predict", run.path, file, "--format", "csv", "--output", tmp_path / "drawn")
    assert answer.code == 5
    assert f"{file}:byte" in answer.err
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert rows[0]["class"] == "stripe"
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    with Image.open(tmp_path / "drawn" / "answers.png") as mosaic:
        assert mosaic.width > 100


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_is_done(run, tmp_path):
    Image.fromarray(_drawn("disc", 1)[0].reshape(28, 28)).resize((90, 60)).save(tmp_path / "disc.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    np.save(tmp_path / "flat.npy", np.zeros(784, np.uint8))
    answer = tagbox_here("predict", run.path, tmp_path / "flat.npy", tmp_path)
    assert answer.code == 5
    assert f"error: {tmp_path / 'broken.jpg'}: cannot be read as a picture" in answer.err
    assert f"error: {tmp_path / 'flat.npy'}: the array holds uint8 of shape (784,)" in answer.err
    assert "1 pictures, 2 not read" in answer.err
    assert "disc.jpg" in answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.npy"], "no such file"),
        (["gone.jpg"], "no such file or folder"),
        (["x.jpg", "--voc"], "--voc is for detectors"),
        (["x.jpg", "--format", "coco"], "--format coco is for detectors"),
        (["x.jpg", "--draw"], "--draw answers to what is drawn"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(run, words, said):
    answer = tagbox_here("predict", run.path, *words)
    assert answer.code in (2, 6)
    assert said in answer.err


def test_options_that_would_be_passed_over_are_refused(run, tmp_path):
    file = tagbox_here("predict", tmp_path / "model.tflite", "x.jpg", "--checkpoint", "last")
    album = tagbox_here("eval", run.path, "--mistakes", "3")
    gate = tagbox_here("eval", run.path, "--follow", "--min-ap50", "0.5")
    assert [one.code for one in (file, album, gate)] == [2, 2, 2]
    assert "--checkpoint is for a RUN" in file.err
    assert "--mistakes are for detectors" in album.err
    assert "ask for --min-top1" in gate.err


def test_a_file_of_another_shape_is_refused(run, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros((3, 100), np.float32))
    answer = tagbox_here("predict", run.path, tmp_path / "wrong.npy")
    assert answer.code == 6
    assert "float32 of shape (3, 100)" in answer.error_line


def test_equal_scores_come_in_the_order_of_the_outputs():
    names = {3: "b", 5: "a", 9: "c"}
    ((first, second),) = best_answers(np.array([[0.2, 0.4, 0.4]], np.float32), names, 2)
    assert (first.class_id, first.name, second.class_id) == (5, "a", 9)


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(classifier):
    with DrawingServer(classifier) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _post(server, body: bytes, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    connection.request("POST", "/answer", body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_drawing_in_a_browser_is_answered_after_each_stroke(server, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        browser.open(server.address)
        canvas = "document.getElementById('canvas').getBoundingClientRect()"
        left, top, side = browser.evaluate(f"(f => [f.left, f.top, f.width])({canvas})")

        def draw(points):
            browser.stroke([(left + side * x, top + side * y) for x, y in points])

        shown = "document.querySelectorAll('#answers li').length"
        draw([(0.1 + 0.02 * step, 0.5) for step in range(40)])
        browser.wait_for(f"{shown} === 4")
        assert browser.evaluate("document.getElementById('words').textContent") == "This looks like stripe."
        browser.evaluate("document.getElementById('clear').click()")
        browser.wait_for(f"{shown} === 0")
        draw([(0.2 + 0.015 * step, 0.2 + 0.015 * step) for step in range(40)])
        draw([(0.2 + 0.015 * step, 0.8 - 0.015 * step) for step in range(40)])
        browser.wait_for("document.getElementById('words').textContent === 'This looks like cross.'")
        browser.screenshot(tmp_path / "page.png")
        answers = "document.getElementById('answers').textContent"
        before = browser.evaluate(answers)
        browser.evaluate("document.getElementById('undo').click()")
        browser.wait_for(f"{answers} !== {json.dumps(before)}")
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert browser.complaints == []
        assert all(address.startswith((server.address, "data:")) for address in browser.requested)
    with Image.open(tmp_path / "page.png") as page:
        assert len(page.convert("L").getcolors()) > 50


def test_only_the_page_itself_is_answered(server):
    body = json.dumps({"strokes": [[[10, 10], [200, 12]]]}).encode()
    status, answer = _post(server, body)
    assert status == 200
    assert answer["answers"][0]["class"] == "stripe"
    assert _post(server, body, Host="elsewhere.example")[0] == 404
    assert _post(server, body, **{"Content-Type": "text/plain"})[0] == 404
    assert _post(server, b"x" * 10, **{"Content-Length": str(1 << 30)})[0] == 413
    for bad in (b"[]", b"{", b'{"strokes": []}', b'{"strokes": [[[1, 2], [1e999, 3]]]}', b'{"strokes": [[[1]]]}'):
        status, answer = _post(server, bad)
        assert status == 400
        assert answer["error"]


_NUMBER = st.floats(0, 255) | st.integers(0, 255)
_STROKES = st.lists(st.lists(st.tuples(_NUMBER, _NUMBER), min_size=1, max_size=6), min_size=1, max_size=4)


@given(_STROKES)
def test_strokes_survive_the_way_and_fill_quickdraws_canvas(strokes):
    read = strokes_of(json.dumps({"strokes": strokes}).encode())
    assert [stroke.tolist() for stroke in read] == [[list(map(float, point)) for point in stroke] for stroke in strokes]
    points = np.concatenate(as_quickdraw(read))
    assert points.min() == 0
    assert points.max() <= 255.0001


_LEAF = st.none() | st.booleans() | st.floats() | st.text(max_size=3)
_JSON = st.recursive(_LEAF, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@given(st.dictionaries(st.sampled_from(["strokes", "other"]), _JSON) | _JSON)
def test_anything_else_is_refused_and_nothing_breaks(content):
    try:
        strokes = strokes_of(json.dumps(content).encode())
    except ValueError:
        return
    assert all(stroke.ndim == 2 and stroke.shape[1] == 2 for stroke in strokes)


def test_the_command_serves_the_page_until_ctrl_c(run):
    process = subprocess.Popen(
        command_line("predict", run.path, "--draw"), stderr=subprocess.PIPE, text=True, cwd=Path(run.path)
    )
    assert process.stderr is not None
    try:
        address = next(line.split()[2] for line in process.stderr if "draw on" in line)
        with urllib.request.urlopen(address, timeout=30) as page:
            assert b"<canvas" in page.read()
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()

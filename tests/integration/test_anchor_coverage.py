"""Boxes that no anchor can learn are found through Model Garden's decoder and the matcher of training."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from records.build import build_records
from records.example import Int64List
from tests.support.command import tagbox_here
from tests.support.od_api_records import od_example, write_records
from tests.support.tiny_training import write_tiny_config
from tests.unit.records.pictures import HEIGHT, WIDTH, add_picture

pytestmark = pytest.mark.tf

_PICTURE = Image.effect_noise((96, 96), 60).convert("RGB")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return write_tiny_config(tmp_path_factory.mktemp("config"))


def _check(paths, config, overrides=(), **more):
    from pipelines.detection.anchor_coverage import check_anchor_coverage
    from pipelines.experiment import load_experiment

    return check_anchor_coverage(paths, load_experiment(config, overrides), **more)


def _iou(box, anchors):
    top_left = np.maximum(box[:2], anchors[:, :2])
    bottom_right = np.minimum(box[2:], anchors[:, 2:])
    overlap = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)
    areas = np.prod(anchors[:, 2:] - anchors[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return overlap / (areas - overlap)


def test_every_box_gets_its_best_overlap_and_the_anchors_that_answer_for_it(tmp_path, config):
    from pipelines.detection.ssd_model import build_ssd_model
    from pipelines.experiment import load_experiment

    chance = np.random.default_rng(5)
    corners = np.sort(chance.random((30, 2, 2)), axis=1).astype(np.float32)
    boxes = [tuple(map(float, (low[0], low[1], high[0], high[1]))) for low, high in corners]
    path = write_records(
        tmp_path / "x.record", [od_example(_PICTURE, [box], [1], source_id=str(n)) for n, box in enumerate(boxes, 1)]
    )
    report = _check([path], config, min_iou=1.0)
    anchors = build_ssd_model(load_experiment(config).params.task.model, num_classes=1).anchors
    assert (report.num_anchors, report.num_boxes, report.input_size) == (len(anchors), 30, (96, 96))
    assert len(report.unlearnable) == 30
    for found, box in zip(report.unlearnable, boxes, strict=True):
        overlaps = _iou(np.array(box, np.float32), anchors)
        assert found.best_iou == pytest.approx(overlaps.max(), abs=1e-5)
        assert found.num_anchors == max((overlaps >= 0.5).sum(), 1)
        assert (found.width_px, found.height_px) == pytest.approx(
            ((box[3] - box[1]) * 96, (box[2] - box[0]) * 96), abs=1e-3
        )
    assert report.num_forced == sum(one.best_iou < 0.5 for one in report.unlearnable)


def test_the_command_lists_them_with_their_xml(tmp_path, config):
    data = tmp_path / "data"
    add_picture(data, "cat", "training", "fine", boxes=[(4, 3, 36, 27)])
    add_picture(data, "cat", "training", "speck", boxes=[(4, 3, 36, 27), (20, 20, 22, 21)])
    add_picture(data, "cat", "training", "twins", boxes=[(20, 15, 21, 16), (20, 15, 21, 17)])
    build_records(data, tmp_path / "records")
    answer = tagbox_here("records", "verify", tmp_path / "records", "--deep", "--config", config, "--json")
    assert answer.code == 1
    document = json.loads(answer.out)
    assert document["deep"]["boxes"] == 5
    rows = [(row["xml"], row["box"], row["anchors"] > 0) for row in document["deep"]["unlearnable"]]
    assert rows == [
        ("cat/training/speck.xml", 2, True),
        ("cat/training/twins.xml", 1, True),
        ("cat/training/twins.xml", 2, False),
    ]
    assert [finding["code"] for finding in document["findings"]] == ["V32", "V32", "V31"]
    assert (
        f"box 2 of cat/training/speck.xml, cat, {2 / WIDTH * 96:.1f} x {1 / HEIGHT * 96:.1f} px"
        in document["findings"][0]["message"]
    )
    assert "of 5 boxes 3 cannot be learned" in answer.err


def test_what_the_decoder_refuses_is_a_finding_and_the_rest_is_still_judged(tmp_path, config):
    path = write_records(
        tmp_path / "x.record",
        [
            od_example(_PICTURE, [(0.1, 0.1, 0.9, 0.9)], [1], source_id=None),
            od_example(_PICTURE, [(0.1, 0.1, 0.9, 0.9)], [0]),
            od_example(_PICTURE, [(0.1, 0.1, 0.9, 0.9)] * 2, [1, 2], image__object__is_crowd=Int64List((1, 0))),
            od_example(_PICTURE),
        ],
    )
    report = _check([path], config)
    assert [(finding.code, finding.example) for finding in report.findings] == [("V30", 0), ("V33", 1), ("V33", 2)]
    assert "image/source_id" in report.findings[0].message
    assert "class id is 0" in report.findings[1].message
    assert "raccoon-1.jpg" in report.findings[1].message
    assert (report.num_examples, report.num_boxes) == (3, 3)
    first = od_example(_PICTURE, [(0.1, 0.1, 0.5, 0.5), (0.5, 0.5, 0.9, 0.9)], [1, 1])
    limited = _check([write_records(tmp_path / "y.record", [first])], config, ["task.train_data.max_boxes=1"])
    assert [finding.code for finding in limited.findings] == ["V33"]
    assert "max_boxes (1)" in limited.findings[0].message


def test_damaged_files_are_left_to_the_plain_findings(tmp_path, config):
    sound = write_records(tmp_path / "a.record", [od_example(_PICTURE, [(0.1, 0.1, 0.9, 0.9)], [1])])
    (tmp_path / "b.record").write_bytes(sound.read_bytes()[:-3])
    answer = tagbox_here("records", "verify", tmp_path, "--deep", "--config", config, "--json")
    document = json.loads(answer.out)
    assert [finding["code"] for finding in document["findings"]] == ["V03"]
    assert document["deep"]["examples"] == 1


def test_wrong_configs(tmp_path, config):
    path = write_records(tmp_path / "a.record", [od_example(_PICTURE)])
    for words, code, said in (
        (["--config", config], 2, "--config goes with --deep"),
        (["--deep", "--config", "nonsense"], 6, "nonsense"),
        (["--deep", "--config", config, "--set", "task.model.anchor.min_scale=1"], 2, "anchors"),
    ):
        answer = tagbox_here("records", "verify", path, *words)
        assert (answer.code, said in answer.error_line) == (code, True), answer.err

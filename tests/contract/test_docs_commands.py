"""Every command of the README and of docs/ is run, page by page, in a folder with small pictures."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import docs_world
from tests.support.docs_commands import EXIT_CODES, reason_not_to_run, run_line
from tests.support.docs_pages import ROOT, DocPage, doc_pages, page, table_rows
from tests.support.warm_tagbox import WarmTagbox

pytestmark = [pytest.mark.slow, pytest.mark.tf]

# What a page needs besides what the README's commands have left behind.
NEEDS: dict[str, list[Callable[[Path], None]]] = {
    "docs/tutorial/first-detector.md": [docs_world.add_demo],
    "docs/how-to/collect-from-quickdraw.md": [docs_world.add_demo],
    "docs/how-to/compose-scenes.md": [docs_world.add_demo],
    "docs/how-to/train-on-labelimg-files.md": [docs_world.add_published_split],
    "docs/how-to/check-labels.md": [docs_world.add_published_split],
    "docs/how-to/build-records.md": [docs_world.add_published_split],
    "docs/how-to/trust-records.md": [docs_world.add_other_records],
    "docs/how-to/build-classification-records.md": [docs_world.add_drawings],
    "docs/how-to/retrain-an-image-classifier.md": [docs_world.add_drawings, docs_world.add_fetched_weights],
    "docs/how-to/classify-tumblr-tags.md": [docs_world.add_collected, docs_world.add_fetched_weights],
    "docs/how-to/train-inception-resnet.md": [docs_world.add_strokes],
    "docs/how-to/train-a-quickdraw-classifier.md": [docs_world.add_drawings, docs_world.add_strokes],
    "docs/how-to/repair-labels.md": [docs_world.add_waiting_labels],
    "docs/how-to/split-into-training-and-verification.md": [docs_world.add_waiting_labels],
    "docs/how-to/convert-labels.md": [docs_world.add_waiting_labels],
    "docs/how-to/evaluate-and-predict.md": [
        docs_world.add_other_records,
        docs_world.add_found_detections,
        docs_world.add_film,
    ],
    "docs/how-to/from-the-object-detection-api.md": [docs_world.add_pipeline_config],
    "docs/how-to/train-on-several-machines.md": [docs_world.add_cloud_yml],
}
# What must be there once the commands of a page are done.
LEAVES = {
    "README.md": [
        "data/raccoon/training/images/raccoon-01.jpg",
        "data/raccoon/verification/raccoon-04.xml",
        "records/raccoon_training.record",
        "runs/raccoon/report.html",
        "runs/raccoon/checkpoints/best/checkpoint",
        "predictions/first.jpg",
        "predictions/second.jpg",
    ],
    "docs/tutorial/first-detector.md": ["sheet.jpg", "example.png", "runs/short/report.html"],
    "docs/how-to/train-on-labelimg-files.md": ["sheet.jpg", "runs/longer/report.html"],
    "docs/how-to/from-the-object-detection-api.md": [
        "raccoon.yaml",
        "runs/filled/report.html",
        "runs/old/results.json",
        "inference_graph/frozen_inference_graph.pb",
    ],
    "docs/how-to/export-a-model.md": [
        "runs/raccoon/export/model.tflite",
        "runs/raccoon/export/saved_model/saved_model.pb",
    ],
    "docs/how-to/evaluate-and-predict.md": [
        "figures.json",
        "objects.json",
        "predictions/second.jpg",
        "predictions/film.mp4/frame_000010.jpg",
    ],
    "docs/how-to/collect-from-quickdraw.md": ["pictures/jpeg/cat.csv"],
    "docs/how-to/compose-scenes.md": ["data/fish/verification/images/fish_verification_00009.jpg"],
    "docs/how-to/build-records.md": ["example.png", "label_map.pbtxt"],
    "docs/how-to/trust-records.md": ["example.png", "named.png", "records/croissant.json"],
    "docs/how-to/build-classification-records.md": ["drawing.png", "tf/train.tfrecord", "tag_records/manifest.json"],
    "docs/how-to/retrain-an-image-classifier.md": [
        "runs/pictures/results.json",
        "runs/pictures_fine/results.json",
        "retrained_graph.pb",
        "label_titles.txt",
    ],
    "docs/how-to/classify-tumblr-tags.md": [
        "runs/tags/tag_predictions.csv",
        "tagged/answers.png",
        "tags.html",
        "runs/tags/export/model.tflite",
    ],
    "docs/how-to/train-inception-resnet.md": ["runs/e2_7/results.json", "width53.png", "width53.html"],
    "docs/how-to/check-labels.md": ["sheet.jpg"],
    "docs/how-to/train-a-quickdraw-classifier.md": [
        "drawings.png",
        "runs/drawings/samples/pictures.jpg",
        "runs/strokes/plots/train_batch.jpg",
        "runs/renaissance/predictions.csv",
        "renaissance-job.yaml",
    ],
    "docs/how-to/watch-and-compare-runs.md": ["runs/split/report.html", "curves.png", "comparison.html"],
    "docs/how-to/train-on-several-machines.md": ["job.yaml", "job.json"],
    "docs/how-to/split-into-training-and-verification.md": ["plot.png"],
    "docs/how-to/convert-labels.md": ["yolo_set/data.yaml", "from_coco/raccoon/verification/raccoon-04.xml"],
}
WITH_COMMANDS = [doc for doc in doc_pages() if doc.commands and doc.name != "README.md"]


@pytest.fixture(scope="module")
def after_readme(warm: WarmTagbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader who has done what the README says; the other pages start from copies of it."""
    root = tmp_path_factory.mktemp("reader")
    docs_world.make_start(root)
    warm.write_backbone(root / "weights" / "mobilenet_v1_1.0_224.ckpt")
    _walk(page("README.md"), root, warm)
    return root


def test_readme(after_readme: Path) -> None:
    _assert_left("README.md", after_readme)
    # It was started from the weights that the page names.
    config = yaml.safe_load((after_readme / "runs/raccoon/config.yaml").read_text(encoding="utf-8"))
    assert config["task"]["init_checkpoint"] == "weights/mobilenet_v1_1.0_224.ckpt"


@pytest.mark.parametrize("doc", WITH_COMMANDS, ids=lambda doc: doc.name)
def test_page(doc: DocPage, after_readme: Path, warm: WarmTagbox, tmp_path: Path) -> None:
    root = tmp_path / "reader"
    shutil.copytree(after_readme, root)
    for add in NEEDS.get(doc.name, []):
        add(root)
    _walk(doc, root, warm)
    _assert_left(doc.name, root)


def test_run_folder_page_names_every_file(after_readme: Path) -> None:
    run = after_readme / "runs" / "raccoon"
    of_a_detector = page("docs/reference/run-folder.md").text.partition("\n## ")[0]
    named = {word for cells in table_rows(of_a_detector) for word in _spans(cells[0])}
    there = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    unnamed = {path for path in there if not any(path == name or _is_below(path, name) for name in named)}
    assert not unnamed
    assert not {name for name in named if not any(path == name or _is_below(path, name) for path in there)}


def test_config_page_has_every_key_and_its_default(warm: WarmTagbox, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("experiment: ssd_mobilenet_v1\ntrainer:\n  train_steps: 1500\n")
    shown = warm.run(["config", "show", "bare.yaml"], tmp_path)
    assert shown.returncode == 0, shown.stderr
    defaults = dict(_leaves(yaml.safe_load(shown.stdout)))
    written = {
        cells[0].strip("`"): yaml.safe_load(cells[1].strip("`"))
        for cells in table_rows(page("docs/reference/config.md").text)
    }
    assert {key: defaults[key] for key in written} == written
    data_keys = {f"task.train_data.{name}" for name in _own_fields("SSDData") - {"augmentation"}}
    groups = ("task.model.", "task.losses.", "task.train_data.augmentation.")
    own = data_keys | {key for key in defaults if key.startswith(groups)}
    own |= {f"task.{name}" for name in _own_fields("SSDTask")} & set(defaults)
    assert sorted(own - set(written)) == []


def test_yaml_on_the_config_page_is_sound(warm: WarmTagbox, tmp_path: Path) -> None:
    examples = [block.text for block in page("docs/reference/config.md").blocks if block.language == "yaml"]
    assert examples
    for text in examples:
        (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
        checked = warm.run(["config", "check", "example.yaml"], tmp_path)
        assert checked.returncode == 0, checked.stderr


def test_board_shows_the_runs(after_readme: Path) -> None:
    board = subprocess.Popen(
        [Path(sys.executable).parent / "tagbox", "board", "runs", "--port", "0"],
        cwd=after_readme,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert board.stderr is not None
    said, address = "", None
    try:
        while address is None and (line := board.stderr.readline()):
            said += line
            address = re.search(r"http://localhost:\d+/", line)
        assert address, f"TensorBoard did not start: {said}"
        # TensorBoard answers before it has read the events.
        wanted, shown, deadline = {"raccoon/train", "raccoon/validation"}, set(), time.monotonic() + 60
        while not wanted <= shown and time.monotonic() < deadline:
            with urllib.request.urlopen(address[0] + "data/runs", timeout=60) as answer:
                shown = set(json.load(answer))
            time.sleep(0.2)
        assert wanted <= shown
        # Ctrl-C in a terminal reaches the whole group.
        os.killpg(board.pid, signal.SIGINT)
        board.communicate(timeout=60)
        assert board.returncode == 0
    finally:
        if board.poll() is None:
            os.killpg(board.pid, signal.SIGKILL)
            board.communicate()


def _walk(doc: DocPage, root: Path, warm: WarmTagbox) -> None:
    for line in doc.commands:
        if reason_not_to_run(line):
            continue
        done = run_line(line, root, warm)
        words = f"{doc.name}: `{line}`\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        assert done.returncode == EXIT_CODES.get(line, 0), f"exit code {done.returncode} of {words}"
        assert not re.search(r"Traceback|WARNING:|tagbox has a bug", done.stderr), words


def _assert_left(name: str, root: Path) -> None:
    missing = [path for path in LEAVES.get(name, []) if not (root / path).is_file()]
    assert not missing, f"the commands of {name} did not write {missing}"


def _spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _is_below(path: str, name: str) -> bool:
    return name.endswith("/") and path.startswith(name)


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _own_fields(class_name: str) -> set[str]:
    """Names that a config class declares itself, read from the source: importing it would import TensorFlow."""
    source = ast.parse((ROOT / "pipelines" / "detection" / "ssd_config.py").read_text(encoding="utf-8"))
    body = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == class_name).body
    return {node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}

"""Scenes from files to a checked dataset: processes, kills, full disks, and the command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from collectors.doodles import draw_doodle
from collectors.quickdraw_formats import Drawing, write_simplified
from labeling.label_map import read_label_map
from labeling.scene_drawings import load_drawings
from labeling.scene_spec import SceneSpec
from labeling.scenes import compose_scenes
from labeling.validate import check_dataset
from labeling.voc import read_annotation
from scripts import exit_codes
from scripts.commands.labels_scenes import scenes

SPEC = SceneSpec(width=128, height=96, verification_share=0.4)


@pytest.fixture(scope="module")
def drawing_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("drawings")
    for name in ("cat", "fish", "sun"):
        write_simplified(folder / f"{name}.ndjson", (draw_doodle(name, index, seed=1) for index in range(12)))
    return [folder / f"{name}.ndjson" for name in ("cat", "fish", "sun")]


def _bytes_below(root: Path):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _compose(files, root, **options):
    drawings = load_drawings(files).by_category
    return compose_scenes(drawings, root, spec=SPEC, training=12, verification=4, seed=1, **options)


@pytest.fixture(scope="module")
def reference(drawing_files, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("reference")
    _compose(drawing_files, root)
    return _bytes_below(root)


def test_two_processes_make_the_same_bytes(drawing_files, tmp_path: Path):
    drawings = load_drawings(drawing_files).by_category
    spec = SceneSpec(width=64, height=48, verification_share=0.4)
    for jobs in (1, 2):
        root = tmp_path / str(jobs)
        summary = compose_scenes(drawings, root, spec=spec, training=60, verification=10, seed=1, jobs=jobs)
        assert summary.written == 210
    assert _bytes_below(tmp_path / "1") == _bytes_below(tmp_path / "2")


def test_no_drawing_is_seen_in_both_splits(tmp_path: Path):
    """Seen from the dataset alone: every drawing is a frame of its own height, so a box tells which one it is."""
    heights = range(15, 255, 10)
    frames = [
        Drawing("frame", str(height), (np.array([[0, 0], [255, 0], [255, height], [0, height], [0, 0]], np.int16),))
        for height in heights
    ]
    spec = SceneSpec(width=400, height=400, objects=(1, 1), scale=(0.8, 0.8), rotation_deg=0, line_width=(2, 2))
    compose_scenes({"frame": frames}, tmp_path, spec=spec, training=120, verification=120, seed=1)
    seen: dict[str, set[int]] = {"training": set(), "verification": set()}
    for path in tmp_path.rglob("*.xml"):
        box = read_annotation(path).objects[0].box
        height = (box.height - 2) * 255 / (0.8 * 400 - 2)
        seen[path.parent.name].add(min(heights, key=lambda known: abs(known - height)))
    assert seen["training"].isdisjoint(seen["verification"])
    assert seen["training"] | seen["verification"] == set(heights)
    assert len(seen["verification"]) >= 2


def test_a_killed_run_is_finished_by_the_same_call(drawing_files, reference, tmp_path: Path):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.integration.test_scenes import _compose\n"
        "_compose([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))\n"
    )
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), *map(str, drawing_files)])
        before = len(list(tmp_path.rglob("*.xml")))
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(tmp_path.rglob("*.xml"))) > before + 5:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.002)
        process.wait(timeout=60)
    _compose(drawing_files, tmp_path)
    assert _bytes_below(tmp_path) == reference


def test_a_full_disk_is_one_clear_error_and_no_broken_file(drawing_files, tmp_path: Path):
    # A limit on the size of a file fails a write halfway, as a full disk does.
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from tests.integration.test_scenes import _compose\n"
        "from collectors.errors import InputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))\n"
        "try:\n    _compose([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))\n"
        "except InputError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), *map(str, drawing_files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "cannot write" in done.stdout
    assert ".jpg" in done.stdout
    assert "run the same command again" in done.stdout
    assert not list(tmp_path.rglob("*.tmp"))
    for path in tmp_path.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()


def test_the_checks_find_nothing_to_say(drawing_files, tmp_path: Path):
    _compose(drawing_files, tmp_path)
    report = check_dataset(tmp_path, label_map=read_label_map(tmp_path / "label_map.pbtxt"), jobs=1)
    assert len(report.images) == 48
    assert report.refused == ()
    assert {finding.code for finding in report.findings if finding.severity != "info"} == set()


def test_real_drawings_make_sound_scenes(shared_data: Path, tmp_path: Path):
    folder = shared_data / "quickdraw" / "simplified_25x344"
    names = ["The Eiffel Tower", "hot dog", "t-shirt", "line", "hurricane", "spider"]
    drawings = load_drawings([folder / f"{name}.ndjson" for name in names]).by_category
    spec = SceneSpec(width=320, height=240, objects=(3, 6), rotation_deg=90, verification_share=0.3)
    summary = compose_scenes(drawings, tmp_path, spec=spec, training=6, verification=2, seed=1)
    assert summary.written == 48
    report = check_dataset(tmp_path, label_map=read_label_map(tmp_path / "label_map.pbtxt"), jobs=1)
    assert len(report.images) == 48
    assert report.class_names == tuple(sorted(names))


def _run(*words: object):
    return CliRunner().invoke(scenes, [str(word) for word in words], standalone_mode=False)


def test_the_command_writes_a_dataset_and_says_so(drawing_files, tmp_path: Path):
    words = [*drawing_files, "--out", tmp_path / "data", "--training", 2, "--verification", 1, "--jobs", 1]
    words += ["--size", "160x120", "--verification-share", 0.4]
    result = _run(*words)
    assert result.return_value == exit_codes.DONE, result.output
    assert "wrote 9 scenes" in result.stderr
    assert "cat" in result.stdout
    again = _run(*words, "--json")
    account = json.loads(again.stdout)
    assert (account["written"], account["unchanged"], account["kept"]) == (0, 9, 0)
    assert account["objects"]["training"].keys() <= {"cat", "fish", "sun"}
    assert len(list((tmp_path / "data").rglob("*.xml"))) == 9
    with Image.open(tmp_path / "data/cat/training/images/cat_training_00000.jpg") as image:
        assert image.size == (160, 120)


def test_the_command_leaves_corrections_alone_and_exits_with_findings(drawing_files, tmp_path: Path):
    words = [*drawing_files, "--out", tmp_path, "--training", 1, "--verification", 0, "--jobs", 1]
    _run(*words)
    corrected = tmp_path / "cat/training/cat_training_00000.xml"
    corrected.write_text("mine")
    result = _run(*words)
    assert result.return_value == exit_codes.FINDINGS
    assert str(corrected) in result.stderr
    assert corrected.read_text() == "mine"
    assert _run(*words, "--overwrite").return_value == exit_codes.DONE
    assert corrected.read_text() != "mine"


def test_the_command_names_broken_lines_and_photographs(drawing_files, tmp_path: Path):
    damaged = tmp_path / "damaged.ndjson"
    damaged.write_bytes(drawing_files[0].read_bytes() + b"oops\n" + b'{"word": "cat"}\n')
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (300, 200), (90, 140, 90)).save(photos / "meadow.jpg")
    (photos / "broken.jpg").write_bytes(b"no picture")
    words = [damaged, "--photos", photos, "--out", tmp_path / "data", "--training", 1, "--verification", 1, "--json"]
    result = _run(*words, "--jobs", 1, "--verification-share", 0.4)
    assert result.return_value == exit_codes.DONE, result.output
    assert f"{damaged}:13: not JSON" in result.stderr
    assert "broken.jpg" in result.stderr
    account = json.loads(result.stdout)
    assert [(line["line"], line["code"]) for line in account["refused_lines"]] == [
        (13, "not-json"),
        (14, "bad-strokes"),
    ]
    assert account["refused_photos"] == 1
    with Image.open(tmp_path / "data/cat/training/images/cat_training_00000.jpg") as image:
        red, green, _ = image.resize((1, 1)).getpixel((0, 0))
    assert green > red + 10


def test_a_dry_run_of_the_command_writes_nothing(drawing_files, tmp_path: Path):
    result = _run(*drawing_files, "--out", tmp_path / "data", "--training", 1, "--dry-run", "--jobs", 1)
    assert "would write" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--size", "640"],
        ["--size", "axb"],
        ["--objects", "1-2-3"],
        ["--objects", "two"],
        ["--scale", "0.1-x"],
        ["--colours", "#12345"],
        ["--colours", "red"],
        ["--training", "-1"],
        ["--background", "photos"],
    ],
)
def test_a_wrong_option_is_a_usage_error(drawing_files, tmp_path: Path, words):
    result = CliRunner().invoke(scenes, [str(drawing_files[0]), "--out", str(tmp_path / "data"), *words])
    assert result.exit_code == exit_codes.USAGE
    assert words[0] in result.stderr
    assert not (tmp_path / "data").exists()


def test_all_options_reach_the_pictures(drawing_files, tmp_path: Path):
    words = ["--size", "200x100", "--objects", "1", "--scale", "0.6", "--rotation", 0, "--mirror", 0]
    words += ["--line-width", "2-3", "--colours", "#ff0000", "--background", "plain", "--quality", 95]
    words += ["--clutter", "sun", "--clutter-objects", "1", "--negatives", 0.3, "--into", "doodles", "--limit", 10]
    words += ["--seed", 9, "--max-overlap", 0, "--recognized-only", "--training", 10, "--verification", 0]
    result = _run(*drawing_files, "--out", tmp_path, *words, "--jobs", 1, "--json")
    assert result.return_value == exit_codes.DONE, result.output
    account = json.loads(result.stdout)
    assert account["left_out"] == {"over-limit": 6}
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.xml")} == {"doodles"}
    annotations = [read_annotation(path) for path in sorted(tmp_path.rglob("*.xml"))]
    assert len(annotations) == 20
    assert {len(annotation.objects) for annotation in annotations} == {0, 1}
    assert {labeled.name for annotation in annotations for labeled in annotation.objects} == {"cat", "fish"}
    with Image.open(tmp_path / "doodles/training/images/cat_training_00000.jpg") as image:
        colours = image.convert("RGB").resize((50, 25)).getcolors()
    assert all(red > 240 and abs(green - blue) < 40 for _, (red, green, blue) in colours)

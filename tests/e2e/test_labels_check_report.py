"""The forms of ``tagbox labels check`` that other programs read: SARIF, the page in a browser, baselines, the cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import browse
from tests.unit.labeling.labeled_pictures import annotation, encoded, write_class, write_pair


def _check(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    code = "from scripts.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "labels", "check", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sound class, and a white picture with a box from (200, 100) to (400, 300) of 640 x 480 that is there twice."""
    training = write_class(tmp_path / "data") / "training"
    box = (200.0, 100.0, 400.0, 300.0)
    xml = annotation(box, box, name="cat", filename="a b.jpg", size=(640, 480))
    write_pair(training, "a b", xml=xml, image=encoded(Image.new("RGB", (640, 480), "white")))
    write_pair(training, "cut", xml=b"<annotation><object>", seed=40)
    return tmp_path


def test_sarif_on_stdout(root: Path) -> None:
    done = _check("data", "--format", "sarif", cwd=root)
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    results = log["runs"][0]["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [("B08", "warning"), ("X01", "error")]
    location = results[0]["locations"][0]["physicalLocation"]
    assert location == {
        "artifactLocation": {"uri": "data/cat/training/a%20b.xml"},
        "region": {"startLine": 25},
    }


def test_baseline_accepts_what_is_there_and_nothing_else(root: Path) -> None:
    done = _check("data", "--write-baseline", "base.json", cwd=root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 findings accepted in base.json" in done.stderr
    done = _check("data", "--baseline", "base.json", "--strict", cwd=root)
    assert done.returncode == 0
    assert "2 findings are accepted by base.json" in done.stderr
    assert "1 refused (X01 1)" in done.stdout, "accepted is not mended"
    write_pair(root / "data/cat/training", "new", xml=b"<", seed=41)
    done = _check("data", "--baseline", "base.json", cwd=root)
    assert done.returncode == 1
    assert "new.xml:1: error X01" in done.stdout
    assert "cut.xml" not in done.stdout


def test_thumbnails_are_named_above_their_findings(root: Path) -> None:
    done = _check("data", "--thumbnails", "drawn", cwd=root)
    drawn = [line.removeprefix("drawn: ") for line in done.stdout.splitlines() if line.startswith("drawn: ")]
    assert len(drawn) == 2
    for name in drawn:
        with Image.open(root / name) as image:
            assert max(image.size) <= 320
    lines = done.stdout.splitlines()
    assert lines[lines.index(f"drawn: {drawn[0]}") + 1].startswith("data/cat/training/a b.xml:25: warning B08")


def test_second_run_opens_no_file_that_has_settled(root: Path) -> None:
    assert _check("data", cwd=root).returncode == 1
    assert (root / "data/.tagbox/check-cache.json").is_file()
    first, second = (_check("data", "--json", *words, cwd=root) for words in ([], ["--no-cache"]))
    assert first.stdout == second.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--format", "sarif", "--json"], 2, "--json and --format sarif contradict each other"),
        (["--format", "xml"], 2, "'xml' is not one of"),
        (["--report", "page.pdf"], 2, "cannot write a page as '.pdf'. Use .html."),
        (["--baseline", "none.json"], 6, "none.json: cannot read the baseline"),
        (["--baseline", "broken.json"], 2, "broken.json: not a baseline"),
        (["--report", "file/page.html"], 6, "file/page.html: cannot write"),
    ],
)
def test_bad_options_are_one_clear_line(words: list[str], code: int, message: str, root: Path) -> None:
    (root / "broken.json").write_text("{")
    (root / "file").write_text("")
    done = _check("data", *words, cwd=root)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_label_map_of_the_data_is_a_finding(root: Path) -> None:
    (root / "data/label_map.pbtxt").write_text("item { id: 1 name: 'cat' }\nitem { id: 1 name: 'dog' }\n")
    done = _check("data", "--only", "C", cwd=root)
    assert done.returncode == 1
    assert "data/label_map.pbtxt:2: error C05: the label map is broken: id 1 of" in done.stdout.replace(
        "id 1 is there twice (the second time for 'dog')", "id 1 of"
    )


def test_page_in_a_browser(root: Path, tmp_path: Path) -> None:
    """The box is drawn where it is, the infos are hidden, and the page fetches nothing."""
    assert _check("data", "--report", "page.html", "--only", "B08,X01", cwd=root).returncode == 1
    page = (root / "page.html").as_uri()
    browse(tmp_path / "profile", "--window-size=1000,1400", f"--screenshot={tmp_path / 'page.png'}", page)
    with Image.open(tmp_path / "page.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    red = (abs(pixels - np.array([213, 0, 0])).sum(axis=2)) < 90
    # The drawing is 320 wide, so a side of the box has 100 pixels: look for two such lines, 100 apart.
    columns = np.nonzero(red.sum(axis=0) > 90)[0]
    assert columns.size
    assert 96 <= columns.max() - columns.min() <= 104
    dom = browse(tmp_path / "profile", "--dump-dom", page).stdout
    assert dom.count("<img ") == 2
    assert "<code>cat/training/a b.xml</code>" in dom

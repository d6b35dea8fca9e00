import io
from pathlib import Path

import numpy as np
from PIL import Image

from labeling.finding_pictures import drawable_pairs, finding_picture, grouped, write_pictures
from labeling.validate import check_dataset
from tests.unit.labeling.defects import DEFECTS, build
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair


def _reddest(content: bytes) -> tuple[int, int, int, int]:
    """Bounds of what is plainly red: xmin, ymin, xmax, ymax."""
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    is_red = (pixels[..., 0] > 170) & (pixels[..., 1] < 70) & (pixels[..., 2] < 70)
    rows, columns = np.nonzero(is_red)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_the_box_in_question_is_red_and_where_it_belongs(tmp_path: Path) -> None:
    white = io.BytesIO()
    Image.new("RGB", (640, 480), "white").save(white, "JPEG")
    xml = annotation((40, 200, 600, 440), (300, 320, 400, 420), (300, 320, 400, 420), filename="a.jpg", size=(640, 480))
    write_pair(tmp_path, xml=xml, image=white.getvalue())
    report = check_dataset(tmp_path)
    ((key, findings),) = grouped(report).items()
    assert {finding.object_index for finding in findings if finding.object_index} == {2, 3}
    drawn = finding_picture(drawable_pairs(report)[key], findings)
    assert drawn is not None
    xmin, ymin, xmax, ymax = _reddest(drawn)
    assert 148 <= xmin <= 152
    assert 197 <= xmax <= 202
    assert 140 <= ymin <= 162, "the words stand above the box"
    assert 205 <= ymax <= 212


def test_every_defect_can_be_drawn_or_is_left_out(tmp_path: Path) -> None:
    for index, defect in enumerate(DEFECTS[::3]):
        root = tmp_path / str(index)
        build(defect, root)
        report = check_dataset(root, jobs=1)
        pairs = drawable_pairs(report)
        groups = grouped(report)
        assert sum(len(findings) for findings in groups.values()) == len(report.findings)
        for key, findings in groups.items():
            if key in pairs:
                drawn = finding_picture(pairs[key], findings)
                assert drawn is None or drawn.startswith(b"\xff\xd8")


def test_one_drawing_a_pair_with_a_name_of_its_own(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        training = write_class(tmp_path / "data", name, first_seed=20 * len(name) * ord(name[0])) / "training"
        xml = annotation((40, 6, 5, 30), filename="a.jpg", name=name)
        write_pair(training, xml=xml, image=picture_bytes(seed=ord(name[0])))
    report = check_dataset(tmp_path / "data")
    written = write_pictures(report, tmp_path / "drawn")
    assert sorted(written) == [tmp_path / f"data/{name}/training/a.xml" for name in ("cat", "dog")]
    assert len({path.name for path in written.values()}) == 2
    assert sorted((tmp_path / "drawn").iterdir()) == sorted(written.values())
    assert write_pictures(report, tmp_path / "drawn") == written

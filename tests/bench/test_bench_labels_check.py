"""What a label check costs: against a bare decode loop, warm against cold, 100,000 broken XML files, and Datumaro.

TAGBOX_BENCH_PICTURES sets how many pictures (5,000 unless told). TAGBOX_DATUMARO_PYTHON names the interpreter of an
environment that has Datumaro; without it the comparison is skipped.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.check_cache import CheckCache
from labeling.label_map import LabelMap
from labeling.salvage import salvage
from labeling.validate import check_dataset
from labeling.voc import format_annotation
from labeling.voc_reader import examine
from tests.support.xml_mutations import OpenWitness, mutated_documents
from tests.unit.labeling.defects import DEFECTS, build
from tests.unit.labeling.labeled_pictures import encoded, varied_picture

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

_NUM_PICTURES = int(os.environ.get("TAGBOX_BENCH_PICTURES", "5000"))


def _fill(root: Path, size: tuple[int, int]) -> list[Path]:
    """Write a class folder of different photograph-like JPEGs, a tenth of them for verification."""
    grain = Image.effect_noise(size, 40)
    made = []
    for index in range(_NUM_PICTURES):
        split = root / "cat" / ("verification" if index % 10 == 0 else "training")
        (split / "images").mkdir(parents=True, exist_ok=True)
        picture = Image.blend(varied_picture(index, size), grain.convert("RGB"), 0.25)
        path = split / "images" / f"a{index:05d}.jpg"
        path.write_bytes(encoded(picture, quality=85))
        box = Box(size[0] * 0.1 + index % 7, size[1] * 0.2, size[0] * 0.8, size[1] * 0.9)
        annotation = Annotation(path.name, *size, objects=(LabeledObject("cat", box),))
        (split / f"{path.stem}.xml").write_bytes(format_annotation(annotation))
        made.append(path)
    return made


@pytest.mark.parametrize(("size", "at_least"), [((300, 225), 0.3), ((640, 480), 0.55), ((1280, 960), 0.7)])
def test_cold_against_decoding_and_warm_against_cold(tmp_path, size, at_least):
    pictures = _fill(tmp_path, size)
    time.sleep(2.5)  # files changed a moment ago are read again
    for path in pictures[:200]:
        path.read_bytes()
    started = time.process_time()
    for path in pictures:
        with Image.open(path) as image:
            image.load()
    bare = time.process_time() - started
    started, started_wall = time.process_time(), time.perf_counter()
    cold_report = check_dataset(tmp_path, cache=CheckCache(tmp_path))
    cold, cold_wall = time.process_time() - started, time.perf_counter() - started_wall
    started, started_wall = time.process_time(), time.perf_counter()
    cache = CheckCache(tmp_path)
    assert check_dataset(tmp_path, cache=cache) == cold_report
    warm, warm_wall = time.process_time() - started, time.perf_counter() - started_wall
    count = len(pictures)
    print(
        f"\n{size[0]}x{size[1]}, {count} pictures: bare {count / bare:.0f}/s a core, cold {count / cold:.0f}/s a core "
        f"({bare / cold:.2f} of bare), {count / cold_wall:.0f}/s in all; warm {count / warm:.0f}/s, "
        f"{cold_wall / warm_wall:.0f} times faster ({cold / warm:.0f} by processor time)"
    )
    assert cache.num_read == 0
    assert bare / cold >= at_least
    assert size[0] < 1280 or cold_wall / warm_wall >= 20


def test_hundred_thousand_documents(tmp_path):
    canary = tmp_path / "canary.txt"
    canary.write_text("a secret")
    witness = OpenWitness(canary)
    slowest, started, count = 0.0, time.perf_counter(), 0
    codes: dict[str, int] = {}
    for document in mutated_documents(100_000, 7, canary):
        before = time.perf_counter()
        reading = examine(document)
        salvage(document)
        slowest = max(slowest, time.perf_counter() - before)
        code = reading.problems[0].code if reading.problems else "sound"
        codes[code] = codes.get(code, 0) + 1
        assert "a secret" not in repr(reading)
        count += 1
    print(f"\n{count} documents in {time.perf_counter() - started:.0f} s, slowest {slowest * 1000:.1f} ms: {codes}")
    assert slowest < 1
    assert witness.num_events() == 0


_DATUMARO = """
import json, sys, warnings
warnings.simplefilter("ignore")
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from datumaro.plugins.validators import DetectionValidator
answers = {}
for folder in sys.argv[1:]:
    try:
        dataset = Dataset.import_from(folder, "voc")
        names = []
        validator = DetectionValidator(few_samples_thr=1, imbalance_ratio_thr=50, far_from_mean_thr=5.0,
                                       dominance_ratio_thr=0.8, topk_bins=0.1)
        report = validator.validate(dataset)
        answers[folder] = sorted({one["anomaly_type"] for one in report["validation_reports"]})
    except Exception as error:
        answers[folder] = ["import: " + type(error).__name__]
print(json.dumps(answers))
"""


def test_seeded_defects_against_datumaro(tmp_path):
    """Ours: every defect with its code. Datumaro's: any answer that it does not give for the sound set, too."""
    python = os.environ.get("TAGBOX_DATUMARO_PYTHON")
    label_map = LabelMap.from_names(["cat", "dog", "café"])
    found, folders = 0, []
    for index, defect in enumerate(DEFECTS):
        root = tmp_path / "ours" / f"{index:03d}"
        build(defect, root)
        own_map = root / "label_map.pbtxt"
        report = check_dataset(root, label_map=label_map, label_map_path=own_map if own_map.is_file() else None)
        found += defect.code in {finding.code for finding in report.findings}
        folders.append(_devkit(root, tmp_path / "theirs" / f"{index:03d}"))
    codes = {defect.code for defect in DEFECTS}
    print(f"\ntagbox: {found} of {len(DEFECTS)} defects ({len(codes)} codes) found with their code")
    assert found == len(DEFECTS)
    if python is None:
        pytest.skip("TAGBOX_DATUMARO_PYTHON is not set")
    build(DEFECTS[0], tmp_path / "sound")
    for path in (tmp_path / "sound").rglob("a.*"):
        path.unlink()
    sound = _devkit(tmp_path / "sound", tmp_path / "theirs" / "sound")
    done = subprocess.run(
        [python, "-c", _DATUMARO, str(sound), *map(str, folders)], capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    usual = set(answers[str(sound)])
    told = [bool(set(answers[str(folder)]) - usual) for folder in folders]
    missed = sorted({defect.code for defect, is_told in zip(DEFECTS, told, strict=True) if not is_told})
    print(f"Datumaro: something about {sum(told)} of {len(DEFECTS)}; its answer for the sound set: {sorted(usual)}")
    print(f"Datumaro says nothing about: {' '.join(missed)}")


def _devkit(root: Path, out: Path) -> Path:
    """Lay a data root out as the VOC devkit, the only one Datumaro reads: both splits in one."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (out / name).mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for split, theirs in (("training", "train"), ("verification", "val")):
        folder = root / "cat" / split
        for path in sorted(folder.glob("*.xml")) if folder.is_dir() else ():
            if path.exists():
                (out / "Annotations" / path.name).write_bytes(path.read_bytes())
            lists[theirs].append(path.stem)
        for path in sorted((folder / "images").glob("*")) if (folder / "images").is_dir() else ():
            if path.exists() and path.suffix != ".xml":
                (out / "JPEGImages" / path.name).write_bytes(path.read_bytes())
    for name, stems in lists.items():
        (out / "ImageSets/Main" / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    (out / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:1,1,1::\ndog:2,2,2::\n")
    return out

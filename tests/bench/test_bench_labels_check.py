"""What a label check costs: against a bare decode loop, warm against cold, 100,000 broken XML files, and Datumaro.

The pictures are the raccoon set over and over, no two with the same bytes, as they are (480 pixels wide on average),
300 and 1280 pixels wide. TAGBOX_BENCH_PICTURES sets how many (5,000 unless told). TAGBOX_DATUMARO_PYTHON names the
interpreter of an environment that has Datumaro (1.13 was compared); without it the comparison is skipped.
"""

import dataclasses
import io
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from labeling.annotations import Annotation, Box
from labeling.check_cache import CACHE_PATH, CheckCache
from labeling.dataset import find_dataset
from labeling.label_map import LabelMap
from labeling.salvage import salvage
from labeling.validate import check_dataset
from labeling.voc import format_annotation, read_annotation
from labeling.voc_reader import examine
from tests.support.xml_mutations import OpenWitness, mutated_documents
from tests.unit.labeling.defects import DEFECTS, build
from tests.unit.labeling.labeled_pictures import encoded

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

_NUM_PICTURES = int(os.environ.get("TAGBOX_BENCH_PICTURES", "5000"))
_ROUNDS = 3


def _raccoons(shared_data: Path, width: int | None) -> Iterator[tuple[str, bytes, Annotation]]:
    """The 200 photographs of the raccoon set with their labels, as they are or of another width."""
    folder = shared_data / "voc" / "raccoon"
    for label in find_dataset(folder).labels:
        content, said = label.image_paths[0].read_bytes(), read_annotation(label.xml_path)
        if width is not None:
            with Image.open(io.BytesIO(content)) as image:
                factor = width / image.width
                resized = image.convert("RGB").resize((width, round(image.height * factor)))
            content = encoded(resized, quality=88)
            objects = tuple(
                dataclasses.replace(one, box=Box(*(int(edge * factor) for edge in dataclasses.astuple(one.box))))
                for one in said.objects
            )
            said = dataclasses.replace(said, width=width, height=resized.height, objects=objects)
        yield label.xml_path.stem, content, said


def _fill(root: Path, pictures: list[tuple[str, bytes, Annotation]]) -> list[Path]:
    """Write a class folder of `_NUM_PICTURES` pictures, no two with the same bytes, a tenth for verification."""
    made = []
    for index in range(_NUM_PICTURES):
        copy, place = divmod(index, len(pictures))
        stem, content, said = pictures[place]
        split = root / "raccoon" / ("verification" if place % 10 == 0 else "training")
        (split / "images").mkdir(parents=True, exist_ok=True)
        path = split / "images" / f"{stem}_{copy}.jpg"
        comment = b"copy %06d" % index
        head = b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        path.write_bytes(head + content[2:] if content.startswith(b"\xff\xd8") else content)
        (split / f"{path.stem}.xml").write_bytes(format_annotation(dataclasses.replace(said, filename=path.name)))
        made.append(path)
    return made


class _Clock(NamedTuple):
    """Seconds of one thing done: of all processors, and on the wall."""

    processor: float
    wall: float


def _timed(work: Callable[[], object]) -> _Clock:
    processor, wall = time.process_time(), time.perf_counter()
    work()
    return _Clock(time.process_time() - processor, time.perf_counter() - wall)


def _decode_all(pictures: list[Path]) -> None:
    for path in pictures:
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize(("width", "at_least", "warm_at_least"), [(None, 0.65, 20), (300, 0.35, 12), (1280, 0.7, 40)])
def test_cold_against_decoding_and_warm_against_cold(shared_data, tmp_path, width, at_least, warm_at_least):
    """Bare decoding, a cold check and a warm one in turn; the middle one of the ratios counts.

    The bounds lie below what a quiet machine gives, 0.75, 0.5 and 1.25 of the bare loop: neighbours cost a fifth.
    """
    pictures = _fill(tmp_path, list(_raccoons(shared_data, width)))
    count = len(pictures)
    time.sleep(2.5)  # files changed a moment ago are read again
    rounds = []
    for _ in range(_ROUNDS):
        bare = _timed(lambda: _decode_all(pictures))
        shutil.rmtree(tmp_path / CACHE_PATH.parent, ignore_errors=True)
        cold = _timed(lambda: check_dataset(tmp_path, cache=CheckCache(tmp_path)))
        warm = _timed(lambda: check_dataset(tmp_path, cache=CheckCache(tmp_path)))
        again = CheckCache(tmp_path)
        check_dataset(tmp_path, cache=again)
        assert (again.num_recalled, again.num_read) == (count, 0)
        rounds.append((bare, cold, warm))
    ratio = statistics.median(bare.processor / cold.processor for bare, cold, _ in rounds)
    faster = statistics.median(cold.processor / warm.processor for _, cold, warm in rounds)
    bare, cold, warm = rounds[0]
    print(
        f"\n{width or 'as they are'}, {count} pictures: bare {count / bare.processor:.0f}/s a core, cold "
        f"{count / cold.processor:.0f}/s a core ({ratio:.2f} of bare), {count / cold.wall:.0f}/s in all; warm "
        f"{count / warm.wall:.0f}/s, {faster:.0f} times faster by processor time"
    )
    assert ratio >= at_least
    assert faster >= warm_at_least


def test_hundred_thousand_documents(tmp_path):
    canary = tmp_path / "canary.txt"
    canary.write_text("a secret")
    witness = OpenWitness(canary)
    slowest, started, count = 0.0, time.perf_counter(), 0
    codes: dict[str, int] = {}
    for document in mutated_documents(100_000, 7, canary):
        before = time.process_time()
        reading = examine(document)
        salvage(document)
        slowest = max(slowest, time.process_time() - before)
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

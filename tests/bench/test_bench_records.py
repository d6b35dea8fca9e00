"""What building records costs: against the Object Detection API's script, against the disk alone, and in memory.

TAGBOX_ODAPI_DIR names a folder where the peer's set-up script has put the API (``odapi/bin/python``, ``od_dl/``);
without it its documented steps are done again with the TensorFlow of this environment. TAGBOX_BENCH_COPIES says how
often the 200 pictures of the raccoon set are taken (25 unless told), TAGBOX_BENCH_EXAMPLES how many examples the memory
is measured at (200,000).
"""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import google_crc32c
import pytest

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation
from records.build import build_from_plan
from records.local_engine import LocalEngine
from records.prepare import prepare_build
from tests.unit.records.pictures import picture_bytes

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

_COPIES = int(os.environ.get("TAGBOX_BENCH_COPIES", "25"))
_EXAMPLES = int(os.environ.get("TAGBOX_BENCH_EXAMPLES", "200000"))
_TAGBOX = [sys.executable, "-c", "from scripts.cli import main; main()"]


def _distinct(content: bytes, number: int) -> bytes:
    """The same JPEG with a comment, so that no picture is known by its bytes."""
    if not content.startswith(b"\xff\xd8"):
        return content
    comment = f"copy {number}".encode()
    return content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]


@pytest.fixture(scope="module")
def raccoons(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data root, and the same pictures laid out as the VOC devkit."""
    source = shared_data / "voc" / "raccoon"
    root = tmp_path_factory.mktemp("raccoons")
    folder, devkit = root / "data" / "raccoon" / "training", root / "peer" / "VOC2007"
    for place in (folder / "images", *(devkit / name for name in ("Annotations", "JPEGImages", "ImageSets/Main"))):
        place.mkdir(parents=True)
    names = []
    for xml in sorted((source / "annotations").glob("*.xml")):
        (image,) = (source / "images").glob(f"{xml.stem}.*")
        for number in range(_COPIES):
            name = f"{xml.stem}_{number:03d}"
            text = xml.read_text().replace(image.name, f"{name}{image.suffix}")
            (folder / f"{name}.xml").write_text(text)
            (folder / "images" / f"{name}{image.suffix}").write_bytes(_distinct(image.read_bytes(), number))
            text = re.sub("<folder>.*?</folder>", "<folder>VOC2007</folder>", text)
            (devkit / "Annotations" / f"{name}.xml").write_text(text)
            os.link(folder / "images" / f"{name}{image.suffix}", devkit / "JPEGImages" / f"{name}{image.suffix}")
            names.append(name)
    (devkit / "ImageSets" / "Main" / "aeroplane_train.txt").write_text("".join(f"{name} 1\n" for name in names))
    (root / "peer" / "map.pbtxt").write_text("item { id: 1 name: 'raccoon' }\n")
    return root / "data", root / "peer"


# The steps of create_pascal_tf_record.py as its documentation has them, for when the API itself cannot be had.
_SAME_STEPS = """
import hashlib, io, os, sys
import PIL.Image
import tensorflow as tf
from lxml import etree
root, out = sys.argv[1:]
def as_dict(xml):
    if not len(xml):
        return {xml.tag: xml.text}
    result = {}
    for child in xml:
        value = as_dict(child)
        if child.tag == "object":
            result.setdefault("object", []).append(value["object"])
        else:
            result[child.tag] = value[child.tag]
    return {xml.tag: result}
def some_bytes(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
def ints(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
def floats(*values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
writer = tf.io.TFRecordWriter(out)
for line in open(os.path.join(root, "VOC2007/ImageSets/Main/aeroplane_train.txt")):
    with tf.io.gfile.GFile(os.path.join(root, "VOC2007/Annotations", line.split()[0] + ".xml")) as stream:
        data = as_dict(etree.fromstring(stream.read()))["annotation"]
    with tf.io.gfile.GFile(os.path.join(root, data["folder"], "JPEGImages", data["filename"]), "rb") as stream:
        encoded = stream.read()
    if PIL.Image.open(io.BytesIO(encoded)).format != "JPEG":
        continue
    width, height = int(data["size"]["width"]), int(data["size"]["height"])
    objects = data.get("object", [])
    edge = lambda name, of: [float(one["bndbox"][name]) / of for one in objects]
    writer.write(tf.train.Example(features=tf.train.Features(feature={
        "image/height": ints(height), "image/width": ints(width),
        "image/filename": some_bytes(data["filename"].encode()),
        "image/source_id": some_bytes(data["filename"].encode()),
        "image/key/sha256": some_bytes(hashlib.sha256(encoded).hexdigest().encode()),
        "image/encoded": some_bytes(encoded), "image/format": some_bytes(b"jpeg"),
        "image/object/bbox/xmin": floats(*edge("xmin", width)),
        "image/object/bbox/xmax": floats(*edge("xmax", width)),
        "image/object/bbox/ymin": floats(*edge("ymin", height)),
        "image/object/bbox/ymax": floats(*edge("ymax", height)),
        "image/object/class/text": some_bytes(*[one["name"].encode() for one in objects]),
        "image/object/class/label": ints(*[1] * len(objects)),
        "image/object/difficult": ints(*[int(one["difficult"]) for one in objects]),
        "image/object/truncated": ints(*[int(one["truncated"]) for one in objects]),
        "image/object/view": some_bytes(*[one["pose"].encode() for one in objects]),
    })).SerializeToString())
writer.close()
"""


def _peer_command(devkit: Path, out: Path) -> tuple[str, list[str], dict[str, str]]:
    home = os.environ.get("TAGBOX_ODAPI_DIR")
    if home is None:
        return "its steps done again", [sys.executable, "-c", _SAME_STEPS, str(devkit), str(out)], {}
    (research,) = (path for path in (Path(home) / "od_dl").iterdir() if path.is_dir())
    script = research / "object_detection" / "dataset_tools" / "create_pascal_tf_record.py"
    command = [
        str(Path(home) / "odapi" / "bin" / "python"), str(script), f"--data_dir={devkit}", "--year=VOC2007",
        "--set=train", f"--output_path={out}", f"--label_map_path={devkit / 'map.pbtxt'}",
    ]  # fmt: skip
    return "the API itself", command, {"PYTHONPATH": f"{research}{os.pathsep}{research / 'slim'}"}


def _timed(command: list[str], cwd: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Return wall and processor seconds of a command with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, check=True, capture_output=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_against_the_object_detection_api(raccoons, tmp_path, repository):
    data, devkit = raccoons
    build = [*_TAGBOX, "records", "build", str(data), "--out"]
    time.sleep(2.5)  # files changed a moment ago are read again
    cold = _timed([*build, str(tmp_path / "cold")], repository, {})
    what, command, environment = _peer_command(devkit, tmp_path / "peer.record")
    ours, theirs = [], []
    for turn in range(2):
        ours.append(_timed([*build, str(tmp_path / f"out{turn}")], repository, {}))
        theirs.append(_timed(command, repository, environment))
    count = 200 * _COPIES
    (wall, cpu), (peer_wall, peer_cpu) = (min(one) for one in (ours, theirs))
    print(
        f"\n{count} pictures. tagbox after a check: {wall:.2f} s ({count / wall:.0f}/s, {cpu:.2f} s of processor); "
        f"with every picture decoded first: {cold[0]:.2f} s ({cold[1]:.2f}); create_pascal_tf_record ({what}): "
        f"{peer_wall:.2f} s ({peer_cpu:.2f}); {peer_wall / wall:.1f} times faster, {peer_wall / cold[0]:.2f} when cold"
    )
    assert peer_wall / wall >= 5


def test_against_reading_and_writing_the_same_bytes(raccoons, tmp_path):
    data, _ = raccoons
    plan = prepare_build(data)
    paths = [data / example.image_path for record in plan.records for example in record.examples()]
    for path in paths:
        path.read_bytes()
    bare, built = [], []
    for turn in range(3):
        started = time.perf_counter(), time.process_time()
        with (tmp_path / f"bare{turn}").open("wb") as stream:
            for path in paths:
                content = path.read_bytes()
                stream.write(google_crc32c.value(content).to_bytes(4, "little"))
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        bare.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        started = time.perf_counter(), time.process_time()
        build_from_plan(plan, tmp_path / f"built{turn}", engine=LocalEngine(2))
        built.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    (wall, cpu), (built_wall, built_cpu) = min(bare), min(built)
    print(
        f"\nreading and writing: {wall:.2f} s ({cpu:.2f} of processor); "
        f"building: {built_wall:.2f} s ({built_cpu:.2f}); {wall / built_wall:.2f} of the rate"
    )
    assert wall / built_wall >= 0.2


# Samples the memory of a command with all its processes; prints the largest sum, in kilobytes.
_PEAK = """
import pathlib, subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def family(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]
def resident(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
peak = 0
while process.poll() is None:
    try:
        peak = max(peak, sum(map(resident, family(process.pid))))
    except (OSError, StopIteration):
        pass
    time.sleep(0.1)
assert process.returncode == 0
print(peak)
"""


def test_memory(tmp_path, repository):
    """Twenty classes of tiny different pictures, built anew by two processes, then with one record to build again."""
    text = format_annotation(Annotation("a.jpg", 40, 30, objects=(LabeledObject("cat", Box(4, 5, 24, 25)),))).decode()
    tiny = picture_bytes("tiny")
    for index in range(_EXAMPLES):
        class_name = f"class{index % 20:02d}"
        folder = tmp_path / "data" / class_name / ("verification" if index % 200 < 20 else "training")
        if index < 400:
            (folder / "images").mkdir(parents=True, exist_ok=True)
        name = f"tumblr_abcdef{index:08d}_1280"
        (folder / f"{name}.xml").write_text(text.replace("a.jpg", f"{name}.jpg").replace(">cat<", f">{class_name}<"))
        (folder / "images" / f"{name}.jpg").write_bytes(_distinct(tiny, index))
    words = ["records", "build", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--jobs", "2"]
    peaks = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *_TAGBOX, *words], cwd=repository, check=True, capture_output=True
        )
        peaks.append(int(done.stdout) / 1024)
        (tmp_path / "out" / "class00_training.record").unlink()
    print(f"\n{_EXAMPLES} examples: peaks of {' and '.join(f'{peak:.0f}' for peak in peaks)} MB")
    assert max(peaks) < 400

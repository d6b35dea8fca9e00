"""The folders in which the commands of the pages are run: small pictures under the names that the pages use."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from collectors.ledger import Query
from collectors.quickdraw_formats import Drawing, format_simplified
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.demo_dataset import make_demo_dataset
from labeling.label_map import LabelMap, write_label_map
from labeling.voc import format_annotation, read_annotation
from records.build import build_records
from tests.support.collecting import collect_here
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings
from tests.support.keras_mobilenet import keras_file_name, write_keras_mobilenet
from tests.support.pipeline_config import PIPELINE_CONFIG
from tests.support.tiny_training import HEIGHT, WIDTH, draw_shape

SMALL_VARIANT = "mobilenet_0.25_128"
# Where the pages' commands keep fetched weights, below the reader's folder.
WEIGHTS_CACHE = "weights_cache"
_PICTURES, _VERIFICATION_EVERY = 10, 5
_NEW_PICTURES = ("first.jpg", "second.jpg")
_FIRST_NEW_SEED = 500
_FIRST_WAITING_SEED = 700
_COLLECTED = ("sunset", "portrait")


def make_labelimg_files(folder: Path) -> list[str]:
    """Write pictures with their LabelImg XML beside them, and return the names of the pictures."""
    folder.mkdir(parents=True)
    names = []
    for index in range(_PICTURES):
        name = f"raccoon-{index:02d}.jpg"
        picture, box = draw_shape(index, "disc")
        picture.save(folder / name, quality=95)
        (folder / name).with_suffix(".xml").write_bytes(format_annotation(_annotation(name, box)))
        names.append(name)
    return names


def make_start(root: Path) -> None:
    """Write what a reader of the README has: labelled pictures, two lists of their names, and new pictures.

    The lists are those that the `awk` of the page about LabelImg files makes.
    """
    names = make_labelimg_files(root / "my_pictures")
    verification = names[_VERIFICATION_EVERY - 1 :: _VERIFICATION_EVERY]
    lists = {"training": [name for name in names if name not in verification], "verification": verification}
    for split, chosen in lists.items():
        (root / f"{split}.txt").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    (root / "new_pictures").mkdir()
    for index, name in enumerate(_NEW_PICTURES):
        draw_shape(_FIRST_NEW_SEED + index, "disc")[0].save(root / "new_pictures" / name)


def add_published_split(root: Path) -> None:
    """Write a set with its published lists, as the raccoon set has them, and a label map."""
    shutil.copytree(root / "my_pictures", root / "raccoon_dataset")
    for split, name in (("training", "train_labels.csv"), ("verification", "test_labels.csv")):
        names = (root / f"{split}.txt").read_text(encoding="utf-8").split()
        rows = "".join(f"{picture},{WIDTH},{HEIGHT},raccoon,1,1,9,9\n" for picture in names)
        head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        (root / name).write_text(head + rows, encoding="utf-8")
    for name in ("other.pbtxt", "my_label_map.pbtxt"):
        write_label_map(LabelMap(((1, "raccoon"),)), root / name)


def add_waiting_labels(root: Path) -> None:
    """Write labelled pictures that wait in unlabeled/, with the paths of whoever labelled them."""
    folder = root / "data" / "raccoon" / "unlabeled"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for index in range(_FIRST_WAITING_SEED, _FIRST_WAITING_SEED + _PICTURES):
        picture, box = draw_shape(index, "disc")
        picture.save(folder / "images" / f"raccoon-{index}.jpg", quality=95)
        labelled = replace(_annotation(f"raccoon-{index}.jpg", box), path=f"C:\\pictures\\raccoon-{index}.jpg")
        (folder / f"raccoon-{index}.xml").write_bytes(format_annotation(labelled))


def add_other_records(root: Path) -> None:
    """Copy the records, as if they were others."""
    shutil.copytree(root / "records", root / "other_records")


def add_found_detections(root: Path) -> None:
    """Write what another tool found in the verification pictures: the boxes that people drew in half of them."""
    found = []
    for path in sorted((root / "data" / "raccoon" / "verification").glob("*.xml"))[::2]:
        for one in read_annotation(path).objects:
            bbox = [one.box.xmin, one.box.ymin, one.box.width, one.box.height]
            found.append({"image_id": f"{path.stem}.jpg", "category_id": one.name, "bbox": bbox, "score": 0.9})
    (root / "found.json").write_text(json.dumps(found), encoding="utf-8")


def add_film(root: Path) -> None:
    """Write a film of twelve frames."""
    import cv2

    writer = cv2.VideoWriter(str(root / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (WIDTH, HEIGHT))
    for number in range(12):
        writer.write(np.asarray(draw_shape(_FIRST_NEW_SEED + number, "disc")[0])[..., ::-1].copy())
    writer.release()


def add_cloud_yml(root: Path) -> None:
    """Write the file that the OD API's guide had people send to ml-engine."""
    lines = ("scaleTier: CUSTOM", "masterType: standard_gpu", "workerType: standard_gpu", "workerCount: 5",
             "parameterServerType: standard", "parameterServerCount: 3", 'runtimeVersion: "1.0"')  # fmt: skip
    (root / "cloud.yml").write_text("\n  ".join(("trainingInput:", *lines)) + "\n", encoding="utf-8")


def add_drawings(root: Path) -> None:
    """Write bitmaps of drawings and folders of pictures, two classes each."""
    chance = np.random.default_rng(1)
    (root / "quickdraw").mkdir()
    for label in ("cat", "dog"):
        np.save(root / "quickdraw" / f"{label}.npy", chance.integers(0, 256, (120, 784), np.uint8))
    for index in range(_PICTURES):
        for label, shape in (("round", "disc"), ("edged", "square")):
            path = root / "pictures" / label / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_shape(index, shape)[0].save(path, quality=95)


def add_collected(root: Path) -> None:
    """Collect pictures of two tags from a local Tumblr into ``data``; every third post has one more tag."""
    world = World(WorldSettings(posts=24, width=320, height=240, tag="sunset"), Faults())
    for number, post in enumerate(world.posts):
        post.tags = [(*_COLLECTED, "Sunset")[number % 3], *(["black and white"] if number % 3 == 0 else []), "art"]
    shutil.rmtree(root / "data")
    with FakeTumblr(world) as fake:
        collect_here(root / "data", fake.url, *(Query(tag, tag) for tag in _COLLECTED))


def add_fetched_weights(root: Path) -> None:
    """Write what a fetch of ImageNet's weights leaves of the smallest MobileNet v1, random ones."""
    write_keras_mobilenet(root / WEIGHTS_CACHE / keras_file_name(SMALL_VARIANT), SMALL_VARIANT)


def add_strokes(root: Path) -> None:
    """Write simplified drawings of two strokes and two categories, 30 each."""
    chance = np.random.default_rng(2)
    (root / "strokes").mkdir()
    for label in ("cat", "dog"):
        drawings = [
            Drawing(label, f"{10**15 + index}", tuple(chance.integers(0, 256, (2, 6, 2)).astype(np.int16)), "DE", "")
            for index in range(30)
        ]
        (root / "strokes" / f"{label}.ndjson").write_bytes(b"".join(map(format_simplified, drawings)))


def add_demo(root: Path) -> None:
    """Write what `tagbox demo` leaves behind, far smaller; its run is a copy of the one that is there."""
    made = make_demo_dataset(
        root / "demo",
        categories=("cat", "fish", "star"),
        drawings_per_category=12,
        training_scenes=3,
        verification_scenes=2,
        seed=7,
    )
    build_records(made.data_root, root / "demo" / "records")
    shutil.copytree(root / "runs" / "raccoon", root / "runs" / "demo")


def _annotation(name: str, box: Box) -> Annotation:
    return Annotation(name, WIDTH, HEIGHT, objects=(LabeledObject("raccoon", box),))


def add_pipeline_config(root: Path) -> None:
    """Write a config of the OD API that reads the records that are there."""
    (root / "pipeline.config").write_text(PIPELINE_CONFIG, encoding="utf-8")

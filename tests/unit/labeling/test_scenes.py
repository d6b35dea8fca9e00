import json
from pathlib import Path

import pytest
from PIL import Image

from collectors.doodles import draw_doodle
from collectors.errors import ConfigError, InputError
from labeling.demo_dataset import make_demo_dataset
from labeling.label_map import LabelMap, read_label_map, write_label_map
from labeling.scene_spec import SceneSpec
from labeling.scenes import compose_scenes
from labeling.voc import read_annotation

SPEC = SceneSpec(width=96, height=64, objects=(1, 2), background="plain", verification_share=0.4)
DRAWINGS = {name: [draw_doodle(name, index, seed=1) for index in range(12)] for name in ("cat", "fish")}


def _compose(root, *, drawings=DRAWINGS, spec=SPEC, training=2, verification=1, seed=1, **options):
    return compose_scenes(drawings, root, spec=spec, training=training, verification=verification, seed=seed, **options)


def _bytes_below(root: Path):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_layout_is_that_of_a_dataset_root(tmp_path: Path):
    summary = _compose(tmp_path)
    assert sorted(_bytes_below(tmp_path)) == [
        "cat/training/cat_training_00000.xml",
        "cat/training/cat_training_00001.xml",
        "cat/training/images/cat_training_00000.jpg",
        "cat/training/images/cat_training_00001.jpg",
        "cat/verification/cat_verification_00000.xml",
        "cat/verification/images/cat_verification_00000.jpg",
        "fish/training/fish_training_00000.xml",
        "fish/training/fish_training_00001.xml",
        "fish/training/images/fish_training_00000.jpg",
        "fish/training/images/fish_training_00001.jpg",
        "fish/verification/fish_verification_00000.xml",
        "fish/verification/images/fish_verification_00000.jpg",
        "label_map.csv",
        "label_map.pbtxt",
    ]
    assert (summary.written, summary.unchanged, summary.kept) == (6, 0, 0)
    labels = {"training": {}, "verification": {}}
    for path in tmp_path.rglob("*.xml"):
        annotation = read_annotation(path)
        with Image.open(path.parent / "images" / annotation.filename) as image:
            assert image.size == (annotation.width, annotation.height) == (96, 64)
            assert image.mode == "RGB"
        assert path.parent.parent.name in [labeled.name for labeled in annotation.objects]
        for labeled in annotation.objects:
            counts = labels[path.parent.name]
            counts[labeled.name] = counts.get(labeled.name, 0) + 1
    assert summary.objects == labels
    assert read_label_map(tmp_path / "label_map.pbtxt").names == ("cat", "fish")


def test_running_again_writes_nothing(tmp_path: Path):
    _compose(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    summary = _compose(tmp_path)
    assert (summary.written, summary.unchanged, summary.kept) == (0, 6, 0)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_is_missing_is_made_again_and_nothing_else(tmp_path: Path):
    _compose(tmp_path)
    whole = _bytes_below(tmp_path)
    (tmp_path / "cat/training/cat_training_00001.xml").unlink()
    (tmp_path / "fish/verification/images/fish_verification_00000.jpg").unlink()
    (tmp_path / "fish/training/images/fish_training_00001.jpg.tmp").write_bytes(b"half")
    (tmp_path / "fish/training/images/fish_training_00001.jpg").unlink()
    summary = _compose(tmp_path)
    assert (summary.written, summary.unchanged) == (3, 3)
    assert _bytes_below(tmp_path) == whole


def test_more_scenes_leave_the_first_ones_alone(tmp_path: Path):
    _compose(tmp_path)
    first = _bytes_below(tmp_path)
    summary = _compose(tmp_path, training=4)
    assert (summary.written, summary.unchanged) == (4, 6)
    assert first.items() <= _bytes_below(tmp_path).items()


def test_corrected_labels_are_kept_unless_told_otherwise(tmp_path: Path):
    _compose(tmp_path)
    whole = _bytes_below(tmp_path)
    corrected = tmp_path / "cat/training/cat_training_00000.xml"
    corrected.write_bytes(corrected.read_bytes().replace(b"<name>cat", b"<name>tomcat"))
    summary = _compose(tmp_path)
    assert (summary.written, summary.unchanged, summary.kept) == (0, 5, 1)
    assert summary.kept_files == (corrected,)
    assert b"tomcat" in corrected.read_bytes()
    assert _compose(tmp_path, overwrite=True).written == 1
    assert _bytes_below(tmp_path) == whole


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path):
    summary = _compose(tmp_path / "data", dry_run=True)
    assert summary.written == 6
    assert sum(summary.objects["training"].values()) >= 4
    assert not (tmp_path / "data").exists()


def test_the_seed_changes_every_scene_and_not_the_deal(tmp_path: Path):
    first, second = _compose(tmp_path / "1", seed=1), _compose(tmp_path / "2", seed=2)
    one, two = _bytes_below(tmp_path / "1"), _bytes_below(tmp_path / "2")
    assert one.keys() == two.keys()
    assert not any(one[name] == two[name] for name in one if name.endswith(".jpg"))
    assert first.drawings == second.drawings


def test_the_order_of_categories_and_drawings_does_not_matter(tmp_path: Path):
    _compose(tmp_path / "1")
    _compose(tmp_path / "2", drawings={name: pool[::-1] for name, pool in reversed(DRAWINGS.items())})
    assert _bytes_below(tmp_path / "1") == _bytes_below(tmp_path / "2")


def test_all_scenes_can_go_into_one_class_folder(tmp_path: Path):
    _compose(tmp_path, single_folder="doodles")
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.xml")} == {"doodles"}
    assert len(list(tmp_path.rglob("*.xml"))) == 6


def test_negatives_are_pictures_without_labels(tmp_path: Path):
    _compose(tmp_path, spec=SceneSpec(width=64, height=64, negatives=0.6, verification_share=0.4), training=10)
    annotations = [read_annotation(path) for path in sorted(tmp_path.rglob("*.xml"))]
    empty = [annotation for annotation in annotations if not annotation.objects]
    assert 5 < len(empty) < 20
    assert len(annotations) == 22


def test_an_existing_label_map_keeps_its_ids(tmp_path: Path):
    write_label_map(LabelMap(((7, "fish"),)), tmp_path / "label_map.pbtxt")
    _compose(tmp_path)
    assert read_label_map(tmp_path / "label_map.pbtxt").items == ((7, "fish"), (8, "cat"))


def test_clutter_has_no_folder_and_no_class(tmp_path: Path):
    spec = SceneSpec(width=96, height=64, clutter=("fish",), verification_share=0.4)
    summary = _compose(tmp_path, spec=spec)
    assert set(summary.objects["training"]) == {"cat"}
    assert not (tmp_path / "fish").exists()
    assert read_label_map(tmp_path / "label_map.pbtxt").names == ("cat",)
    assert set(summary.drawings["training"]) == {"cat", "fish"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training": -1}, "must not be negative"),
        ({"jobs": 0}, "jobs at least 1"),
        ({"drawings": {}}, "no category"),
        ({"drawings": {"../cat": DRAWINGS["cat"]}}, "cannot be the name of a folder"),
        ({"drawings": {".tagbox": DRAWINGS["cat"]}}, "cannot be the name of a folder"),
        ({"drawings": {"a b": DRAWINGS["cat"], "a_B": DRAWINGS["fish"]}}, "would share file names"),
        ({"single_folder": "a/b"}, "cannot be the name of a folder"),
        ({"spec": SceneSpec(clutter=("dragon",))}, "clutter category 'dragon'"),
        ({"spec": SceneSpec(clutter=("cat", "fish"))}, "no category is left"),
    ],
)
def test_an_impossible_request_is_refused_before_anything_is_written(tmp_path: Path, options, message):
    with pytest.raises(ConfigError, match=message):
        _compose(tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "cat").write_text("a file, not a folder")
    with pytest.raises(InputError, match=r"cat_training_0000\d"):
        _compose(tmp_path)


def test_progress_counts_every_scene(tmp_path: Path):
    seen = []
    _compose(tmp_path, training=12, progress=lambda done, total, note="": seen.append((done, total)))
    assert seen[-1] == (26, 26)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_demonstration_writes_its_drawings_and_their_scenes(tmp_path: Path):
    options = {
        "categories": ["cat", "sun"],
        "drawings_per_category": 12,
        "training_scenes": 2,
        "verification_scenes": 1,
        "seed": 4,
        "size": (96, 64),
    }
    seen = []
    dataset = make_demo_dataset(tmp_path, **options, progress=lambda done, total, note="": seen.append((done, total)))
    lines = {name: (tmp_path / "drawings" / f"{name}.ndjson").read_bytes().splitlines() for name in ("cat", "sun")}
    assert dataset.num_drawings == len(lines["cat"]) + len(lines["sun"])
    assert dataset.data_root == tmp_path / "data"
    assert seen[-1] == (30, 30)
    # Chance gave verification none of the first twelve suns: tagbox draws on until it has one.
    assert (len(lines["cat"]), len(lines["sun"])) == (12, 13)
    assert json.loads(lines["sun"][0])["word"] == "sun"
    assert dataset.scenes.written == 6
    whole = _bytes_below(tmp_path)
    (tmp_path / "drawings" / "cat.ndjson").unlink()
    (tmp_path / "data" / "sun" / "training" / "sun_training_00000.xml").write_text("damaged")
    assert make_demo_dataset(tmp_path, **options).scenes.written == 1
    assert _bytes_below(tmp_path) == whole

"""What verifying records costs: against TensorFlow loops that parse every example, on the same files in turns.

TAGBOX_BENCH_EXAMPLES sets how many examples (5,000 unless told), TAGBOX_BENCH_PICTURE_BYTES about how large a picture.
"""

import hashlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from labeling.annotations import Box
from labeling.label_map import LabelMap, format_csv, write_label_map
from records.features import ExampleObject, ExampleSource
from records.manifest import Manifest, RecordEntry, format_manifest
from records.plan import plan_record
from records.shard import write_shard
from records.verify import verify_records
from tests.support.od_api_records import encode_picture

pytestmark = [pytest.mark.bench, pytest.mark.tf, pytest.mark.timeout(1800)]

_NUM_EXAMPLES = int(os.environ.get("TAGBOX_BENCH_EXAMPLES", "5000"))
_PICTURE_BYTES = int(os.environ.get("TAGBOX_BENCH_PICTURE_BYTES", "40000"))
_ROUNDS = 3


def _build(root: Path) -> Path:
    """Write a records folder of photograph-like JPEGs, each different in a comment, two boxes each."""
    picture = Image.effect_noise((400, 300), 40).convert("RGB")
    jpeg = encode_picture(picture)
    jpeg += bytes(max(0, _PICTURE_BYTES - len(jpeg)))
    images = root / "data" / "cat" / "training" / "images"
    images.mkdir(parents=True)
    candidates = []
    for index in range(_NUM_EXAMPLES):
        content = jpeg[:2] + b"\xff\xfe\x00\x0a" + b"%08d" % index + jpeg[2:]
        (images / f"a{index:06d}.jpg").write_bytes(content)
        objects = tuple(ExampleObject(1, "cat", Box(10 + k, 20, 200 + index % 7, 290)) for k in range(2))
        source = ExampleSource(
            0, f"cat/training/images/a{index:06d}.jpg", f"cat/training/a{index:06d}.xml",
            hashlib.sha256(content).hexdigest(), "0" * 64, 400, 300, "jpeg", "cat", "training", objects,
        )  # fmt: skip
        candidates.append((source, len(content)))
    plan = plan_record(
        candidates, file="cat_training.record", class_name="cat", split="training", block=1,
        shard_bytes=_NUM_EXAMPLES * len(jpeg) // 6,
    )  # fmt: skip
    records = root / "records"
    shards = [write_shard(shard, data_root=root / "data", path=records / shard.file) for shard in plan.shards]
    label_map = LabelMap(((1, "cat"),))
    write_label_map(label_map, records / "label_map.pbtxt")
    (records / "label_map.csv").write_text(format_csv(label_map))
    listed = Manifest(label_map.items, (RecordEntry.of(plan, shards),), "bench")
    (records / "manifest.json").write_text(format_manifest(listed))
    return records


def _loops(records: Path) -> dict[str, Callable[[], int]]:
    import tensorflow as tf

    files = sorted(str(path) for path in records.glob("*.record*"))
    one_text, one_int = tf.io.FixedLenFeature((), tf.string), tf.io.FixedLenFeature((), tf.int64)
    texts, floats, ints = (tf.io.VarLenFeature(kind) for kind in (tf.string, tf.float32, tf.int64))
    # The keys of the OD API: verify looks at every one of them, too.
    spec = {
        **{f"image/{key}": one_text for key in ("encoded", "format", "filename", "source_id", "key/sha256")},
        **{f"image/{key}": one_int for key in ("width", "height")},
        **{f"image/object/{key}": floats for key in ("bbox/xmin", "bbox/ymin", "bbox/xmax", "bbox/ymax", "area")},
        **{f"image/object/{key}": ints for key in ("class/label", "is_crowd", "difficult", "truncated")},
        **{f"image/object/{key}": texts for key in ("class/text", "view")},
    }

    def from_string() -> int:
        return sum(
            bool(tf.train.Example.FromString(raw.numpy()).features.feature) for raw in tf.data.TFRecordDataset(files)
        )

    def parse_in_the_pipeline() -> int:
        dataset = tf.data.TFRecordDataset(files)
        parsed = dataset.map(lambda raw: tf.io.parse_single_example(raw, spec), num_parallel_calls=tf.data.AUTOTUNE)
        return sum(1 for _ in parsed)

    def verify() -> int:
        report = verify_records(records)
        assert report.findings == ()
        return report.num_examples

    return {"verify": verify, "FromString loop": from_string, "parse_single_example loop": parse_in_the_pipeline}


def _processor_s() -> float:
    """Seconds of processor time of this process and of those it waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def test_verify_against_tensorflow_loops_that_parse(tmp_path):
    loops = _loops(_build(tmp_path))
    wall = dict.fromkeys(loops, float("inf"))
    processor = dict(wall)
    for _ in range(_ROUNDS):
        for name, loop in loops.items():
            started, started_processor = time.perf_counter(), _processor_s()
            assert loop() == _NUM_EXAMPLES
            wall[name] = min(wall[name], time.perf_counter() - started)
            processor[name] = min(processor[name], _processor_s() - started_processor)
    print()
    for name in loops:
        print(
            f"{name}: {_NUM_EXAMPLES / wall[name]:.0f}/s, {processor[name] / _NUM_EXAMPLES * 1e6:.0f} us of processor "
            f"time each; verify is {wall[name] / wall['verify']:.1f} times as fast, "
            f"{processor[name] / processor['verify']:.1f} by processor time"
        )
    assert wall["parse_single_example loop"] / wall["verify"] >= 3

"""Prediction beside the bare network, and a TFLite file beside a SavedModel: a full-size detector, weights by chance.

Set TAGBOX_BENCH_TURNS to other than five turns. The sides of a comparison take turns, so that what else the machine
does falls on both; a figure is the median over the turns.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.bench, pytest.mark.tf, pytest.mark.timeout(1_200)]

_TURNS = int(os.environ.get("TAGBOX_BENCH_TURNS", "5"))
_PICTURES, _SHOTS = 48, 12


@pytest.fixture(scope="module")
def pictures(shared_data: Path) -> list[Path]:
    """Photographs as a user has them."""
    return sorted((shared_data / "voc" / "raccoon" / "images").glob("*.jpg"))[:_PICTURES]


@pytest.fixture(scope="module")
def detector() -> Any:
    """SSD MobileNet v1 at 300x300 with one class."""
    import tensorflow as tf
    from official.core import exp_factory, task_factory

    import pipelines.experiment  # noqa: F401 - registers the experiments
    from pipelines.detectors import NetworkDetector
    from pipelines.export.metadata import ModelMetadata

    tf.keras.utils.set_random_seed(0)
    params = exp_factory.get_exp_config("ssd_mobilenet_v1").task
    params.model.num_classes = 1
    height, width = params.model.input_size
    model = task_factory.get_task(params).build_model()
    return NetworkDetector(model, params.model, ModelMetadata({1: "raccoon"}, height, width))


def test_files_beside_the_bare_network(detector: Any, pictures: list[Path]) -> None:
    import tensorflow as tf

    from pipelines.predict import BATCH, Predictor

    network = tf.function(lambda batch: detector.model(batch, training=False))
    inputs = []
    for path in pictures:
        with Image.open(path) as picture:
            inputs.append(detector.prepare(np.asarray(picture.convert("RGB"))))
    held = [tf.stack(inputs[first : first + BATCH]) for first in range(0, len(inputs), BATCH)]
    predictor = Predictor(detector)

    def bare() -> None:
        for batch in held:
            network(batch)["class_logits"].numpy()

    def files() -> None:
        assert sum(not prediction.error for prediction, _ in predictor.predict(pictures)) == len(pictures)

    seconds, processor = _in_turns({"bare": bare, "files": files})
    ratios = [alone / whole for alone, whole in zip(seconds["bare"], seconds["files"], strict=True)]
    rates = {name: len(pictures) / statistics.median(times) for name, times in seconds.items()}
    # On a busy machine more threads get more of the processor; this tells what the work itself costs.
    work = _median_ratio(processor["bare"], processor["files"])
    print(
        f"\nload {os.getloadavg()[0]:.1f}; pictures a second: {rates['files']:.1f} from files, {rates['bare']:.1f} "
        f"through the bare network; ratio of each turn {[round(ratio, 2) for ratio in ratios]}, "
        f"median {statistics.median(ratios):.2f}; ratio of processor time {work:.2f}"
    )
    assert statistics.median(ratios) >= 0.8


def test_tflite_beside_the_saved_model(detector: Any, pictures: list[Path], tmp_path: Path) -> None:
    from pipelines.export.lite import DETECTOR_TENSORS, write_tflite
    from pipelines.export.model_files import LiteRunner, open_detector
    from pipelines.export.saved_model import write_saved_model
    from pipelines.export.serving import LiteDetector

    lite, saved = tmp_path / "model.tflite", tmp_path / "saved_model"
    servable = LiteDetector(detector.model, detector.config).servable()
    write_tflite(servable, lite, detector.metadata, tensor_names=DETECTOR_TENSORS)
    write_saved_model(detector.pixels.servable(), saved, detector.metadata)
    models = {
        "TFLite, 1 thread": LiteRunner(lite, detector.metadata, num_threads=1),
        "TFLite, 2 threads": LiteRunner(lite, detector.metadata, num_threads=2),
        "SavedModel": open_detector(saved),
    }
    images = []
    for path in pictures[:_SHOTS]:
        with Image.open(path) as picture:
            images.append(np.asarray(picture.convert("RGB")))

    def through(model: Any) -> Callable[[], None]:
        return lambda: [model.detect(image) for image in images] and None

    sides = {name: through(model) for name, model in models.items()}
    seconds, processor = _in_turns(sides)
    print(f"\nload {os.getloadavg()[0]:.1f}; milliseconds a picture, from pixels to detections, batch 1:")
    for name in sides:
        print(
            f"  {name}: {1000 * statistics.median(seconds[name]) / len(images):.0f} "
            f"({1000 * statistics.median(processor[name]) / len(images):.0f} of processor time)"
        )
    ratio = _median_ratio(seconds["SavedModel"], seconds["TFLite, 2 threads"])
    print(f"SavedModel's time over that of TFLite with 2 threads: {ratio:.2f}")
    assert len(seconds) == len(models)


def _in_turns(sides: dict[str, Callable[[], None]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return wall and processor seconds of each side in each turn; the first go, which traces, does not count."""
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(_TURNS):
        for name in sorted(sides, reverse=bool(turn % 2)):
            began, used = time.perf_counter(), time.process_time()
            sides[name]()
            seconds[name].append(time.perf_counter() - began)
            processor[name].append(time.process_time() - used)
    return seconds, processor


def _median_ratio(first: list[float], second: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(first, second, strict=True))

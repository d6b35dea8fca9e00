"""The data_augmentation_options of a pipeline.config, in the words of our config."""

from collections.abc import Iterator
from typing import Any

from pipelines.odapi.decimals import as_written
from pipelines.odapi.pipeline_config import PipelineConfig

_AT, _OURS = "train_config.data_augmentation_options", "task.train_data.augmentation"
_SSD_CROPS = ("ssd_random_crop", "ssd_random_crop_fixed_aspect_ratio")
# Step -> the key of the probability of the same thing.
_PROBABILITIES = {
    "random_horizontal_flip": "flip",
    "random_vertical_flip": "flip_vertical",
    "random_rotation90": "rotate",
    "random_rgb_to_gray": "gray",
}
_PADDED_SIDE = 2.0  # random_pad_image doubles a side at most
# What random_distort_color does in all its orders.
_DISTORTED = {"brightness": 0.12549, "contrast": [0.5, 1.5], "saturation": [0.5, 1.5], "hue": 0.2}
# Limits of the crops of the SSD paper, where a case of ssd_random_crop leaves them out.
_CROP_DEFAULTS = {"min_aspect_ratio": 0.5, "max_aspect_ratio": 2.0, "min_area": 0.1, "max_area": 1.0}

_Settings = Iterator[tuple[str, str, Any]]


def augmentation_settings(config: PipelineConfig) -> _Settings:
    """Yield the path of each field, the key it decides and the value; a step that is not there is off.

    Args:
        config: The config; steps that tagbox has not were refused before.
    """
    by_name = {}
    for step in config.message.train_config.data_augmentation_options:
        if name := step.WhichOneof("preprocessing_step"):
            by_name[name] = getattr(step, name)
    for name, key in _PROBABILITIES.items():
        yield f"{_AT}.{name}", f"{_OURS}.{key}", as_written(by_name[name].probability) if name in by_name else 0.0
    if "rgb_to_gray" in by_name:
        yield f"{_AT}.rgb_to_gray", f"{_OURS}.gray", 1.0
    if "random_pad_image" in by_name:
        yield f"{_AT}.random_pad_image", f"{_OURS}.zoom_out", 1.0
        yield f"{_AT}.random_pad_image", f"{_OURS}.zoom_out_max", _PADDED_SIDE
    yield from _color_settings(by_name)
    yield from _crop_settings(by_name)


def _color_settings(by_name: dict[str, Any]) -> _Settings:
    if "random_distort_color" in by_name:
        for key, value in _DISTORTED.items():
            yield f"{_AT}.random_distort_color", f"{_OURS}.jitter.{key}", value
    for key in ("brightness", "hue"):
        if (name := f"random_adjust_{key}") in by_name:
            yield f"{_AT}.{name}.max_delta", f"{_OURS}.jitter.{key}", as_written(by_name[name].max_delta)
    for key in ("contrast", "saturation"):
        if (name := f"random_adjust_{key}") in by_name:
            ends = [as_written(by_name[name].min_delta), as_written(by_name[name].max_delta)]
            yield f"{_AT}.{name}", f"{_OURS}.jitter.{key}", ends


def _crop_settings(by_name: dict[str, Any]) -> _Settings:
    name = next((name for name in _SSD_CROPS if name in by_name), _SSD_CROPS[0])
    yield f"{_AT}.{name}", f"{_OURS}.ssd_crop", name in by_name
    if name in by_name and by_name[name].operations:
        cases = [_case(operation) for operation in by_name[name].operations]
        yield f"{_AT}.{name}.operations", f"{_OURS}.ssd_crop_cases", cases
    crop, at = by_name.get("random_crop_image"), f"{_AT}.random_crop_image"
    yield at, f"{_OURS}.crop.enabled", crop is not None
    if crop is not None:
        for field in ("min_object_covered", "min_aspect_ratio", "max_aspect_ratio", "min_area", "max_area"):
            yield f"{at}.{field}", f"{_OURS}.crop.{field}", as_written(getattr(crop, field))
        yield f"{at}.overlap_thresh", f"{_OURS}.crop.min_overlap", as_written(crop.overlap_thresh)
        yield f"{at}.random_coef", f"{_OURS}.crop.probability", as_written(1.0 - crop.random_coef)


def _case(operation: Any) -> dict[str, Any]:
    limits = {
        field: as_written(getattr(operation, field)) if _says(operation, field) else default
        for field, default in _CROP_DEFAULTS.items()
    }
    return limits | {
        "enabled": True,
        "min_object_covered": as_written(operation.min_object_covered),
        "min_overlap": as_written(operation.overlap_thresh),
        "probability": as_written(1.0 - operation.random_coef),
    }


def _says(operation: Any, field: str) -> bool:
    return field in operation.DESCRIPTOR.fields_by_name and operation.HasField(field)

"""Which values the keys of an experiment config may have."""

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from official.modeling import hyperparams

_Rule = tuple[Callable[[Any], bool], str]


def annotation_of(config: hyperparams.Config, key: str) -> Any:
    """Return the type that a config class declares for a key."""
    return typing.get_type_hints(type(config)).get(key, Any)


def group_behind(config: hyperparams.Config, key: str) -> hyperparams.Config | None:
    """Return the group of keys that an optional key takes, with its defaults; ``None`` where it takes a value."""
    kind = annotation_of(config, key)
    for part in (kind, *typing.get_args(kind)):
        if isinstance(part, type) and issubclass(part, hyperparams.Config) and part is not hyperparams.Config:
            return part()
    return None


def fits(value: Any, kind: Any) -> bool:
    """Tell whether a value read from YAML is of a declared type: an int is a float as well, a bool is no number."""
    if kind is Any:
        return True
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in arguments)
    if origin is not None and issubclass(origin, collections.abc.Sequence):
        return isinstance(value, list) and all(fits(item, arguments[0] if arguments else Any) for item in value)
    if kind is None or kind is type(None):
        return value is None
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if _is_config(kind) and isinstance(value, dict):
        kinds = typing.get_type_hints(kind)
        return all(key in _names_in(kind) and fits(inner, kinds[key]) for key, inner in value.items())
    return not isinstance(kind, type) or isinstance(value, kind)


def takes_any_number(kind: Any) -> bool:
    """Tell whether a declared type is a number that need not be whole, or null."""
    parts = {part for part in (typing.get_args(kind) or (kind,)) if part is not type(None)}
    return parts == {float}


def kind_in_words(kind: Any) -> str:
    """Return a declared type as a person says it: ``whole number``, ``list of numbers``..."""
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(kind) if not _is_config(part)]
        return " or ".join(dict.fromkeys(kind_in_words(part) for part in parts))
    if origin is not None:
        item = next(iter(typing.get_args(kind)), Any)
        if _is_config(item):
            return f"list of groups with the keys {', '.join(_names_in(item))}"
        inner = kind_in_words(item)
        return f"list of {inner}s" if inner in ("whole number", "number", "text") else "list"
    return names.get(kind, getattr(kind, "__name__", "value"))


def impossible_value(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find the first value that nothing can be trained with.

    Args:
        values: Dotted key -> value of a whole config.

    Returns:
        The key, and in words what its value must be; ``None`` when all are possible.
    """
    for key, (is_possible, words) in _RULES.items():
        if key in values and not is_possible(values[key]):
            return key, words
    key = "task.model.input_size"
    if values.get("task.model.network") == "retinanet_mobile" and any(side % 128 for side in values[key]):
        return key, "must be multiples of 128 for retinanet_mobile, such as [384, 384]"
    average = "trainer.optimizer_config.ema.average_decay"
    if average in values:
        if values.get("trainer.optimizer_config.optimizer.type") not in _AVERAGED:
            return "trainer.optimizer_config.optimizer.type", f"must be one of {', '.join(_AVERAGED)} with ema"
        if values.get("runtime.loss_scale") or values.get("runtime.mixed_precision_dtype") == "float16":
            return average, "cannot go with float16 and its loss scale; use bfloat16"
    key = "task.train_data.augmentation.mosaic.probability"
    if values.get(key) and values["task.train_data.cache"]:
        return key, "must be 0 with task.train_data.cache, which keeps each picture by itself"
    for low, high in _IN_ORDER:
        if low in values and values[low] > values[high]:
            return low, f"must not be above {high}"
    return None


def _at_least(low: float) -> _Rule:
    return lambda value: value >= low, f"must be {low} or more"


def _between(low: float, high: float) -> _Rule:
    return lambda value: low <= value <= high, f"must be between {low} and {high}"


def _above(low: float) -> _Rule:
    return lambda value: value > low, f"must be above {low}"


def _one_of(*words: str) -> _Rule:
    return lambda value: value in words, f"must be one of {', '.join(words)}"


# TFM averages the weights of its older optimizers only.
_AVERAGED = ("adagrad", "adam", "adamw", "lamb", "lars", "rmsprop", "sgd")


def _names_in(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


_MULTIPLIERS: _Rule = (
    lambda rules: all(rule["pattern"] and rule["multiplier"] >= 0 for rule in rules),
    "must give each a pattern and a multiplier of 0 or more, such as [{pattern: ^FeatureExtractor/, multiplier: 0.1}]",
)
_RANGE: _Rule = (
    lambda ends: len(ends) == 2 and 0 <= ends[0] <= ends[1],
    "must be the least and the largest factor, such as [0.8, 1.25]",
)
_SHARE: _Rule = _between(0, 1)
_IN_ORDER = (
    ("task.losses.unmatched_threshold", "task.losses.matched_threshold"),
    ("task.model.fpn.min_level", "task.model.fpn.max_level"),
)
_RULES: dict[str, _Rule] = {
    "task.model.num_classes": _at_least(0),
    "task.model.network": _one_of("ssd", "retinanet_mobile"),
    "task.model.backbone.model_id": _one_of("MobileNetV1", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    "task.model.backbone.depth_multiplier": _above(0),
    "task.model.backbone.freeze_blocks": _at_least(0),
    "task.model.backbone.init_stddev": _above(0),
    "task.model.batch_norm.momentum": _SHARE,
    "task.model.batch_norm.epsilon": _above(0),
    "task.model.anchors.generator": _one_of("ssd", "multiscale"),
    "task.model.anchors.anchor_scale": _above(0),
    "task.model.anchors.scales_per_octave": _at_least(1),
    "task.model.anchors.min_scale": _above(0),
    "task.model.anchors.max_scale": _above(0),
    "task.model.anchors.aspect_ratios": (
        lambda ratios: bool(ratios) and min(ratios) > 0,
        "must be ratios of width to height above 0, such as [1.0, 2.0, 0.5]",
    ),
    "task.model.anchors.interpolated_scale_aspect_ratio": _at_least(0),
    "task.model.head.num_layers": _at_least(1),
    "task.model.head.min_depth": _at_least(1),
    "task.model.head.kernel_size": _at_least(1),
    "task.model.head.init_stddev": _above(0),
    "task.model.fpn.min_level": _between(2, 5),
    "task.model.fpn.max_level": _between(2, 9),
    "task.model.fpn.depth": _at_least(1),
    "task.model.fpn.predictor_layers": _at_least(0),
    "task.model.fpn.predictor_depth": _at_least(1),
    "task.model.detections.score_threshold": _SHARE,
    "task.model.detections.iou_threshold": _SHARE,
    "task.model.detections.max_per_class": _at_least(1),
    "task.model.detections.max_total": _at_least(1),
    "task.losses.classification": _one_of("sigmoid", "focal"),
    "task.losses.huber_delta": _above(0),
    "task.losses.matched_threshold": _SHARE,
    "task.losses.unmatched_threshold": _SHARE,
    "task.losses.l2_weight_decay": _at_least(0),
    "task.losses.miner.num_hard_examples": _at_least(0),
    "task.losses.miner.iou_threshold": _at_least(0),
    "task.losses.miner.max_negatives_per_positive": _at_least(0),
    "task.losses.miner.min_negatives_per_image": _at_least(0),
    "task.init_checkpoint_type": _one_of("auto", "backbone", "feature_extractor", "detector"),
    "task.freeze": (all, "must not have an empty pattern, which is found in every name"),
    "task.learning_rate_multipliers": _MULTIPLIERS,
    "task.gradient_multipliers": _MULTIPLIERS,
    "task.train_data.global_batch_size": _at_least(1),
    "task.train_data.shuffle_buffer_size": _at_least(1),
    "task.train_data.max_boxes": _at_least(1),
    "task.train_data.augmentation.flip": _SHARE,
    "task.train_data.augmentation.zoom_out": _SHARE,
    "task.train_data.augmentation.zoom_out_max": _at_least(1),
    "task.train_data.augmentation.color": _SHARE,
    **{
        f"task.train_data.augmentation.{key}": _SHARE
        for key in (
            "flip_vertical",
            "rotate",
            "gray",
            "jitter.brightness",
            "jitter.hue",
            "copy_paste.probability",
            "copy_paste.min_visible",
        )
    },
    "task.train_data.augmentation.jitter.contrast": _RANGE,
    "task.train_data.augmentation.jitter.saturation": _RANGE,
    "task.train_data.augmentation.copy_paste.max_objects": _at_least(1),
    "task.train_data.augmentation.copy_paste.pool_size": _at_least(1),
    "task.train_data.augmentation.copy_paste.feather": _between(0, 0.5),
    "task.train_data.augmentation.copy_paste.max_size": _between(0.05, 0.9),
    "task.train_data.augmentation.mosaic.probability": _SHARE,
    "task.train_data.augmentation.mosaic.min_overlap": _SHARE,
    "task.train_data.augmentation.close_last": _SHARE,
    **{
        f"task.train_data.augmentation.crop.{key}": _SHARE
        for key in ("probability", "min_object_covered", "min_area", "max_area", "min_overlap")
    },
    "task.train_data.augmentation.crop.min_aspect_ratio": _above(0),
    "task.validation_data.global_batch_size": _at_least(1),
    "task.validation_data.max_examples": _at_least(0),
    "task.validation_data.sample_1_of_n": _at_least(1),
    "trainer.train_steps": _at_least(1),
    "trainer.steps_per_loop": _at_least(1),
    "trainer.summary_interval": _at_least(1),
    "trainer.checkpoint_interval": _at_least(1),
    "trainer.validation_interval": _at_least(1),
    "trainer.max_to_keep": _at_least(1),
    "trainer.early_stopping.patience": _at_least(0),
    "trainer.early_stopping.min_delta": _at_least(0),
    "trainer.early_stopping.min_steps": _at_least(0),
    "trainer.early_stopping.metric": _one_of("", "AP50", "AP", "mAP", "top1", "top5", "validation_loss"),
    "trainer.loss_upper_bound": _above(0),
    "trainer.optimizer_config.ema.average_decay": (lambda decay: 0 <= decay < 1, "must be 0 or more and below 1"),
    "trainer.optimizer_config.ema.start_step": _at_least(0),
    "runtime.distribution_strategy": _one_of(
        "off", "one_device", "mirrored", "multi_worker_mirrored", "tpu", "parameter_server"
    ),
}


def _is_config(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, hyperparams.Config)

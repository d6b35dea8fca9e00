"""A pipeline.config becomes an experiment."""

from collections.abc import Iterator
from typing import Any

from official.core import exp_factory

import pipelines.detection.experiments  # noqa: F401 - registers the experiments
from collectors.errors import ConfigError
from pipelines.experiment import Experiment
from pipelines.odapi.augmentations import augmentation_settings
from pipelines.odapi.decimals import as_written
from pipelines.odapi.explain import refuse_what_cannot_be_honoured
from pipelines.odapi.input_paths import expand_input_paths, resolve
from pipelines.odapi.optimizers import optimizer_settings
from pipelines.odapi.pipeline_config import PipelineConfig

# What stands for a path in the OD API's samples.
_PLACEHOLDERS = ("PATH_TO_BE_CONFIGURED", "${YOUR_GCS_BUCKET}")
_ENDLESS_STEPS = 200_000
_BIASES = "/biases"  # of a variable's name
_SLIM_STDDEV = 0.09  # of the backbone's kernels

# Feature extractor -> backbone, whether a pyramid stands on it.
_EXTRACTORS = {
    "ssd_mobilenet_v1": ("MobileNetV1", False),
    "ssd_mobilenet_v1_keras": ("MobileNetV1", False),
    "ssd_mobilenet_v1_fpn": ("MobileNetV1", True),
    "ssd_mobilenet_v1_fpn_keras": ("MobileNetV1", True),
    "ssd_mobilenet_v2": ("MobileNetV2", False),
    "ssd_mobilenet_v2_keras": ("MobileNetV2", False),
    "ssd_mobilenet_v2_fpn": ("MobileNetV2", True),
    "ssd_mobilenet_v2_fpn_keras": ("MobileNetV2", True),
    "ssd_mobilenet_v3_large": ("MobileNetV3Large", False),
    "ssd_mobilenet_v3_small": ("MobileNetV3Small", False),
}
_REFUSED_EXTRACTORS = {
    "ssd_mobilenet_v1_ppn": "its pooling pyramid shares one predictor over pooled maps, which tagbox does not build",
}


def to_experiment(config: PipelineConfig) -> Experiment:
    """Translate a pipeline.config into the experiment it describes.

    Paths that stand in the config start at its folder. A path that still says ``PATH_TO_BE_CONFIGURED`` is left empty
    and noted in `Experiment.unconfigured`.

    Raises:
        ConfigError: A field asks for what tagbox cannot do, at its line.
    """
    name = _experiment_name(config)
    refuse_what_cannot_be_honoured(config)
    experiment = Experiment(name, exp_factory.get_exp_config(name), {})
    for path, key, value in _settings(config):
        where = config.where(path)
        experiment.set(key, value, f"{config.path.name}{where.removeprefix(str(config.path))}")
    for path, key, value in _paths_in(config):
        if _is_placeholder(value):
            experiment.unconfigured.setdefault(key, config.where(path))
    return experiment


def _experiment_name(config: PipelineConfig) -> str:
    kind = config.message.model.ssd.feature_extractor.type
    where = config.where("model.ssd.feature_extractor.type")
    if kind in _REFUSED_EXTRACTORS:
        raise ConfigError(f"`{kind}` cannot be trained: {_REFUSED_EXTRACTORS[kind]}", where=where)
    if kind not in _EXTRACTORS:
        known = ", ".join(sorted(_EXTRACTORS))
        raise ConfigError(f"`{kind or 'no feature extractor'}` is not known", where=where, fix=f"Known: {known}.")
    backbone, pyramid = _EXTRACTORS[kind]
    version = backbone.removeprefix("MobileNet").lower()
    if version.startswith("v3"):
        # Known as SSDLite only; without use_depthwise its settings become those of an SSD all the same.
        return f"ssdlite_mobilenet_v3_{version.removeprefix('v3')}"
    if pyramid:
        return "ssd_mobilenet_v2_fpnlite" if version == "v2" else "ssd_mobilenet_v1_fpn"
    lite = config.message.model.ssd.feature_extractor.use_depthwise
    return f"{'ssdlite' if lite else 'ssd'}_mobilenet_{version}"


def _settings(config: PipelineConfig) -> Iterator[tuple[str, str, Any]]:
    """Yield the path of a field, the key of our config it decides, and its value."""
    message = config.message
    yield from _model_settings(message.model.ssd)
    yield from _head_settings(message.model.ssd)
    yield from _anchor_settings(config)
    yield from _loss_settings(message.model.ssd)
    yield from _training_settings(config)
    yield from _data_settings(config)
    yield from optimizer_settings(config)


def _model_settings(ssd: Any) -> Iterator[tuple[str, str, Any]]:
    extractor = ssd.feature_extractor
    at = "model.ssd.feature_extractor"
    backbone, _ = _EXTRACTORS[extractor.type]
    yield "model.ssd.num_classes", "task.model.num_classes", ssd.num_classes
    if ssd.image_resizer.WhichOneof("image_resizer_oneof") == "keep_aspect_ratio_resizer":
        side = ssd.image_resizer.keep_aspect_ratio_resizer.min_dimension
        yield "model.ssd.image_resizer", "task.model.input_size", [side, side]
    else:
        fixed = ssd.image_resizer.fixed_shape_resizer
        yield "model.ssd.image_resizer.fixed_shape_resizer", "task.model.input_size", [fixed.height, fixed.width]
    yield f"{at}.type", "task.model.backbone.model_id", backbone
    yield f"{at}.depth_multiplier", "task.model.backbone.depth_multiplier", as_written(extractor.depth_multiplier)
    yield f"{at}.min_depth", "task.model.head.min_depth", extractor.min_depth
    hyperparams = extractor.conv_hyperparams
    override, stddev = "override_base_feature_extractor_hyperparams", "task.model.backbone.init_stddev"
    yield f"{at}.{override}", stddev, _SLIM_STDDEV
    if getattr(extractor, override):
        yield from _stddev_setting(f"{at}.conv_hyperparams", hyperparams, stddev)
    norm = hyperparams.batch_norm
    at_norm = f"{at}.conv_hyperparams.batch_norm"
    yield f"{at_norm}.decay", "task.model.batch_norm.momentum", as_written(norm.decay)
    yield f"{at_norm}.epsilon", "task.model.batch_norm.epsilon", as_written(norm.epsilon)
    frozen = ssd.freeze_batchnorm or not norm.train
    yield f"{at_norm}.train" if not norm.train else "model.ssd.freeze_batchnorm", "task.model.batch_norm.freeze", frozen
    suppression = ssd.post_processing.batch_non_max_suppression
    at = "model.ssd.post_processing.batch_non_max_suppression"
    yield f"{at}.score_threshold", "task.model.detections.score_threshold", as_written(suppression.score_threshold)
    yield f"{at}.iou_threshold", "task.model.detections.iou_threshold", as_written(suppression.iou_threshold)
    yield f"{at}.max_detections_per_class", "task.model.detections.max_per_class", suppression.max_detections_per_class
    yield f"{at}.max_total_detections", "task.model.detections.max_total", suppression.max_total_detections


def _head_settings(ssd: Any) -> Iterator[tuple[str, str, Any]]:
    extractor, name = ssd.feature_extractor, ssd.box_predictor.WhichOneof("box_predictor_oneof")
    predictor = getattr(ssd.box_predictor, name or "convolutional_box_predictor")
    at = f"model.ssd.box_predictor.{name}"
    yield from _stddev_setting(f"{at}.conv_hyperparams", predictor.conv_hyperparams, "task.model.head.init_stddev")
    bias = as_written(predictor.class_prediction_bias_init)
    yield f"{at}.class_prediction_bias_init", "task.model.head.class_prediction_bias_init", bias
    _, pyramid = _EXTRACTORS[extractor.type]
    yield "model.ssd.feature_extractor.type", "task.model.fpn.enabled", pyramid
    if not pyramid:
        yield f"{at}.kernel_size", "task.model.head.kernel_size", predictor.kernel_size
        yield f"{at}.use_depthwise", "task.model.head.separable_predictors", predictor.use_depthwise
        separable = extractor.use_depthwise
        yield "model.ssd.feature_extractor.use_depthwise", "task.model.head.separable_layers", separable
        return
    fpn, at_fpn = extractor.fpn, "model.ssd.feature_extractor.fpn"
    # The two generations of the OD API differ in what goes down a pyramid.
    yield "model.ssd.feature_extractor.type", "task.model.fpn.descend_smoothed", extractor.type.endswith("_keras")
    yield f"{at_fpn}.min_level", "task.model.fpn.min_level", fpn.min_level
    yield f"{at_fpn}.max_level", "task.model.fpn.max_level", fpn.max_level
    yield f"{at_fpn}.additional_layer_depth", "task.model.fpn.depth", fpn.additional_layer_depth
    yield "model.ssd.feature_extractor.use_depthwise", "task.model.fpn.separable", extractor.use_depthwise
    yield f"{at}.num_layers_before_predictor", "task.model.fpn.predictor_layers", predictor.num_layers_before_predictor
    yield f"{at}.depth", "task.model.fpn.predictor_depth", predictor.depth
    yield f"{at}.use_depthwise", "task.model.fpn.predictor_separable", predictor.use_depthwise
    yield f"{at}.share_prediction_tower", "task.model.fpn.shared_tower", predictor.share_prediction_tower


def _stddev_setting(at: str, hyperparams: Any, key: str) -> Iterator[tuple[str, str, Any]]:
    if kind := hyperparams.initializer.WhichOneof("initializer_oneof"):
        yield f"{at}.initializer.{kind}.stddev", key, as_written(getattr(hyperparams.initializer, kind).stddev)


def _anchor_settings(config: PipelineConfig) -> Iterator[tuple[str, str, Any]]:
    generator = config.message.model.ssd.anchor_generator
    name = generator.WhichOneof("anchor_generator_oneof")
    at = f"model.ssd.anchor_generator.{name}"
    pyramid = _EXTRACTORS[config.message.model.ssd.feature_extractor.type][1]
    if (name == "multiscale_anchor_generator") != pyramid:
        raise ConfigError(
            f"`{name}` does not fit the feature extractor",
            where=config.where(at),
            fix=f"It needs: {'multiscale_anchor_generator' if pyramid else 'ssd_anchor_generator'}.",
        )
    if pyramid:
        anchors = generator.multiscale_anchor_generator
        fpn = config.message.model.ssd.feature_extractor.fpn
        if (anchors.min_level, anchors.max_level) != (fpn.min_level, fpn.max_level):
            raise ConfigError(
                f"anchors for levels {anchors.min_level} to {anchors.max_level}, a pyramid from {fpn.min_level} to "
                f"{fpn.max_level}",
                where=config.where(at),
                fix="Give both the same min_level and max_level.",
            )
        yield at, "task.model.anchors.generator", "multiscale"
        yield f"{at}.anchor_scale", "task.model.anchors.anchor_scale", as_written(anchors.anchor_scale)
        yield f"{at}.scales_per_octave", "task.model.anchors.scales_per_octave", anchors.scales_per_octave
        yield f"{at}.aspect_ratios", "task.model.anchors.aspect_ratios", [as_written(r) for r in anchors.aspect_ratios]
        return
    anchors = generator.ssd_anchor_generator
    yield at, "task.model.anchors.generator", "ssd"
    yield f"{at}.num_layers", "task.model.head.num_layers", anchors.num_layers
    yield f"{at}.min_scale", "task.model.anchors.min_scale", as_written(anchors.min_scale)
    yield f"{at}.max_scale", "task.model.anchors.max_scale", as_written(anchors.max_scale)
    if anchors.aspect_ratios:
        yield f"{at}.aspect_ratios", "task.model.anchors.aspect_ratios", [as_written(r) for r in anchors.aspect_ratios]
    for key in ("interpolated_scale_aspect_ratio", "reduce_boxes_in_lowest_layer"):
        value = getattr(anchors, key)
        yield f"{at}.{key}", f"task.model.anchors.{key}", value if isinstance(value, bool) else as_written(value)


def _loss_settings(ssd: Any) -> Iterator[tuple[str, str, Any]]:
    loss, at = ssd.loss, "model.ssd.loss"
    focal = loss.classification_loss.WhichOneof("classification_loss") == "weighted_sigmoid_focal"
    yield f"{at}.classification_loss", "task.losses.classification", "focal" if focal else "sigmoid"
    if focal:
        settings, at_focal = loss.classification_loss.weighted_sigmoid_focal, f"{at}.classification_loss"
        alpha = as_written(settings.alpha) if settings.HasField("alpha") else 0.5
        yield f"{at_focal}.weighted_sigmoid_focal.alpha", "task.losses.focal_alpha", alpha
        yield f"{at_focal}.weighted_sigmoid_focal.gamma", "task.losses.focal_gamma", as_written(settings.gamma)
    delta = loss.localization_loss.weighted_smooth_l1.delta
    yield f"{at}.localization_loss.weighted_smooth_l1.delta", "task.losses.huber_delta", as_written(delta)
    # Without alpha, the OD API's focal loss weighs objects and background 1 each; alpha 0.5 weighs both by half.
    unweighted = focal and not loss.classification_loss.weighted_sigmoid_focal.HasField("alpha")
    weight = as_written(loss.classification_weight) * (2.0 if unweighted else 1.0)
    yield f"{at}.classification_weight", "task.losses.classification_weight", weight
    yield f"{at}.localization_weight", "task.losses.localization_weight", as_written(loss.localization_weight)
    mined, miner, at = loss.HasField("hard_example_miner"), loss.hard_example_miner, f"{at}.hard_example_miner"
    yield at, "task.losses.miner.enabled", mined
    if mined:
        yield f"{at}.num_hard_examples", "task.losses.miner.num_hard_examples", miner.num_hard_examples
        yield f"{at}.iou_threshold", "task.losses.miner.iou_threshold", as_written(miner.iou_threshold)
        ratio = float(miner.max_negatives_per_positive)
        yield f"{at}.max_negatives_per_positive", "task.losses.miner.max_negatives_per_positive", ratio
        minimum = miner.min_negatives_per_image
        yield f"{at}.min_negatives_per_image", "task.losses.miner.min_negatives_per_image", minimum
    matcher, at = ssd.matcher.argmax_matcher, "model.ssd.matcher.argmax_matcher"
    yield f"{at}.matched_threshold", "task.losses.matched_threshold", as_written(matcher.matched_threshold)
    yield f"{at}.unmatched_threshold", "task.losses.unmatched_threshold", as_written(matcher.unmatched_threshold)
    at = "model.ssd.normalize_loc_loss_by_codesize"
    yield at, "task.losses.normalize_by_code_size", ssd.normalize_loc_loss_by_codesize
    zeros = ssd.encode_background_as_zeros
    yield "model.ssd.encode_background_as_zeros", "task.losses.background_as_zeros", zeros


def _training_settings(config: PipelineConfig) -> Iterator[tuple[str, str, Any]]:
    training, ssd = config.message.train_config, config.message.model.ssd
    at = "train_config"
    yield f"{at}.batch_size", "task.train_data.global_batch_size", training.batch_size
    # COCO's figures do not depend on the batch; a small one keeps memory low.
    yield f"{at}.batch_size", "task.validation_data.global_batch_size", min(training.batch_size, 8)
    yield f"{at}.max_number_of_boxes", "task.train_data.max_boxes", training.max_number_of_boxes
    yield f"{at}.num_steps", "trainer.train_steps", training.num_steps or _ENDLESS_STEPS
    regularizer = ssd.feature_extractor.conv_hyperparams.regularizer.l2_regularizer
    decay = as_written(regularizer.weight) if training.add_regularization_loss else 0.0
    at_decay = "model.ssd.feature_extractor.conv_hyperparams.regularizer.l2_regularizer.weight"
    yield at_decay, "task.losses.l2_weight_decay", decay
    checkpoint = training.fine_tune_checkpoint
    if checkpoint and not _is_placeholder(checkpoint):
        yield f"{at}.fine_tune_checkpoint", "task.init_checkpoint", resolve(checkpoint, config.path.parent)
        yield f"{at}.fine_tune_checkpoint_type", "task.init_checkpoint_type", _checkpoint_kind(training)
    yield from augmentation_settings(config)
    frozen = list(training.freeze_variables)
    if training.update_trainable_variables:
        yield f"{at}.update_trainable_variables", "task.freeze", [
            f"^(?!.*(?:{'|'.join(training.update_trainable_variables)}))", *frozen
        ]  # fmt: skip
    elif frozen:
        yield f"{at}.freeze_variables", "task.freeze", frozen
    if training.bias_grad_multiplier:
        rule = {"pattern": _BIASES, "multiplier": as_written(training.bias_grad_multiplier)}
        yield f"{at}.bias_grad_multiplier", "task.gradient_multipliers", [rule]


def _checkpoint_kind(training: Any) -> str:
    """Return how much of the checkpoint is taken, in the words of ``init_checkpoint_type``."""
    kind = training.fine_tune_checkpoint_type
    if not kind:
        kind = "detection" if training.from_detection_checkpoint else "classification"
    if kind == "classification":
        return "backbone"
    # The OD API leaves box predictors fresh unless it is told to load everything.
    everything = training.load_all_detection_checkpoint_vars or kind == "full"
    return "detector" if everything else "feature_extractor"


def _data_settings(config: PipelineConfig) -> Iterator[tuple[str, str, Any]]:
    message, folder = config.message, config.path.parent
    label_map = message.train_input_reader.label_map_path
    if label_map and not _is_placeholder(label_map):
        yield "train_input_reader.label_map_path", "task.label_map", resolve(label_map, folder)
    training = list(message.train_input_reader.tf_record_input_reader.input_path)
    if training and not any(map(_is_placeholder, training)):
        at = "train_input_reader.tf_record_input_reader.input_path"
        yield at, "task.train_data.input_path", expand_input_paths(training, folder)
    buffer = message.train_input_reader.shuffle_buffer_size
    yield "train_input_reader.shuffle_buffer_size", "task.train_data.shuffle_buffer_size", max(buffer, 1)
    verification = [path for reader in message.eval_input_reader for path in reader.tf_record_input_reader.input_path]
    if verification and not any(map(_is_placeholder, verification)):
        at = "eval_input_reader.tf_record_input_reader.input_path"
        yield at, "task.validation_data.input_path", expand_input_paths(verification, folder)
    if message.eval_input_reader:
        every = max(message.eval_input_reader[0].sample_1_of_n_examples, 1)
        yield "eval_input_reader.sample_1_of_n_examples", "task.validation_data.sample_1_of_n", every
    # The default, 5,000, is a bound that nobody asked for.
    if message.eval_config.HasField("num_examples"):
        yield "eval_config.num_examples", "task.validation_data.max_examples", message.eval_config.num_examples


def _paths_in(config: PipelineConfig) -> Iterator[tuple[str, str, str]]:
    """Yield each field that holds a path, the key of our config it decides, and the path."""
    message = config.message
    yield "train_config.fine_tune_checkpoint", "task.init_checkpoint", message.train_config.fine_tune_checkpoint
    for name, readers, key in (
        ("train_input_reader", [message.train_input_reader], "task.train_data.input_path"),
        ("eval_input_reader", list(message.eval_input_reader), "task.validation_data.input_path"),
    ):
        for reader in readers:
            for path in reader.tf_record_input_reader.input_path:
                yield f"{name}.tf_record_input_reader.input_path", key, path
    # The label map of the verification set is the same one; the training reader's is taken.
    yield "train_input_reader.label_map_path", "task.label_map", message.train_input_reader.label_map_path


def _is_placeholder(path: str) -> bool:
    return any(placeholder in path for placeholder in _PLACEHOLDERS)

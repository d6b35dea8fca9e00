"""What becomes of each field of a pipeline.config: honoured, approximated or ignored, and why."""

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple


class Fate(enum.StrEnum):
    """What becomes of a field."""

    HONOURED = "honoured"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"
    UNSUPPORTED = "unsupported"


class FieldNote(NamedTuple):
    """The fate of a field.

    Attributes:
        fate: What becomes of it.
        note: How it is approximated, why it is ignored, or what has to be written instead.
        only: The values that can be honoured; empty: every value. Enum values stand as their names.
        exact: The values that are honoured although others are approximated or ignored.
    """

    fate: Fate
    note: str = ""
    only: tuple[Any, ...] = ()
    exact: tuple[Any, ...] = ()


def _yes(note: str = "", only: tuple[Any, ...] = ()) -> FieldNote:
    return FieldNote(Fate.HONOURED, note, only)


def _nearly(note: str, exact: tuple[Any, ...] = ()) -> FieldNote:
    return FieldNote(Fate.APPROXIMATED, note, exact=exact)


def _no(note: str, only: tuple[Any, ...] = ()) -> FieldNote:
    return FieldNote(Fate.IGNORED, note, only)


_HERE = _yes()
_UNSUPPORTED = FieldNote(Fate.UNSUPPORTED, "tagbox has no such thing; remove it or choose another")
_QUEUES = _no("reading is tuned by tf.data itself")
_DRAWING = _no("`tagbox eval` draws its own pictures of predictions beside truth")
_TPU = _no("a matter of speed on TPUs; the figures are the same")
_JOBS = _no("all replicas of a run step together; see `tagbox train --workers`")
_MASKS = _no("masks, keypoints and extra channels are no part of a box detector", only=(False, 0))
_STRENGTH = "the strength is that of augmentation.color"
_IDS = _no("ids of pictures are always kept")

NOTES: Mapping[str, Mapping[str, FieldNote]] = {
    "TrainEvalPipelineConfig": {
        "model": _HERE,
        "train_config": _HERE,
        "train_input_reader": _HERE,
        "eval_config": _HERE,
        "eval_input_reader": _yes("of several, all are read as one verification set"),
        "graph_rewriter": FieldNote(
            Fate.UNSUPPORTED,
            "training with quantisation rewrites a TF1 graph, which TensorFlow 2 cannot; train without it and export "
            "with `tagbox export RUN --format tflite-int8`",
        ),
    },
    "DetectionModel": dict.fromkeys(("ssd", "faster_rcnn", "center_net", "experimental_model"), _HERE),
    "OtherModel": {},
    "Ssd": {
        "num_classes": _yes("background is not counted"),
        "image_resizer": _HERE,
        "feature_extractor": _HERE,
        "box_coder": _HERE,
        "matcher": _HERE,
        "similarity_calculator": _HERE,
        "encode_background_as_zeros": _HERE,
        "negative_class_weight": _yes(only=(1.0,)),
        "box_predictor": _HERE,
        "anchor_generator": _HERE,
        "post_processing": _HERE,
        "normalize_loss_by_num_matches": _yes("the loss is divided by the number of matched anchors", only=(True,)),
        "normalize_loc_loss_by_codesize": _HERE,
        "loss": _HERE,
        "freeze_batchnorm": _HERE,
        "inplace_batchnorm_update": _no("Keras updates the moving statistics with the step in either case"),
        "add_background_class": _yes(only=(True,)),
        "explicit_background_class": _yes(only=(False,)),
        "use_confidences_as_targets": _yes(only=(False,)),
        "implicit_example_weight": _yes(only=(1.0,)),
    },
    "SsdFeatureExtractor": {
        "type": _yes("chooses the experiment"),
        "depth_multiplier": _HERE,
        "min_depth": _HERE,
        "conv_hyperparams": _HERE,
        "override_base_feature_extractor_hyperparams": _nearly(
            "the backbone always takes its batch norm and weight decay from conv_hyperparams; false would take slim's "
            "own (decay 0.9997, initialiser 0.09), which matter for weights that are not loaded",
            exact=(True,),
        ),
        "pad_to_multiple": _yes(only=(1, 0)),
        "use_explicit_padding": _no("SAME padding, which gives the same sizes at even sides"),
        "use_depthwise": _HERE,
        "fpn": _HERE,
        "replace_preprocessor_with_placeholder": _yes(only=(False,)),
        "num_layers": _yes("taken from the anchor generator, which must agree"),
    },
    "FeaturePyramidNetworks": dict.fromkeys(("min_level", "max_level", "additional_layer_depth"), _HERE),
    "ImageResizer": {
        "fixed_shape_resizer": _HERE,
        "keep_aspect_ratio_resizer": _nearly(
            "pictures are resized to the fixed size min_dimension x min_dimension; tagbox has no input of varying size"
        ),
        "identity_resizer": _UNSUPPORTED,
        "conditional_shape_resizer": _UNSUPPORTED,
        "pad_to_multiple_resizer": _UNSUPPORTED,
    },
    "KeepAspectRatioResizer": {
        "min_dimension": _nearly("the side of the fixed input"),
        "max_dimension": _no("the input has one fixed size"),
        "resize_method": _yes(only=("BILINEAR",)),
        "pad_to_max_dimension": _no("the input has one fixed size"),
        "convert_to_grayscale": _yes(only=(False,)),
        "per_channel_pad_value": _no("nothing is padded"),
    },
    "FixedShapeResizer": {
        "height": _HERE,
        "width": _HERE,
        "resize_method": _yes(only=("BILINEAR",)),
        "convert_to_grayscale": _yes(only=(False,)),
    },
    "IdentityResizer": {},
    "ConditionalShapeResizer": {"convert_to_grayscale": _UNSUPPORTED},
    "PadToMultipleResizer": {"multiple": _UNSUPPORTED, "convert_to_grayscale": _UNSUPPORTED},
    "BoxCoder": {
        "faster_rcnn_box_coder": _HERE,
        "mean_stddev_box_coder": _UNSUPPORTED,
        "square_box_coder": _UNSUPPORTED,
        "keypoint_box_coder": _UNSUPPORTED,
    },
    "FasterRcnnBoxCoder": {
        "y_scale": _yes(only=(10.0,)),
        "x_scale": _yes(only=(10.0,)),
        "height_scale": _yes(only=(5.0,)),
        "width_scale": _yes(only=(5.0,)),
    },
    "MeanStddevBoxCoder": {"stddev": _UNSUPPORTED},
    "SquareBoxCoder": dict.fromkeys(("y_scale", "x_scale", "length_scale"), _UNSUPPORTED),
    "KeypointBoxCoder": dict.fromkeys(
        ("num_keypoints", "y_scale", "x_scale", "height_scale", "width_scale"), _UNSUPPORTED
    ),
    "Matcher": {"argmax_matcher": _HERE, "bipartite_matcher": _UNSUPPORTED},
    "ArgMaxMatcher": {
        "matched_threshold": _HERE,
        "unmatched_threshold": _HERE,
        "ignore_thresholds": _yes(only=(False,)),
        "negatives_lower_than_unmatched": _yes(only=(True,)),
        "force_match_for_each_row": _yes("each box claims its best anchor", only=(True,)),
        "use_matmul_gather": _TPU,
    },
    "BipartiteMatcher": {"use_matmul_gather": _UNSUPPORTED},
    "RegionSimilarityCalculator": {
        "iou_similarity": _HERE,
        "neg_sq_dist_similarity": _UNSUPPORTED,
        "ioa_similarity": _UNSUPPORTED,
        "thresholded_iou_similarity": _UNSUPPORTED,
    },
    "NegSqDistSimilarity": {},
    "IouSimilarity": {},
    "IoaSimilarity": {},
    "ThresholdedIouSimilarity": {"iou_threshold": _UNSUPPORTED},
    "AnchorGenerator": {
        "ssd_anchor_generator": _HERE,
        "multiscale_anchor_generator": _HERE,
        "grid_anchor_generator": _UNSUPPORTED,
    },
    "GridAnchorGenerator": dict.fromkeys(
        (
            "height",
            "width",
            "height_stride",
            "width_stride",
            "height_offset",
            "width_offset",
            "scales",
            "aspect_ratios",
        ),
        _UNSUPPORTED,
    ),
    "SsdAnchorGenerator": {
        "num_layers": _HERE,
        "min_scale": _HERE,
        "max_scale": _HERE,
        "scales": FieldNote(Fate.UNSUPPORTED, "only min_scale and max_scale; remove it"),
        "aspect_ratios": _HERE,
        "interpolated_scale_aspect_ratio": _HERE,
        "reduce_boxes_in_lowest_layer": _HERE,
        "base_anchor_height": _yes(only=(1.0,)),
        "base_anchor_width": _yes(only=(1.0,)),
        "height_stride": _nearly("anchors stand in the middle of each cell of their map, evenly"),
        "width_stride": _nearly("anchors stand in the middle of each cell of their map, evenly"),
        "height_offset": _nearly("anchors stand in the middle of each cell of their map, evenly"),
        "width_offset": _nearly("anchors stand in the middle of each cell of their map, evenly"),
    },
    "MultiscaleAnchorGenerator": {
        "min_level": _HERE,
        "max_level": _HERE,
        "anchor_scale": _HERE,
        "aspect_ratios": _HERE,
        "scales_per_octave": _HERE,
        "normalize_coordinates": _yes(only=(True,)),
    },
    "BoxPredictor": {
        "convolutional_box_predictor": _HERE,
        "weight_shared_convolutional_box_predictor": _HERE,
        "mask_rcnn_box_predictor": _UNSUPPORTED,
        "rfcn_box_predictor": _UNSUPPORTED,
    },
    "BoxEncodingsClipRange": {"min": _UNSUPPORTED, "max": _UNSUPPORTED},
    "ConvolutionalBoxPredictor": {
        "conv_hyperparams": _nearly("weight decay and batch norm are those of the feature extractor"),
        "min_depth": _no("there are no layers before the predictor"),
        "max_depth": _no("there are no layers before the predictor"),
        "num_layers_before_predictor": _yes(only=(0,)),
        "use_dropout": _nearly("there is no dropout before the predictor", exact=(False,)),
        "dropout_keep_probability": _no("there is no dropout before the predictor"),
        "kernel_size": _HERE,
        "box_code_size": _yes(only=(4,)),
        "apply_sigmoid_to_scores": _yes(only=(False,)),
        "class_prediction_bias_init": _HERE,
        "use_depthwise": _HERE,
        "box_encodings_clip_range": _UNSUPPORTED,
    },
    "WeightSharedConvolutionalBoxPredictor": {
        "conv_hyperparams": _nearly("weight decay and batch norm are those of the feature extractor"),
        "num_layers_before_predictor": _HERE,
        "depth": _HERE,
        "kernel_size": _yes(only=(3,)),
        "box_code_size": _yes(only=(4,)),
        "class_prediction_bias_init": _HERE,
        "use_dropout": _yes(only=(False,)),
        "dropout_keep_probability": _no("there is no dropout"),
        "share_prediction_tower": _HERE,
        "use_depthwise": _HERE,
        "score_converter": _no("the one of post_processing counts"),
        "box_encodings_clip_range": _UNSUPPORTED,
    },
    "Hyperparams": {
        "op": _yes(only=("CONV",)),
        "regularizer": _HERE,
        "initializer": _HERE,
        "activation": _yes(only=("RELU_6",)),
        "batch_norm": _HERE,
        "group_norm": _UNSUPPORTED,
        "regularize_depthwise": _nearly("depthwise kernels are always regularised", exact=(True,)),
        "force_use_bias": _yes(only=(False,)),
    },
    "Regularizer": {"l2_regularizer": _HERE, "l1_regularizer": _UNSUPPORTED},
    "L1Regularizer": {"weight": _UNSUPPORTED},
    "L2Regularizer": {"weight": _yes("half of it times the sum of squares, as slim has it")},
    "Initializer": {
        "truncated_normal_initializer": _HERE,
        "random_normal_initializer": _nearly("drawn from the truncated normal of the same deviation"),
        "variance_scaling_initializer": _UNSUPPORTED,
    },
    "TruncatedNormalInitializer": {"mean": _yes(only=(0.0,)), "stddev": _yes("of kernels that are not loaded")},
    "RandomNormalInitializer": {"mean": _yes(only=(0.0,)), "stddev": _yes("of kernels that are not loaded")},
    "VarianceScalingInitializer": dict.fromkeys(("factor", "uniform", "mode"), _UNSUPPORTED),
    "BatchNorm": {
        "decay": _yes("above 0.99, evaluations of the first thousands of steps say nothing; 0.97 suits short runs"),
        "center": _yes(only=(True,)),
        "scale": _yes(only=(True,)),
        "epsilon": _HERE,
        "train": _yes("false uses the loaded statistics and leaves them alone"),
    },
    "GroupNorm": {},
    "Loss": {
        "localization_loss": _HERE,
        "classification_loss": _HERE,
        "hard_example_miner": _HERE,
        "classification_weight": _HERE,
        "localization_weight": _HERE,
        "random_example_sampler": _UNSUPPORTED,
    },
    "LocalizationLoss": {
        "weighted_smooth_l1": _HERE,
        "weighted_l2": _UNSUPPORTED,
        "weighted_iou": _UNSUPPORTED,
    },
    "WeightedL2LocalizationLoss": {"anchorwise_output": _UNSUPPORTED},
    "WeightedIouLocalizationLoss": {},
    "WeightedSmoothL1LocalizationLoss": {
        "anchorwise_output": _no("deprecated in the OD API itself: the loss is kept by anchor for the miner"),
        "delta": _HERE,
    },
    "ClassificationLoss": {
        "weighted_sigmoid": _HERE,
        "weighted_sigmoid_focal": _HERE,
        "weighted_softmax": _UNSUPPORTED,
        "weighted_logits_softmax": _UNSUPPORTED,
        "bootstrapped_sigmoid": _UNSUPPORTED,
    },
    "WeightedSigmoidClassificationLoss": {
        "anchorwise_output": _no("deprecated in the OD API itself: the loss is kept by anchor for the miner"),
    },
    "WeightedSoftmaxClassificationLoss": dict.fromkeys(("anchorwise_output", "logit_scale"), _UNSUPPORTED),
    "BootstrappedSigmoidClassificationLoss": dict.fromkeys(
        ("alpha", "hard_bootstrap", "anchorwise_output"), _UNSUPPORTED
    ),
    "SigmoidFocalClassificationLoss": {
        "anchorwise_output": _no("deprecated in the OD API itself"),
        "gamma": _HERE,
        "alpha": _HERE,
    },
    "HardExampleMiner": {
        "num_hard_examples": _HERE,
        "iou_threshold": _yes("below 1.0 costs a third of a CPU step and drops only near-duplicates"),
        "loss_type": _yes("anchors are ranked by their classification loss", only=("CLASSIFICATION",)),
        "max_negatives_per_positive": _HERE,
        "min_negatives_per_image": _yes("0: a picture without objects teaches nothing"),
    },
    "RandomExampleSampler": {"positive_sample_fraction": _UNSUPPORTED},
    "PostProcessing": {
        "batch_non_max_suppression": _HERE,
        "score_converter": _yes(only=("SIGMOID",)),
        "logit_scale": _yes(only=(1.0,)),
    },
    "BatchNonMaxSuppression": {
        "score_threshold": _HERE,
        "iou_threshold": _HERE,
        "max_detections_per_class": _HERE,
        "max_total_detections": _HERE,
        "use_static_shapes": _TPU,
        "use_class_agnostic_nms": _yes(only=(False,)),
        "max_classes_per_detection": _no("counts in class-agnostic suppression only"),
        "soft_nms_sigma": _yes(only=(0.0,)),
        "use_partitioned_nms": _TPU,
        "use_combined_nms": _no("suppression is combined (batched) always"),
        "change_coordinate_frame": _no("boxes are in the frame of the picture always"),
        "use_hard_nms": _no("suppression is hard always"),
        "use_cpu_nms": _no("TensorFlow places it"),
    },
    "TrainConfig": {
        "batch_size": _yes("pictures in a step, of all replicas together"),
        "data_augmentation_options": _HERE,
        "sync_replicas": _JOBS,
        "keep_checkpoint_every_n_hours": _no("a run keeps its last two checkpoints and the best one"),
        "optimizer": _HERE,
        "gradient_clipping_by_norm": _yes("each gradient by itself"),
        "fine_tune_checkpoint": _yes("relative paths start at the config; see also --init"),
        "fine_tune_checkpoint_type": _yes(
            "`detection` or `classification`", only=("", "detection", "classification", "full", "fine_tune")
        ),
        "fine_tune_checkpoint_version": _no("told from the file itself"),
        "from_detection_checkpoint": _yes("the older form of fine_tune_checkpoint_type"),
        "load_all_detection_checkpoint_vars": _yes("true takes the box predictors as well, where their shapes agree"),
        "num_steps": _yes("0 means for ever: 200,000 are taken, stop when it is good enough"),
        "startup_delay_steps": _JOBS,
        "bias_grad_multiplier": _yes("0 counts as 1", only=(0.0, 1.0)),
        "freeze_variables": FieldNote(Fate.UNSUPPORTED, "say backbone.freeze in a YAML config instead"),
        "update_trainable_variables": FieldNote(Fate.UNSUPPORTED, "say backbone.freeze in a YAML config instead"),
        "replicas_to_aggregate": _JOBS,
        "batch_queue_capacity": _QUEUES,
        "num_batch_queue_threads": _QUEUES,
        "prefetch_queue_capacity": _QUEUES,
        "merge_multiple_label_boxes": _yes(only=(False,)),
        "use_multiclass_scores": _yes(only=(False,)),
        "add_regularization_loss": _HERE,
        "max_number_of_boxes": _yes("boxes of a picture beyond it are left out of training"),
        "unpad_groundtruth_tensors": _no("padded rows never count"),
        "retain_original_images": _no("nothing needs them"),
        "retain_original_image_additional_channels": _no("nothing needs them"),
        "use_bfloat16": _no("set runtime.mixed_precision_dtype where the hardware gains by it"),
        "summarize_gradients": _no("gradients are no part of the curves"),
    },
    "Optimizer": {
        "rms_prop_optimizer": _nearly("the mean square starts at 0, not at 1: the first 20 steps or so are larger"),
        "momentum_optimizer": _HERE,
        "adam_optimizer": _HERE,
        "use_moving_average": _yes("kept only when eval_config.use_moving_averages evaluates it, as its only use"),
        "moving_average_decay": _HERE,
    },
    "RMSPropOptimizer": dict.fromkeys(("learning_rate", "momentum_optimizer_value", "decay", "epsilon"), _HERE),
    "MomentumOptimizer": dict.fromkeys(("learning_rate", "momentum_optimizer_value"), _HERE),
    "AdamOptimizer": dict.fromkeys(("learning_rate", "epsilon"), _HERE),
    "LearningRate": dict.fromkeys(
        (
            "constant_learning_rate",
            "exponential_decay_learning_rate",
            "manual_step_learning_rate",
            "cosine_decay_learning_rate",
        ),
        _HERE,
    ),
    "ConstantLearningRate": {"learning_rate": _HERE},
    "ExponentialDecayLearningRate": {
        "initial_learning_rate": _HERE,
        "decay_steps": _HERE,
        "decay_factor": _HERE,
        "staircase": _HERE,
        "burnin_learning_rate": _nearly("a linear warm-up from it instead of a step; 0 holds the initial rate"),
        "burnin_steps": _HERE,
        "min_learning_rate": _yes(only=(0.0,)),
    },
    "ManualStepLearningRate": {
        "initial_learning_rate": _HERE,
        "schedule": _HERE,
        "warmup": _yes(only=(False,)),
    },
    "LearningRateSchedule": {"step": _HERE, "learning_rate": _HERE},
    "CosineDecayLearningRate": {
        "learning_rate_base": _HERE,
        "total_steps": _HERE,
        "warmup_learning_rate": _HERE,
        "warmup_steps": _HERE,
        "hold_base_rate_steps": _nearly(
            "the cosine's start is as good as flat over a plateau far shorter than the run", exact=(0,)
        ),
    },
    "PreprocessingStep": {
        "random_horizontal_flip": _HERE,
        "ssd_random_crop": _HERE,
        "ssd_random_crop_fixed_aspect_ratio": _nearly("as ssd_random_crop: the shape of the crop varies"),
        "random_crop_image": _HERE,
        **dict.fromkeys(
            (
                "random_adjust_brightness",
                "random_adjust_contrast",
                "random_adjust_hue",
                "random_adjust_saturation",
                "random_distort_color",
            ),
            _nearly("brightness, contrast, saturation and hue change together (augmentation.color)"),
        ),
        **dict.fromkeys(
            (
                "normalize_image",
                "random_pixel_value_scale",
                "random_image_scale",
                "random_rgb_to_gray",
                "random_jitter_boxes",
                "random_pad_image",
                "random_crop_pad_image",
                "random_crop_to_aspect_ratio",
                "random_black_patches",
                "random_resize_method",
                "scale_boxes_to_pixel_coordinates",
                "resize_image",
                "subtract_channel_mean",
                "ssd_random_crop_pad",
                "ssd_random_crop_pad_fixed_aspect_ratio",
                "random_vertical_flip",
                "random_rotation90",
                "rgb_to_gray",
                "convert_class_logits_to_softmax",
                "random_absolute_pad_image",
                "random_self_concat_image",
                "autoaugment_image",
                "drop_label_probabilistically",
                "remap_labels",
                "random_jpeg_quality",
                "random_downscale_to_target_pixels",
                "random_patch_gaussian",
                "random_square_crop_by_scale",
                "random_scale_crop_and_pad_to_square",
                "adjust_gamma",
            ),
            _UNSUPPORTED,
        ),
    },
    "RandomHorizontalFlip": {
        "keypoint_flip_permutation": _no("there are no keypoints"),
        "probability": _HERE,
    },
    "SsdRandomCrop": {
        "operations": FieldNote(Fate.UNSUPPORTED, "the seven cases of the paper are built in; remove it"),
    },
    "SsdRandomCropFixedAspectRatio": {
        "operations": FieldNote(Fate.UNSUPPORTED, "the seven cases of the paper are built in; remove it"),
        "aspect_ratio": _no("the shape of the crop varies"),
    },
    "RandomCropImage": {
        **dict.fromkeys(
            (
                "min_object_covered",
                "min_aspect_ratio",
                "max_aspect_ratio",
                "min_area",
                "max_area",
                "overlap_thresh",
                "random_coef",
            ),
            _HERE,
        ),
        "clip_boxes": _yes(only=(True,)),
    },
    "RandomAdjustBrightness": {"max_delta": _nearly(_STRENGTH)},
    "RandomAdjustContrast": {"min_delta": _nearly(_STRENGTH), "max_delta": _nearly(_STRENGTH)},
    "RandomAdjustHue": {"max_delta": _nearly(_STRENGTH)},
    "RandomAdjustSaturation": {"min_delta": _nearly(_STRENGTH), "max_delta": _nearly(_STRENGTH)},
    "RandomDistortColor": {"color_ordering": _nearly(_STRENGTH)},
    "InputReader": {
        "name": _no("a name for logs"),
        "label_map_path": _yes("relative paths start at the config"),
        "shuffle": _no("training pictures are shuffled, verification pictures are not"),
        "shuffle_buffer_size": _HERE,
        "filenames_shuffle_buffer_size": _QUEUES,
        "queue_capacity": _QUEUES,
        "min_after_dequeue": _QUEUES,
        "num_epochs": _no("training goes by steps, an evaluation reads each picture once"),
        "num_readers": _QUEUES,
        "num_parallel_batches": _QUEUES,
        "num_prefetch_batches": _QUEUES,
        "prefetch_size": _QUEUES,
        "read_block_length": _QUEUES,
        "sample_1_of_n_examples": _HERE,
        "drop_remainder": _no("true in training, false in evaluation, so that no verification picture is lost"),
        "include_source_id": _IDS,
        "load_instance_masks": _MASKS,
        "load_multiclass_scores": _MASKS,
        "use_display_name": _no("classes go by the name of the label map"),
        "expand_labels_hierarchy": _yes(only=(False,)),
        "num_additional_channels": _MASKS,
        "sample_from_datasets_weights": _UNSUPPORTED,
        "tf_record_input_reader": _HERE,
        "external_input_reader": _UNSUPPORTED,
    },
    "TFRecordInputReader": {
        "input_path": _yes("several lines, [lists], globs, and commas or semicolons between paths")
    },
    "ExternalInputReader": {},
    "EvalConfig": {
        "batch_size": _no("the figures do not depend on it; verification pictures go in training's batch size"),
        "num_visualizations": _DRAWING,
        "num_examples": _yes("an upper bound: no picture is evaluated twice"),
        "eval_interval_secs": _no("a run evaluates every validation_interval steps; `eval --follow` each checkpoint"),
        "max_evals": _no("a run evaluates until it ends"),
        "save_graph": _no("there is no graph file in TensorFlow 2; see `tagbox export`"),
        "visualization_export_dir": _DRAWING,
        "eval_master": _JOBS,
        "metrics_set": _nearly("COCO's figures and Pascal's AP at IoU 0.5 are given whatever stands here"),
        "export_path": _no("results.json in the run folder has the figures"),
        "ignore_groundtruth": _yes(only=(False,)),
        "use_moving_averages": _HERE,
        "eval_instance_masks": _MASKS,
        "min_score_threshold": _DRAWING,
        "max_num_boxes_to_visualize": _DRAWING,
        "skip_scores": _DRAWING,
        "skip_labels": _DRAWING,
        "visualize_groundtruth_boxes": _DRAWING,
        "groundtruth_box_visualization_color": _DRAWING,
        "keep_image_id_for_visualization_export": _DRAWING,
        "retain_original_images": _DRAWING,
        "include_metrics_per_category": _no("figures of each class are always given"),
        "all_metrics_per_category": _no("figures of each class are always given"),
        "recall_lower_bound": _no("counts for one of the Open Images figures only"),
        "recall_upper_bound": _no("counts for one of the Open Images figures only"),
        "image_classes_field_map_empty_to_ones": _no("counts for Open Images figures only"),
        "force_no_resize": _yes(only=(False,)),
    },
    "GraphRewriter": {"quantization": _UNSUPPORTED},
    "Quantization": dict.fromkeys(("delay", "weight_bits", "activation_bits", "symmetric"), _UNSUPPORTED),
}


def note_of(message: str, field: str) -> FieldNote:
    """Return the fate of a field; whatever stands in a message that tagbox cannot honour is unsupported as well."""
    return NOTES.get(message, {}).get(field, _UNSUPPORTED)

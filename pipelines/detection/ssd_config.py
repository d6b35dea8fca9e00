"""What an SSD experiment can be told, as TFM config dataclasses; the YAML files name these fields."""

import dataclasses
from dataclasses import field

from official.core import config_definitions as tfm
from official.modeling import hyperparams

from pipelines.detection.augmentation_config import SSDAugmentation


@dataclasses.dataclass
class SSDBackbone(hyperparams.Config):
    """TFM's MobileNet under the detector.

    Attributes:
        model_id: Name in TFM's MobileNet family: ``MobileNetV1``, ``MobileNetV2``, ``MobileNetV3Large`` or
            ``MobileNetV3Small``; those of v3 with the halved last blocks of the OD API.
        depth_multiplier: Scales the number of channels of every layer, also of the extra layers, above 0.
        freeze: Keep the weights of the whole backbone as they were loaded.
        freeze_blocks: Keep those of its first blocks, the stem counted: v1 has 14, v2 19, v3 17 or (small) 13.
        init_stddev: Standard deviation of the truncated normal that its kernels are drawn from; 0.09 is slim's.
    """

    model_id: str = "MobileNetV1"
    depth_multiplier: float = 1.0
    freeze: bool = False
    freeze_blocks: int = 0
    init_stddev: float = 0.09


@dataclasses.dataclass
class SSDBatchNorm(hyperparams.Config):
    """Batch normalisation of backbone and extra layers.

    Attributes:
        momentum: Decay of the moving statistics. The OD API's 0.9997 needs thousands of steps before an evaluation
            means anything; 0.97 suits short runs.
        epsilon: Added to the variance.
        freeze: Use the loaded statistics and leave them alone.
    """

    momentum: float = 0.97
    epsilon: float = 0.001
    freeze: bool = False


@dataclasses.dataclass
class SSDAnchors(hyperparams.Config):
    """The anchor boxes; see `box_specs` and `multiscale_anchors` of `pipelines.detection.anchors` for each field.

    Attributes:
        generator: ``ssd``, scales spread evenly over the maps, or ``multiscale``, the RetinaNet's, for a pyramid.
        anchor_scale: Of ``multiscale``: side of the smallest box, in strides of its map.
        scales_per_octave: Of ``multiscale``: sizes between one map and the next.
    """

    generator: str = "ssd"
    min_scale: float = 0.2
    max_scale: float = 0.95
    aspect_ratios: list[float] = field(default_factory=lambda: [1.0, 2.0, 0.5, 3.0, 0.3333])
    interpolated_scale_aspect_ratio: float = 1.0
    reduce_boxes_in_lowest_layer: bool = True
    interpolated_box_second: bool = False
    anchor_scale: float = 4.0
    scales_per_octave: int = 2


@dataclasses.dataclass
class SSDHead(hyperparams.Config):
    """Extra layers and box predictors.

    Attributes:
        num_layers: Number of feature maps: two from the backbone, the rest from extra layers. A pyramid has its levels.
        min_depth: No layer, of the backbone or after it, gets fewer channels.
        kernel_size: Side of the predictor's convolutions, 1 or 3.
        separable_layers: Extra layers with a depthwise 3x3 and a 1x1 in place of each 3x3 (SSDLite).
        separable_predictors: The same for the predictors, with ``kernel_size`` as the side of the depthwise part.
        pad_layers_to_even: Extra layers give their stride-2 convolution a map of even size, with zeros at the bottom
            and right, as the OD API did before November 2017.
        class_prediction_bias_init: Initial bias of the class predictor; -4.6 suits the focal loss.
        init_stddev: Standard deviation of the truncated normal that new kernels are drawn from.
    """

    num_layers: int = 6
    min_depth: int = 16
    kernel_size: int = 1
    separable_layers: bool = False
    separable_predictors: bool = False
    pad_layers_to_even: bool = False
    class_prediction_bias_init: float = 0.0
    init_stddev: float = 0.03


@dataclasses.dataclass
class SSDPyramid(hyperparams.Config):
    """A feature pyramid in place of the extra layers, with one predictor for all its levels.

    Attributes:
        enabled: Use it.
        min_level: Finest map, stride 2 to the power of it, 2 to 5.
        max_level: Coarsest map; levels above 5 come from stride-2 convolutions.
        depth: Channels of the pyramid, before the depth multiplier.
        separable: Depthwise separable 3x3 convolutions in the pyramid (FPNLite).
        descend_smoothed: A finer level gets the smoothed map from above, as in the OD API under TensorFlow 2; false
            gives it the sum before smoothing, as under TensorFlow 1 (weights of 2018) and in the paper.
        predictor_layers: Convolutions before the predictor; weights shared by the levels, batch norm a level.
        predictor_depth: Channels of those.
        predictor_separable: Depthwise separable convolutions in the predictor.
        shared_tower: One tower of ``predictor_layers`` for boxes and classes; false gives each its own.
    """

    enabled: bool = False
    min_level: int = 3
    max_level: int = 7
    depth: int = 256
    separable: bool = False
    descend_smoothed: bool = True
    predictor_layers: int = 4
    predictor_depth: int = 256
    predictor_separable: bool = False
    shared_tower: bool = False


@dataclasses.dataclass
class SSDDetections(hyperparams.Config):
    """Post-processing: per-class non-maximum suppression.

    Attributes:
        score_threshold: Detections must score above this.
        iou_threshold: Of two detections of a class that overlap by more, the weaker goes.
        max_per_class: Limit a class.
        max_total: Limit a picture.
    """

    score_threshold: float = 1e-8
    iou_threshold: float = 0.6
    max_per_class: int = 100
    max_total: int = 100


@dataclasses.dataclass
class SSDModel(hyperparams.Config):
    """The network.

    Attributes:
        num_classes: Number of classes without background; 0 takes it from the label map.
        input_size: Height and width of the network's input in pixels.
        network: ``ssd``, what the other keys describe, or ``retinanet_mobile``, TFM's own.
    """

    network: str = "ssd"
    num_classes: int = 0
    input_size: list[int] = field(default_factory=lambda: [300, 300])
    backbone: SSDBackbone = field(default_factory=SSDBackbone)
    batch_norm: SSDBatchNorm = field(default_factory=SSDBatchNorm)
    anchors: SSDAnchors = field(default_factory=SSDAnchors)
    head: SSDHead = field(default_factory=SSDHead)
    fpn: SSDPyramid = field(default_factory=SSDPyramid)
    detections: SSDDetections = field(default_factory=SSDDetections)

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be built with, and say what it must be."""
        if len(self.input_size) != 2 or min(self.input_size) < 32:
            return "input_size", "must be a height and a width of at least 32 pixels, such as [300, 300]"
        return None


@dataclasses.dataclass
class SSDMiner(hyperparams.Config):
    """Hard-example mining; see `pipelines.detection.losses.mine_hard_examples`."""

    enabled: bool = True
    num_hard_examples: int = 3000
    iou_threshold: float = 0.99
    max_negatives_per_positive: float = 3.0
    min_negatives_per_image: int = 0


@dataclasses.dataclass
class SSDLosses(hyperparams.Config):
    """The loss.

    Attributes:
        classification: ``sigmoid`` (with the miner) or ``focal`` (set ``miner.enabled`` to false).
        l2_weight_decay: In slim's terms, the loss gets ``l2 * sum(w^2) / 2`` of every kernel.
        normalize_by_code_size: Divide the localisation loss by 4, as later OD API configs do.
        last_box_wins: Ties of the matcher as in 2017.
    """

    classification: str = "sigmoid"
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    classification_weight: float = 1.0
    localization_weight: float = 1.0
    huber_delta: float = 1.0
    normalize_by_code_size: bool = False
    background_as_zeros: bool = False
    matched_threshold: float = 0.5
    unmatched_threshold: float = 0.5
    last_box_wins: bool = False
    l2_weight_decay: float = 4e-5
    miner: SSDMiner = field(default_factory=SSDMiner)


@dataclasses.dataclass
class SSDData(tfm.DataConfig):
    """Records to read. ``input_path``: one path or several, globs allowed; empty takes them from ``--records``.

    Attributes:
        max_boxes: Boxes a picture can have; more are left out of training, never out of evaluation.
        max_examples: Evaluate on so many pictures at most; 0 takes all.
        sample_1_of_n: Evaluate on each n-th picture; counted before ``max_examples``.
    """

    is_training: bool = True
    global_batch_size: int = 8
    drop_remainder: bool = True
    shuffle_buffer_size: int = 1000
    max_boxes: int = 100
    max_examples: int = 0
    sample_1_of_n: int = 1
    seed: int | None = 0
    augmentation: SSDAugmentation = field(default_factory=SSDAugmentation)


@dataclasses.dataclass
class VariableMultiplier(hyperparams.Config):
    """A factor for some variables.

    Attributes:
        pattern: Regular expression that is looked for in their names.
        multiplier: The factor, 0 or more.
    """

    pattern: str = ""
    multiplier: float = 1.0


@dataclasses.dataclass
class SSDTask(tfm.TaskConfig):
    """One detector to train.

    Attributes:
        label_map: Path of the label map; empty takes ``label_map.pbtxt`` beside the records.
        init_checkpoint: Weights to start from; see `pipelines.checkpoints.load_weights` for what it can be.
        init_checkpoint_type: How much of them is taken: ``backbone``, ``feature_extractor`` (all but the predictors),
            ``detector``, or ``auto``: as much as they have.
        init_label_map: Label map of the classes they were trained on; empty takes one that lies with them, or COCO's
            for 90 classes. The class predictor is taken over by class name.
        freeze: Regular expressions; variables with a name that one is found in stay as they were loaded. See
            `pipelines.detection.trained_variables` for the names.
        learning_rate_multipliers: Some variables' share of the learning rate: the optimizer's step, clipped as ever, is
            multiplied.
        gradient_multipliers: Factors of gradients, before they are clipped.
    """

    model: SSDModel = field(default_factory=SSDModel)
    losses: SSDLosses = field(default_factory=SSDLosses)
    train_data: SSDData = field(default_factory=SSDData)
    validation_data: SSDData = field(
        default_factory=lambda: SSDData(is_training=False, drop_remainder=False, augmentation=SSDAugmentation(flip=0))
    )
    label_map: str = ""
    init_checkpoint: str = ""
    init_checkpoint_type: str = "auto"
    init_label_map: str = ""
    freeze: list[str] = field(default_factory=list)
    learning_rate_multipliers: list[VariableMultiplier] = field(default_factory=list)
    gradient_multipliers: list[VariableMultiplier] = field(default_factory=list)

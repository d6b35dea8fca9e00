"""What a classifier can be told, as TFM config dataclasses; the YAML files name these fields."""

import dataclasses
from dataclasses import field

from official.core import config_definitions as tfm
from official.modeling import hyperparams

from pipelines.classification.network_config import NetworkConfig
from pipelines.classification.networks.cnn import CNN
from pipelines.classification.networks.inception_resnet import InceptionResNet
from pipelines.classification.networks.mnist_convnet import MnistConvnet
from pipelines.classification.networks.mobilenet import Mobilenet


@dataclasses.dataclass
class Network(hyperparams.OneOfConfig):
    """The networks there are: ``type`` names the one that is built, the key of that name has its parameters.

    One line a network; `pipelines.classification.experiments` registers an experiment for each.
    """

    type: str = "cnn"
    cnn: CNN = field(default_factory=CNN)
    inception_resnet: InceptionResNet = field(default_factory=InceptionResNet)
    mnist_convnet: MnistConvnet = field(default_factory=MnistConvnet)
    mobilenet: Mobilenet = field(default_factory=Mobilenet)

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """Return what ``type`` can be."""
        return tuple(one.name for one in dataclasses.fields(cls) if one.name != "type")

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be built with, and say what it must be."""
        known = self.types()
        return None if self.type in known else ("type", f"must be one of {', '.join(known)}")

    def chosen(self) -> NetworkConfig:
        """Return the parameters of the network that is built."""
        network: NetworkConfig = self.get()
        return network


@dataclasses.dataclass
class ClassifierModel(hyperparams.Config):
    """The classifier: a network behind an input of one size, with an output for each class.

    Attributes:
        num_classes: Number of classes; 0 takes it from the label map. Output k is the k-th class of the label map in
            the order of ids; the names stand in the checkpoints too.
        input_size: Height and width of the input, px; pictures are resized to it. A network that has a size of its own
            sets it where the config does not.
        channels: 1 (grey) or 3 (red, green, blue).
        network: Which network.
    """

    num_classes: int = 0
    input_size: list[int] = field(default_factory=lambda: [28, 28])
    channels: int = 1
    network: Network = field(default_factory=Network)

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be built with, and say what it must be."""
        if len(self.input_size) != 2 or min(self.input_size) < 4:
            return "input_size", "must be a height and a width of at least 4 pixels, such as [28, 28]"
        return None if self.channels in (1, 3) else ("channels", "must be 1 (grey) or 3 (colours)")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width = self.input_size
        return height, width, self.channels


@dataclasses.dataclass
class ClassifierAugmentation(hyperparams.Config):
    """How training pictures are varied, each on its own and differently in each epoch; 0 leaves a variation out.

    Attributes:
        shift: Moved by up to this share of the side, each way.
        rotation: Turned by up to so many degrees, each way.
        scale: Made larger or smaller by up to this share.
        stretch: Width against height changed by up to this share.
        flip: Chance of a mirror image.
        cutout: Chance that a square is blanked out.
        cutout_size: Its side, as a share of the side of the picture.
        crop: A margin of this share is cut away, more at one side than at the other; for photographs, which have no
            paper around them.
        zoom: Shown larger by up to this share, any part of it.
        brightness: Made lighter or darker by up to this share.
        stroke_dropout: Chance that a stroke is left out, where the records have strokes one by one; one always stays.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    flip: float = 0.0
    cutout: float = 0.0
    cutout_size: float = 0.25
    crop: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    stroke_dropout: float = 0.0

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be trained with, and say what it must be."""
        for name in ("shift", "flip", "cutout", "cutout_size", "crop", "brightness", "stroke_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                return name, "must be between 0 and 1"
        for name in ("scale", "stretch", "zoom"):
            if not 0 <= getattr(self, name) <= 3:
                return name, "must be between 0 and 3"
        return None if 0 <= self.rotation <= 180 else ("rotation", "must be between 0 and 180 degrees")


@dataclasses.dataclass
class ClassifierData(tfm.DataConfig):
    """One split of the data.

    Attributes:
        shuffle_buffer_size: How many examples are held to draw the next one from; they are held as bytes of the
            record, about 1 kB a drawing.
        max_examples: Evaluate on so many pictures at most; 0 takes all.
        sample_1_of_n: Evaluate on each n-th picture; counted before ``max_examples``.
        seed: Another seed, other batches; ``null`` draws one and keeps it in the run.
    """

    is_training: bool = True
    global_batch_size: int = 128
    drop_remainder: bool = True
    shuffle_buffer_size: int = 10_000
    max_examples: int = 0
    sample_1_of_n: int = 1
    seed: int | None = 0
    augmentation: ClassifierAugmentation = field(default_factory=ClassifierAugmentation)


@dataclasses.dataclass
class ClassifierLosses(hyperparams.Config):
    """The loss.

    Attributes:
        label_smoothing: Share of the truth that is spread over all classes, 0 to below 1.
        l2_weight_decay: Times half the sum of the squared kernels; biases and batch normalisation are left out.
    """

    label_smoothing: float = 0.0
    l2_weight_decay: float = 0.0

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be trained with, and say what it must be."""
        return None if 0 <= self.label_smoothing < 1 else ("label_smoothing", "must be 0 or more and below 1")


@dataclasses.dataclass
class ClassifierTask(tfm.TaskConfig):
    """One classifier to train.

    Attributes:
        label_map: Path of the label map; empty takes ``label_map.pbtxt`` beside the records.
        init_checkpoint: A run of the same network to start from; its outputs are taken over by class name.
    """

    model: ClassifierModel = field(default_factory=ClassifierModel)
    losses: ClassifierLosses = field(default_factory=ClassifierLosses)
    train_data: ClassifierData = field(default_factory=ClassifierData)
    validation_data: ClassifierData = field(
        default_factory=lambda: ClassifierData(is_training=False, drop_remainder=False, global_batch_size=256)
    )
    label_map: str = ""
    init_checkpoint: str = ""

"""What can be done to training pictures, as config dataclasses; the YAML files name these fields."""

import dataclasses
from dataclasses import field

from official.modeling import hyperparams


@dataclasses.dataclass
class SSDRandomCrop(hyperparams.Config):
    """The OD API's ``random_crop_image``, with its defaults.

    Attributes:
        enabled: Use it.
        probability: That a picture is cropped at all.
        min_object_covered: Share of at least one object that the crop must cover.
        min_aspect_ratio: Least width of the crop for its height.
        max_aspect_ratio: Largest width for its height.
        min_area: Least share of the picture's area.
        max_area: Largest share.
        min_overlap: A box stays when this share of its area lies inside the crop.
    """

    enabled: bool = False
    probability: float = 1.0
    min_object_covered: float = 1.0
    min_aspect_ratio: float = 0.75
    max_aspect_ratio: float = 1.33
    min_area: float = 0.1
    max_area: float = 1.0
    min_overlap: float = 0.3


@dataclasses.dataclass
class SSDMosaic(hyperparams.Config):
    """Four pictures in one: the picture itself, and three that stand near it in the order of the examples.

    Attributes:
        probability: That a picture becomes a mosaic.
        min_overlap: A box stays when this share of its area lies inside its part of the mosaic.
    """

    probability: float = 0.0
    min_overlap: float = 0.3


@dataclasses.dataclass
class SSDCopyPaste(hyperparams.Config):
    """Objects of other training pictures, cut out as boxes, pasted onto a picture.

    Attributes:
        probability: That anything is pasted onto a picture.
        max_objects: Most objects on one picture.
        min_visible: A box stays when at least this share of its area is not pasted over.
        feather: Width of the soft edge around a pasted box, as a share of its side; 0 is a hard edge.
        max_size: Longer side of a pasted object, as a share of the picture's.
        classes: Ids of the classes whose objects are pasted; empty for all, each as often as the others.
        pool_size: Objects that are kept in memory to draw from.
    """

    probability: float = 0.0
    max_objects: int = 2
    min_visible: float = 0.5
    feather: float = 0.1
    max_size: float = 0.5
    classes: list[int] = field(default_factory=list)
    pool_size: int = 500


@dataclasses.dataclass
class SSDColorJitter(hyperparams.Config):
    """How far colours change, each by itself.

    Attributes:
        brightness: Added to every pixel, up or down, at most; 1 is the way from black to white.
        contrast: Least and largest factor of the distance from the mean colour.
        saturation: Least and largest factor of the distance from grey.
        hue: Turn on the circle of colours, either way, at most; 0.5 is half of it.
    """

    brightness: float = 0.0
    contrast: list[float] = field(default_factory=lambda: [1.0, 1.0])
    saturation: list[float] = field(default_factory=lambda: [1.0, 1.0])
    hue: float = 0.0


@dataclasses.dataclass
class SSDAugmentation(hyperparams.Config):
    """Random changes of training pictures.

    Attributes:
        flip: Probability of a mirror image.
        flip_vertical: Probability of standing on its head.
        rotate: Probability of a quarter turn to the left.
        zoom_out: Probability of putting the picture into a larger grey one.
        zoom_out_max: Largest ratio of the new side to the old.
        ssd_crop: The SSD paper's random crop with the OD API's seven cases.
        ssd_crop_cases: In place of the paper's seven cases of it; each with limits of its own, as likely as the others.
        crop: One kind of crop, with its limits.
        color: Strength of brightness, contrast, saturation and hue jitter, 0 (off) to 1.
        jitter: The same, each with a range of its own; ``color`` adds to them.
        gray: Probability of a picture without colours.
        mosaic: Four pictures in one.
        copy_paste: Objects of other pictures on it.
        close_last: Share of the run's steps, its last ones, without mosaics and pasted objects, so that training ends
            on pictures like those that will be met.
    """

    flip: float = 0.5
    flip_vertical: float = 0.0
    rotate: float = 0.0
    zoom_out: float = 0.0
    zoom_out_max: float = 2.0
    ssd_crop: bool = True
    ssd_crop_cases: list[SSDRandomCrop] = field(default_factory=list)
    crop: SSDRandomCrop = field(default_factory=SSDRandomCrop)
    color: float = 0.0
    jitter: SSDColorJitter = field(default_factory=SSDColorJitter)
    gray: float = 0.0
    mosaic: SSDMosaic = field(default_factory=SSDMosaic)
    copy_paste: SSDCopyPaste = field(default_factory=SSDCopyPaste)
    close_last: float = 0.15

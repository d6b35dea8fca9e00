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
class SSDAugmentation(hyperparams.Config):
    """Random changes of training pictures.

    Attributes:
        flip: Probability of a mirror image.
        zoom_out: Probability of putting the picture into a larger grey one.
        zoom_out_max: Largest ratio of the new side to the old.
        ssd_crop: The SSD paper's random crop with the OD API's seven cases.
        crop: One kind of crop, with its limits.
        color: Strength of brightness, contrast, saturation and hue jitter, 0 (off) to 1.
        mosaic: Four pictures in one.
        close_last: Share of the run's steps, its last ones, without mosaics and pasted objects, so that training ends
            on pictures like those that will be met.
    """

    flip: float = 0.5
    zoom_out: float = 0.0
    zoom_out_max: float = 2.0
    ssd_crop: bool = True
    crop: SSDRandomCrop = field(default_factory=SSDRandomCrop)
    color: float = 0.0
    mosaic: SSDMosaic = field(default_factory=SSDMosaic)
    close_last: float = 0.15

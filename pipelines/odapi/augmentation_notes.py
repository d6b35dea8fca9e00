"""What becomes of each data_augmentation_option of a pipeline.config."""

from collections.abc import Mapping

from pipelines.odapi.field_fates import Fate, FieldNote, nearly, no, yes

_HERE = yes()
_CROP_LIMITS = (
    "min_object_covered", "min_aspect_ratio", "max_aspect_ratio", "min_area", "max_area", "overlap_thresh",
    "random_coef",
)  # fmt: skip

AUGMENTATION_NOTES: Mapping[str, Mapping[str, FieldNote]] = {
    "PreprocessingStep": {
        "random_horizontal_flip": _HERE,
        "ssd_random_crop": _HERE,
        "ssd_random_crop_fixed_aspect_ratio": nearly("as ssd_random_crop: the shape of the crop varies"),
        "random_crop_image": _HERE,
        "random_vertical_flip": _HERE,
        "random_rotation90": _HERE,
        "random_rgb_to_gray": yes("the picture's weights of red, green and blue are television's"),
        "rgb_to_gray": _HERE,
        "random_pad_image": nearly("both sides grow by the same ratio, up to 2 (augmentation.zoom_out)"),
        **dict.fromkeys(
            (
                "random_adjust_brightness",
                "random_adjust_contrast",
                "random_adjust_hue",
                "random_adjust_saturation",
                "random_distort_color",
            ),
            nearly("augmentation.jitter: always in the order brightness, contrast, saturation, hue, after the resize"),
        ),
        # Every other step is unsupported.
    },
    "RandomHorizontalFlip": {
        "keypoint_flip_permutation": no("there are no keypoints"),
        "probability": _HERE,
    },
    "RandomVerticalFlip": {"keypoint_flip_permutation": no("there are no keypoints"), "probability": _HERE},
    "RandomRotation90": {"keypoint_rot_permutation": no("there are no keypoints"), "probability": _HERE},
    "RandomRGBtoGray": {"probability": _HERE},
    "RgbToGray": {},
    "RandomPadImage": {
        **dict.fromkeys(
            ("min_image_height", "min_image_width", "max_image_height", "max_image_width"),
            FieldNote(Fate.UNSUPPORTED, "sizes in pixels are not known here; remove it"),
        ),
        "pad_color": no("the canvas is grey"),
    },
    "SsdRandomCrop": {
        "operations": yes("augmentation.ssd_crop_cases; limits left out are those of the paper"),
    },
    "SsdRandomCropOperation": dict.fromkeys(_CROP_LIMITS, _HERE) | {"clip_boxes": yes(only=(True,))},
    "SsdRandomCropFixedAspectRatioOperation": {
        **{limit: _HERE for limit in _CROP_LIMITS if "aspect" not in limit},
        "clip_boxes": yes(only=(True,)),
    },
    "SsdRandomCropFixedAspectRatio": {
        "operations": yes("augmentation.ssd_crop_cases; limits left out are those of the paper"),
        "aspect_ratio": no("the shape of the crop varies"),
    },
    "RandomCropImage": {
        **dict.fromkeys(_CROP_LIMITS, _HERE),
        "clip_boxes": yes(only=(True,)),
    },
    "RandomAdjustBrightness": {"max_delta": _HERE},
    "RandomAdjustContrast": {"min_delta": _HERE, "max_delta": _HERE},
    "RandomAdjustHue": {"max_delta": nearly("turned in the plane of equal brightness, not in HSV")},
    "RandomAdjustSaturation": {"min_delta": _HERE, "max_delta": _HERE},
    "RandomDistortColor": {"color_ordering": no("there is one order")},
}

"""A picture with its boxes, on its way through augmentation."""

from typing import Any, NamedTuple


class LabeledPicture(NamedTuple):
    """A picture uint8 ``(h, w, 3)`` with boxes ``(n, 4)``, normalised ``ymin xmin ymax xmax``, and classes ``(n,)``."""

    image: Any
    boxes: Any
    classes: Any

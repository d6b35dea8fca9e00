"""Anchor boxes of the SSD family, in the order of the TF Object Detection API.

Anchors run over feature maps, then rows (y), then columns (x), then the boxes of one location. They are normalised
``ymin xmin ymax xmax`` and are not clipped: a box at the border reaches outside the picture, as in the OD API.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# The smallest box of the first map is fixed in the OD API (create_ssd_anchors), whatever min_scale says.
_LOWEST_LAYER_SCALE = 0.1


def box_specs(
    num_layers: int,
    *,
    min_scale: float = 0.2,
    max_scale: float = 0.95,
    aspect_ratios: Sequence[float] = (1.0, 2.0, 0.5, 3.0, 0.3333),
    interpolated_scale_aspect_ratio: float = 1.0,
    reduce_boxes_in_lowest_layer: bool = True,
    interpolated_box_second: bool = False,
) -> list[list[tuple[float, float]]]:
    """Return the ``(scale, aspect ratio)`` pairs of every feature map, finest map first.

    Scales are spaced evenly from ``min_scale`` to ``max_scale``; one more box per location has the geometric mean
    of this map's scale and the next one's (1.0 after the last).

    Args:
        num_layers: Number of feature maps, at least 1.
        min_scale: Scale of the first map, as a share of the picture's side.
        max_scale: Scale of the last map.
        aspect_ratios: Width over height of the boxes at each location.
        interpolated_scale_aspect_ratio: Ratio of the interpolated box; 0 leaves it out.
        reduce_boxes_in_lowest_layer: Give the first map only three boxes (scales 0.1, min, min).
        interpolated_box_second: Put the interpolated box after the first one instead of last: the order of the
            OD API before November 2017.
    """
    step = (max_scale - min_scale) / (num_layers - 1) if num_layers > 1 else 0.0
    scales = [min_scale + step * layer for layer in range(num_layers)] + [1.0]
    layers: list[list[tuple[float, float]]] = []
    for layer in range(num_layers):
        scale, next_scale = scales[layer], scales[layer + 1]
        if layer == 0 and reduce_boxes_in_lowest_layer:
            layers.append([(_LOWEST_LAYER_SCALE, 1.0), (scale, 2.0), (scale, 0.5)])
            continue
        specs = [(scale, ratio) for ratio in aspect_ratios]
        if interpolated_scale_aspect_ratio > 0:
            interpolated = (float(np.sqrt(scale * next_scale)), interpolated_scale_aspect_ratio)
            specs.insert(1 if interpolated_box_second else len(specs), interpolated)
        layers.append(specs)
    return layers


def ssd_anchors(
    map_sizes: Sequence[tuple[int, int]],
    specs: Sequence[Sequence[tuple[float, float]]],
    *,
    image_height: int,
    image_width: int,
) -> FloatArray:
    """Lay the boxes of ``specs`` over the feature maps.

    Args:
        map_sizes: ``(height, width)`` of each feature map, finest first.
        specs: What `box_specs` gives for as many maps.
        image_height: Height of the network's input in pixels.
        image_width: Width of the network's input in pixels; on an input that is not square, boxes keep their shape
            in pixels.

    Returns:
        Shape ``(num_anchors, 4)``, float32, normalised ``ymin xmin ymax xmax``.
    """
    shorter = min(image_height, image_width)
    stretch_y, stretch_x = shorter / image_height, shorter / image_width
    maps = []
    for (rows, columns), layer in zip(map_sizes, specs, strict=True):
        scales = np.asarray([scale for scale, _ in layer], np.float32)
        root_ratios = np.sqrt(np.asarray([ratio for _, ratio in layer], np.float32))
        heights = scales / root_ratios * np.float32(stretch_y)
        widths = scales * root_ratios * np.float32(stretch_x)
        center_y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None, None]
        center_x = ((np.arange(columns, dtype=np.float32) + 0.5) / columns)[None, :, None]
        grid = np.broadcast_arrays(
            center_y - heights / 2, center_x - widths / 2, center_y + heights / 2, center_x + widths / 2
        )
        maps.append(np.stack(grid, axis=-1).reshape(-1, 4))
    anchors: FloatArray = np.concatenate(maps).astype(np.float32)
    return anchors


def multiscale_anchors(
    map_sizes: Sequence[tuple[int, int]],
    *,
    min_level: int,
    anchor_scale: float = 4.0,
    aspect_ratios: Sequence[float] = (1.0, 2.0, 0.5),
    scales_per_octave: int = 2,
    image_height: int,
    image_width: int,
) -> FloatArray:
    """Lay the RetinaNet's boxes over the maps of a feature pyramid, as the OD API's multiscale generator does.

    A map of level ``l`` has boxes of ``anchor_scale * 2**l`` pixels and of the sizes between that and the next level's;
    at each place, every ratio with all sizes. Centres stand in the middle of a cell where the picture's side divides by
    the stride, and at its corner otherwise.

    Args:
        map_sizes: ``(height, width)`` of each feature map, finest first.
        min_level: Level of the first; each map has twice the stride of the one before.
        anchor_scale: Side of the smallest box, in strides.
        aspect_ratios: Width over height.
        scales_per_octave: Number of sizes a map, at least 1.
        image_height: Height of the network's input in pixels.
        image_width: Width of the network's input in pixels.

    Returns:
        Shape ``(num_anchors, 4)``, float32, normalised ``ymin xmin ymax xmax``.
    """
    scales = np.asarray([2 ** (number / scales_per_octave) for number in range(scales_per_octave)], np.float32)
    root_ratios = np.sqrt(np.asarray(aspect_ratios, np.float32))[:, None]
    maps = []
    for level, (rows, columns) in enumerate(map_sizes, start=min_level):
        stride = np.float32(2**level)
        base = np.float32(2**level * anchor_scale)
        heights = (scales / root_ratios * base).reshape(-1)
        widths = (scales * root_ratios * base).reshape(-1)
        offset_y, offset_x = (stride / 2 if side % 2**level == 0 else 0 for side in (image_height, image_width))
        center_y = (np.arange(rows, dtype=np.float32) * stride + offset_y)[:, None, None]
        center_x = (np.arange(columns, dtype=np.float32) * stride + offset_x)[None, :, None]
        grid = np.broadcast_arrays(
            (center_y - heights / 2) / image_height,
            (center_x - widths / 2) / image_width,
            (center_y + heights / 2) / image_height,
            (center_x + widths / 2) / image_width,
        )
        maps.append(np.stack(grid, axis=-1).reshape(-1, 4))
    anchors: FloatArray = np.concatenate(maps).astype(np.float32)
    return anchors

"""Inception-ResNet for small drawings: the network of InceptionResNet_QuickDraw, at any width and depth.

Stem, blocks A, reduction, blocks B, reduction, blocks C, as in Szegedy et al. 2016 (arXiv 1602.07261), with that
project's choices: a stem for 85 by 85 pixels, ReLU after the last 1x1 of a block in place of ReLU after the sum, no
batch norm unless asked for.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import field
from typing import Any, TypeAlias

import tf_keras

from pipelines.classification.network_config import NetworkConfig

STEMS = ("plain", "residual")
BLOCKS_A = ("three_branches", "two_branches", "seven")
BLOCKS_B = ("seven", "three")

_WIDEST_SQUEEZE_A, _WIDEST_SQUEEZE_B = 192, 256

Tensor: TypeAlias = Any
Kernel: TypeAlias = int | tuple[int, int]


@dataclasses.dataclass
class InceptionResNet(NetworkConfig):
    """Inception-ResNet; the defaults are row E2_7 of the source project.

    Attributes:
        widths: Channels that the blocks A, B and C give, each more than the one before.
        depths: How often the blocks A, B and C are repeated, 0 or more each.
        branches: Channels of the convolutions inside the blocks A, B and C.
        reduction_a: Channels of the two convolutional branches between A and B; with those of A, which are pooled,
            they make those of B. Empty: shared out 2 to 1.
        reduction_b: The same for the three branches between B and C. Empty: shared out 3 to 2 to 2.
        stem: ``plain``, six convolutions without padding, or ``residual`` (the source's stem modification), a short
            padded branch added to a 1x1 shortcut.
        stem_stride: By how much the stem shrinks the picture, 2 or 4; the residual stem by 2.
        block_a: ``three_branches`` as published; ``two_branches`` without the branch of two 3x3 (A modification 1);
            ``seven`` with 1x7 and 7x1 in their place (A modification 2).
        block_b: ``seven``, 1x7 and 7x1 as published, or ``three``, 1x3 and 3x1 (B modification 1).
        residual_scales: What the blocks A, B and C multiply their branches by before they add them.
        dropout: Share of the pooled features that is blanked out in training, 0 or more and below 1. The paper keeps
            0.8, the source drops 0.8.
        batch_norm: Batch norm between convolution and ReLU, but for the last 1x1 of a block, as in the paper. The
            source has none.
        norm_momentum: Decay of its moving statistics.
        norm_epsilon: Added to its variance.
    """

    widths: list[int] = field(default_factory=lambda: [64, 256, 480])
    depths: list[int] = field(default_factory=lambda: [5, 10, 5])
    branches: list[int] = field(default_factory=lambda: [32, 128, 192])
    reduction_a: list[int] = field(default_factory=list)
    reduction_b: list[int] = field(default_factory=list)
    stem: str = "plain"
    stem_stride: int = 2
    block_a: str = "three_branches"
    block_b: str = "seven"
    residual_scales: list[float] = field(default_factory=lambda: [0.17, 0.1, 0.1])
    dropout: float = 0.8
    batch_norm: bool = False
    norm_momentum: float = 0.99
    norm_epsilon: float = 0.001

    def build(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        """Build the network; see `NetworkConfig.build`. Layers are named ``stage/block/branch/convolution``."""
        smallest = self.smallest_side()
        height, width, _ = input_shape
        if min(height, width) < smallest:
            raise ValueError(f"Inception-ResNet needs pictures of {smallest} px a side or more, not {height}x{width}")
        return _Builder(self).model(input_shape, num_classes)

    def impossible(self) -> tuple[str, str] | None:
        """Return the first key whose value nothing can be built with; see `NetworkConfig.impossible`."""
        widths, depths, scales = list(self.widths), list(self.depths), list(self.residual_scales)
        if len(widths) != 3 or widths[0] < 1 or min(widths[1] - widths[0], widths[2] - widths[1]) < 5:
            return "widths", "must be three numbers of channels, each larger than the one before by 5 or more"
        if len(depths) != 3 or min(depths) < 0:
            return "depths", "must be three numbers of blocks, 0 or more"
        if len(self.branches) != 3 or min(self.branches) < 1:
            return "branches", "must be three numbers of channels"
        if len(scales) != 3 or min(scales) <= 0:
            return "residual_scales", "must be three numbers above 0"
        for key, num, missing in (("reduction_a", 2, widths[1] - widths[0]), ("reduction_b", 3, widths[2] - widths[1])):
            branches = list(getattr(self, key))
            if branches and (len(branches) != num or min(branches) < 1 or sum(branches) != missing):
                return key, f"must be empty or {num} numbers that add up to {missing}, what the next width has more"
        for key, known in (("stem", STEMS), ("block_a", BLOCKS_A), ("block_b", BLOCKS_B)):
            if getattr(self, key) not in known:
                return key, f"must be one of {', '.join(known)}"
        strides = (2, 4) if self.stem == "plain" else (2,)
        if self.stem_stride not in strides:
            return "stem_stride", f"must be {' or '.join(map(str, strides))} with the {self.stem} stem"
        if not 0 <= self.dropout < 1:
            return "dropout", "must be 0 or more and below 1"
        if not 0 < self.norm_momentum < 1:
            return "norm_momentum", "must be above 0 and below 1"
        if self.norm_epsilon <= 0:
            return "norm_epsilon", "must be above 0"
        return None

    def smallest_side(self) -> int:
        """Return the smallest picture, px a side, from which a pixel is left for the blocks C."""
        # Backwards: a 3x3 without padding takes 2 px, with stride 2 it leaves (side - 1) // 2, as each reduction does.
        needed = 2 * (2 * 1 + 1) + 1
        if self.stem == "residual":
            return 2 * needed - 1
        needed += 2
        needed = 2 * needed + 1 if self.stem_stride == 4 else needed + 2
        return 2 * needed + 1 + 4

    def reduction_branches(self) -> tuple[list[int], list[int]]:
        """Return the channels of the branches of both reductions."""
        more_a, more_b = self.widths[1] - self.widths[0], self.widths[2] - self.widths[1]
        second, each = more_a // 3, more_b * 2 // 7
        return (
            list(self.reduction_a) or [more_a - second, second],
            list(self.reduction_b) or [more_b - 2 * each, each, each],
        )


class _Builder:
    """Builds one network; the methods take a map and return the next, shape ``(b, height, width, channels)``."""

    def __init__(self, config: InceptionResNet) -> None:
        self._config = config

    def model(self, input_shape: tuple[int, int, int], num_classes: int) -> tf_keras.Model:
        config = self._config
        pictures = tf_keras.Input(input_shape, name="pictures")
        net = self._plain_stem(pictures) if config.stem == "plain" else self._residual_stem(pictures)
        reduction_a, reduction_b = config.reduction_branches()
        blocks = (self._branches_of_a, self._branches_of_b, self._branches_of_c)
        for place, (stage, branches_of) in enumerate(zip("abc", blocks, strict=True)):
            for number in range(1, config.depths[place] + 1):
                name = f"block_{stage}_{number}"
                net = self._residual(net, branches_of(net, name), config.residual_scales[place], name)
            if stage == "a":
                net = self._reduction_a(net, reduction_a)
            elif stage == "b":
                net = self._reduction_b(net, reduction_b)
        net = tf_keras.layers.GlobalAveragePooling2D(name="pooled")(net)
        net = tf_keras.layers.Dropout(config.dropout, name="dropout")(net)
        logits = tf_keras.layers.Dense(num_classes, dtype="float32", name="logits")(net)
        return tf_keras.Model(pictures, logits, name="inception_resnet")

    def _conv(
        self,
        net: Tensor,
        channels: int,
        kernel: Kernel,
        name: str,
        *,
        stride: int = 1,
        padding: str = "same",
        norm: bool = True,
    ) -> Tensor:
        layers, config = tf_keras.layers, self._config
        has_norm = config.batch_norm and norm
        activation = None if has_norm else "relu"
        net = layers.Conv2D(channels, kernel, stride, padding, use_bias=False, activation=activation, name=name)(net)
        if not has_norm:
            return net
        net = layers.BatchNormalization(
            momentum=config.norm_momentum, epsilon=config.norm_epsilon, name=f"{name}/norm"
        )(net)
        return layers.ReLU(name=f"{name}/relu")(net)

    def _chain(self, net: Tensor, steps: Sequence[tuple[int, Kernel]], name: str, *, shrink: bool = False) -> Tensor:
        """Convolve several times; ``shrink`` gives the last one stride 2 and no padding."""
        for number, (channels, kernel) in enumerate(steps, start=1):
            last = shrink and number == len(steps)
            net = self._conv(
                net,
                channels,
                kernel,
                f"{name}/conv_{number}",
                stride=2 if last else 1,
                padding="valid" if last else "same",
            )
        return net

    def _plain_stem(self, net: Tensor) -> Tensor:
        width = self._config.widths[0]
        second_stride = self._config.stem_stride // 2
        steps = (
            (min(32, width), 3, 1),
            (min(32, width), 3, 1),
            (min(64, width), 3, 2),
            (min(80, width) if width > 64 else width, 1, 1),
            (min(192, width), 3, second_stride),
            (width, 3, 1),
        )
        for number, (channels, kernel, stride) in enumerate(steps, start=1):
            net = self._conv(net, channels, kernel, f"stem/conv_{number}", stride=stride, padding="valid")
        return net

    def _residual_stem(self, net: Tensor) -> Tensor:
        width = self._config.widths[0]
        shortcut = self._conv(net, width, 1, "stem/shortcut", stride=2, padding="valid")
        branch = self._chain(net, [(min(32, width), 1), (width, 3)], "stem")
        branch = self._conv(branch, width, 1, "stem/conv_3", stride=2, padding="valid")
        return tf_keras.layers.Add(name="stem/add")([shortcut, branch])

    def _residual(self, net: Tensor, branches: list[Tensor], scale: float, name: str) -> Tensor:
        joined = tf_keras.layers.Concatenate(name=f"{name}/joined")(branches)
        joined = self._conv(joined, net.shape[-1], 1, f"{name}/up", norm=False)
        joined = tf_keras.layers.Rescaling(scale, name=f"{name}/scaled")(joined)
        return tf_keras.layers.Add(name=f"{name}/add")([net, joined])

    def _branches_of_a(self, net: Tensor, name: str) -> list[Tensor]:
        channels = self._config.branches[0]
        branches = [
            self._chain(net, [(channels, 1)], f"{name}/branch_1"),
            self._chain(net, [(channels, 1), (channels, 3)], f"{name}/branch_2"),
        ]
        if self._config.block_a == "two_branches":
            return branches
        kernels: tuple[Kernel, Kernel] = (3, 3) if self._config.block_a == "three_branches" else ((1, 7), (7, 1))
        third = [(channels, kernel) for kernel in (1, *kernels)]
        return [*branches, self._chain(net, third, f"{name}/branch_3")]

    def _branches_of_b(self, net: Tensor, name: str) -> list[Tensor]:
        length = 7 if self._config.block_b == "seven" else 3
        return self._asymmetric_branches(net, self._config.branches[1], length, name)

    def _branches_of_c(self, net: Tensor, name: str) -> list[Tensor]:
        return self._asymmetric_branches(net, self._config.branches[2], 3, name)

    def _asymmetric_branches(self, net: Tensor, channels: int, length: int, name: str) -> list[Tensor]:
        return [
            self._chain(net, [(channels, 1)], f"{name}/branch_1"),
            self._chain(net, [(channels, 1), (channels, (1, length)), (channels, (length, 1))], f"{name}/branch_2"),
        ]

    def _reduction_a(self, net: Tensor, channels: Sequence[int]) -> Tensor:
        squeeze = min(_WIDEST_SQUEEZE_A, channels[1])
        branches = [
            self._chain(net, [(channels[0], 3)], "reduction_a/branch_1", shrink=True),
            self._chain(net, [(squeeze, 1), (squeeze, 3), (channels[1], 3)], "reduction_a/branch_2", shrink=True),
        ]
        return _joined_with_pooled(net, branches, "reduction_a")

    def _reduction_b(self, net: Tensor, channels: Sequence[int]) -> Tensor:
        squeezes = [min(_WIDEST_SQUEEZE_B, one) for one in channels]
        branches = [
            self._chain(net, [(squeezes[0], 1), (channels[0], 3)], "reduction_b/branch_1", shrink=True),
            self._chain(net, [(squeezes[1], 1), (channels[1], 3)], "reduction_b/branch_2", shrink=True),
            self._chain(
                net,
                [(squeezes[2], 1), (squeezes[2], 3), (channels[2], 3)],
                "reduction_b/branch_3",
                shrink=True,
            ),
        ]
        return _joined_with_pooled(net, branches, "reduction_b")


def _joined_with_pooled(net: Tensor, branches: list[Tensor], name: str) -> Tensor:
    pooled = tf_keras.layers.MaxPooling2D(3, 2, name=f"{name}/pool")(net)
    return tf_keras.layers.Concatenate(name=f"{name}/joined")([pooled, *branches])

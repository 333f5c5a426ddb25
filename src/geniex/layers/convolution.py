"""Convolutions on crossbars: unfolded into patches, each a row vector of a matrix product.

Every group is a matrix (channels of the group x kernel, outputs of the group). Groups have crossbars of their own, or,
where the hardware packs groups, share one as blocks on its diagonal, each on rows and columns of its own.
"""

import math
from abc import ABC
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geniex.functional import HardwareConfig, slices_per_weight
from geniex.layers.base import AnalogLayer
from geniex.layers.checks import check_channels, check_numbers, with_batch
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConv1d", "AnalogConv2d", "AnalogConv3d", "groups_per_crossbar"]

CHUNK_UNFOLDED = 2**22  # values of unfolded images held at once


class _Convolution(AnalogLayer, ABC):
    """A convolution over any number of dimensions."""

    dimensions: ClassVar[int]

    def __init__(self, conv: nn.Conv1d | nn.Conv2d | nn.Conv3d, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `conv` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = conv.weight, conv.bias
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding_mode = conv.padding_mode
        self.border = tuple(conv._reversed_padding_repeated_twice)  # of the last dimension first: before, behind
        rows = self.weight[0].numel()
        self.packed = groups_per_crossbar(rows, self.out_channels // self.groups, self.groups, config)
        self.train(conv.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Kernels flattened as patches are: channel, then kernel from its first dimension to its last."""
        groups = [group.flatten(1).mT for group in self.weight.chunk(self.groups)]
        packs = [groups[k : k + self.packed] for k in range(0, self.groups, self.packed)]
        return [pack[0] if len(pack) == 1 else torch.block_diag(*pack) for pack in packs]

    def forward(self, x: Tensor) -> Tensor:
        """As the digital layer."""
        check_channels(x, self.in_channels, self.dimensions)
        check_numbers(x)
        batch = with_batch(x, self.dimensions)
        padded = _pad(batch, self.border, self.padding_mode)
        unfolded = math.prod(self.kernel_size) * padded.shape[1:].numel() // math.prod(self.stride)
        y = _by_images(padded, CHUNK_UNFOLDED // max(1, unfolded), self._images)
        if self.bias is not None:
            y = y + self.bias.view(-1, *[1] * self.dimensions)
        return y if batch is x else y.squeeze(0)

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"groups={self.groups}, model={type(self.matmul.model).__name__}"
        )

    def _images(self, x: Tensor) -> Tensor:
        """Outputs of padded images (image, channel, *size)."""
        places = _places(x, self.kernel_size, self.stride, self.dilation)
        size, patches = places.shape[1 : 1 + self.dimensions], places.flatten(0, self.dimensions).flatten(1)
        packs = patches.split(self.packed * self.weight[0].numel(), dim=-1)
        products = [self.product(which, pack) for which, pack in enumerate(packs)]
        y = products[0] if len(products) == 1 else torch.cat(products, dim=-1)
        return y.view(len(x), *size, self.out_channels).movedim(-1, 1)


class AnalogConv1d(_Convolution):
    """`nn.Conv1d` on crossbars."""

    dimensions: ClassVar[int] = 1


class AnalogConv2d(_Convolution):
    """`nn.Conv2d` on crossbars."""

    dimensions: ClassVar[int] = 2


class AnalogConv3d(_Convolution):
    """`nn.Conv3d` on crossbars."""

    dimensions: ClassVar[int] = 3


def groups_per_crossbar(rows: int, outputs: int, groups: int, config: HardwareConfig) -> int:
    """How many groups of `rows` rows and `outputs` outputs share a crossbar: 1 where hardware does not pack them."""
    if not config.pack_groups or groups == 1:
        return 1
    used = config.cols - config.floor.reserved_cols
    return max(1, min(groups, config.rows // rows, used // (outputs * slices_per_weight(config))))


def _pad(x: Tensor, border: tuple[int, ...], mode: str) -> Tensor:
    if not any(border):
        return x
    return F.pad(x, border, mode="constant" if mode == "zeros" else mode)


def _places(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Tensor:
    """What the kernel sees at each place: (image, *place, channel, *kernel), a view."""
    for axis, (size, step, reach) in enumerate(zip(kernel, stride, dilation, strict=True), start=2):
        x = x.unfold(axis, reach * (size - 1) + 1, step)[..., ::reach]
    return x.movedim(1, 1 + len(kernel))


def _by_images(x: Tensor, at_once: int, function: Callable[[Tensor], Tensor]) -> Tensor:
    """`function` of some images at a time, to hold little at once."""
    parts = [function(part) for part in x.split(max(1, at_once))]
    return parts[0] if len(parts) == 1 else torch.cat(parts)

"""Convolutions on crossbars: unfolded into patches, each a row vector of a matrix product."""

import math
from abc import ABC
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer, Products
from geniex.layers.groups import block_diagonal, multiplied, packed
from geniex.layers.patches import Windows, chunks, gather, pixels, positions, with_batch
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConv1d", "AnalogConv2d", "AnalogConv3d"]


class _Convolution(AnalogLayer, ABC):
    """Of any dimension: every group is a matrix (in_channels / groups * kernel, out_channels / groups)."""

    sides: ClassVar[tuple[str, ...]]
    """Names of an image's dimensions."""

    def __init__(self, conv: nn.modules.conv._ConvNd, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `conv` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = conv.weight, conv.bias
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.padding_mode = conv.padding, conv.padding_mode
        self.border = tuple(conv._reversed_padding_repeated_twice)  # (left, right, top, bottom, ...)
        rows, cols = self.weight[0].numel(), self.out_channels // self.groups
        self.packing = packed(self.groups, rows, cols, config)
        self.train(conv.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Kernels flattened: channel, then the dimensions of the kernel."""
        return block_diagonal(self.weight.unflatten(0, (self.groups, -1)).flatten(2).mT, self.packing)

    def forward(self, x: Tensor) -> Tensor:
        """As the digital layer."""
        images = self._pad(with_batch(x, self.in_channels, self.sides))
        windows = Windows(self.kernel_size, self.stride, self.dilation)
        count, products = positions(images.shape[2:], windows), self.products()
        y = images.new_empty(len(images), self.out_channels, *count)
        for which, rows in chunks(len(images), count, self._values()):
            height = pixels((rows.stop - rows.start, *count[1:]), windows)[0]
            first = rows.start * self.stride[0]
            y[which, :, rows] = self._outputs(images[which, :, first : first + height], windows, products)
        return y if x.dim() == images.dim() else y.squeeze(0)

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"groups={self.groups}, model={type(self.matmul.model).__name__}"
        )

    def _pad(self, x: Tensor) -> Tensor:
        if not any(self.border):
            return x
        return F.pad(x, self.border, mode="constant" if self.padding_mode == "zeros" else self.padding_mode)

    def _values(self) -> int:
        """Values held per position: a patch as floats and integers, outputs in float64 and as floats."""
        return 2 * math.prod(self.kernel_size) * self.in_channels + 4 * self.out_channels

    def _outputs(self, x: Tensor, windows: Windows, products: Products) -> Tensor:
        """Outputs (image, channel, *position) of padded images."""
        rows = gather(x, windows).flatten(-1 - len(self.sides)).unflatten(-1, (self.groups, -1))
        y = multiplied(rows, self.packing, products)
        return (y if self.bias is None else y + self.bias).movedim(-1, 1)


class AnalogConv1d(_Convolution):
    """`nn.Conv1d` on crossbars."""

    sides = ("length",)


class AnalogConv2d(_Convolution):
    """`nn.Conv2d` on crossbars."""

    sides = ("height", "width")


class AnalogConv3d(_Convolution):
    """`nn.Conv3d` on crossbars."""

    sides = ("depth", "height", "width")

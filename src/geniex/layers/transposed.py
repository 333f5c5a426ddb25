"""Transposed convolutions on crossbars: products of each pixel with the kernel, overlaps added digitally."""

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer, Products
from geniex.layers.groups import block_diagonal, multiplied, packed
from geniex.layers.patches import Windows, chunks, overlap_add, pixels, with_batch
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConvTranspose1d", "AnalogConvTranspose2d", "AnalogConvTranspose3d"]


class _ConvolutionTransposed(AnalogLayer, ABC):
    """Of any dimension: every group is a matrix (in_channels / groups, out_channels / groups * kernel)."""

    sides: ClassVar[tuple[str, ...]]
    """Names of an image's dimensions."""

    def __init__(self, conv: nn.modules.conv._ConvTransposeNd, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `conv` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = conv.weight, conv.bias
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.output_padding = conv.output_padding
        assert isinstance(conv.padding, tuple)
        self.padding = conv.padding
        self.packing = packed(self.groups, self.in_channels // self.groups, self.weight[0].numel(), config)
        self.train(conv.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Input channels by output channels and, within each, points of the kernel."""
        return block_diagonal(self.weight.unflatten(0, (self.groups, -1)).flatten(2), self.packing)

    def forward(self, x: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """As the digital layer."""
        images = with_batch(x, self.in_channels, self.sides)
        if output_size is not None and len(output_size) == x.dim():
            output_size = output_size[-len(self.sides) :]
        size = self._size(images.shape[2:], output_size)
        ends = [before + side for before, side in zip(self.padding, size, strict=True)]
        y = self._added(images, ends)[(..., *map(slice, self.padding, ends))]
        y = y.contiguous() if self.bias is None else y + self.bias.view(-1, *[1] * len(self.sides))
        return y if x.dim() == images.dim() else y.squeeze(0)

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"groups={self.groups}, model={type(self.matmul.model).__name__}"
        )

    def _windows(self) -> Windows:
        return Windows(self.kernel_size, self.stride, self.dilation)

    def _size(self, size: Sequence[int], output_size: Sequence[int] | None) -> tuple[int, ...]:
        """Of an output: that of an input of `size`, and whatever part of a stride is asked for."""
        each = zip(pixels(size, self._windows()), self.padding, strict=True)
        least = tuple(reached - 2 * border for reached, border in each)
        if output_size is None:
            return tuple(map(sum, zip(least, self.output_padding, strict=True)))
        most = tuple(n + step - 1 for n, step in zip(least, self.stride, strict=True))
        fits = all(low <= n <= high for low, n, high in zip(least, output_size, most, strict=False))
        if len(output_size) != len(least) or not fits:
            raise ValueError(
                f"`output_size` must lie between {list(least)} and {list(most)} for inputs of size {list(size)}; "
                f"got {list(output_size)}."
            )
        return tuple(output_size)

    def _added(self, images: Tensor, ends: Sequence[int]) -> Tensor:
        """Outputs (image, channel, *pixel) with what padding cuts off, up to `ends` or beyond."""
        windows, products, size = self._windows(), self.products(), images.shape[2:]
        whole = map(max, ends, pixels(size, windows))
        y = images.new_zeros(len(images), self.out_channels, *whole)
        for which, rows in chunks(len(images), size, self._values()):
            part = overlap_add(self._columns(images[which, :, rows], products), windows)
            first, sides = rows.start * self.stride[0], part.shape[2:]
            here = (slice(first, first + sides[0]), *map(slice, sides[1:]))
            y[(which, slice(None), *here)] += part
        return y

    def _columns(self, x: Tensor, products: Products) -> Tensor:
        """Products (image, *position, channel, *kernel) of the pixels of images."""
        pixel = x.movedim(1, -1).unflatten(-1, (self.groups, -1))
        return multiplied(pixel, self.packing, products).unflatten(-1, (self.out_channels, *self.kernel_size))

    def _values(self) -> int:
        """Values held per pixel: its channels as floats and integers, products in float64 and as floats, overlaps."""
        return 2 * self.in_channels + 5 * self.groups * self.weight[0].numel()


class AnalogConvTranspose1d(_ConvolutionTransposed):
    """`nn.ConvTranspose1d` on crossbars."""

    sides = ("length",)


class AnalogConvTranspose2d(_ConvolutionTransposed):
    """`nn.ConvTranspose2d` on crossbars."""

    sides = ("height", "width")


class AnalogConvTranspose3d(_ConvolutionTransposed):
    """`nn.ConvTranspose3d` on crossbars."""

    sides = ("depth", "height", "width")

"""Transposed convolutions on crossbars: every input place times all kernels, then a digital sum over the overlaps."""

from abc import ABC
from collections.abc import Sequence
from itertools import product as every
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer
from geniex.layers.checks import check_channels, check_numbers, with_batch
from geniex.layers.convolution import groups_per_crossbar
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConvTranspose1d", "AnalogConvTranspose2d", "AnalogConvTranspose3d"]

CHUNK_OUTPUTS = 2**22  # products held at once, before they are summed


class _Transposed(AnalogLayer, ABC):
    """A transposed convolution over any number of dimensions."""

    dimensions: ClassVar[int]

    def __init__(
        self,
        conv: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d,
        model: CrossbarModel,
        config: HardwareConfig,
    ) -> None:
        """Put the weights of `conv` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = conv.weight, conv.bias
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.output_padding = tuple(map(int, conv.padding)), conv.output_padding
        rows, outputs = self.in_channels // self.groups, self.weight[0].numel()
        self.packed = groups_per_crossbar(rows, outputs, self.groups, config)
        self.train(conv.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """(channels, outputs x kernel) of each group, or of packed groups as blocks on the diagonal."""
        groups = [group.flatten(1) for group in self.weight.chunk(self.groups)]
        packs = [groups[k : k + self.packed] for k in range(0, self.groups, self.packed)]
        return [pack[0] if len(pack) == 1 else torch.block_diag(*pack) for pack in packs]

    def forward(self, x: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """As the digital layer.

        Raises:
            ValueError: if `x` has other channels, is not floating or not finite, or cannot make `output_size`.
        """
        check_channels(x, self.in_channels, self.dimensions)
        check_numbers(x)
        batch = with_batch(x, self.dimensions)
        beyond = self.output_padding if output_size is None else self._beyond(batch.shape[2:], output_size)
        places = batch.shape[2:].numel() * self.weight[0].numel() * self.groups
        parts = batch.split(max(1, CHUNK_OUTPUTS // max(1, places)))
        y = torch.cat([self._images(part, beyond) for part in parts])
        if self.bias is not None:
            y = y + self.bias.view(-1, *[1] * self.dimensions)
        return y if batch is x else y.squeeze(0)

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"groups={self.groups}, model={type(self.matmul.model).__name__}"
        )

    def _images(self, x: Tensor, beyond: Sequence[int]) -> Tensor:
        """Outputs of images (image, channel, *size)."""
        size, inputs = x.shape[2:], x.movedim(1, -1).flatten(0, -2)
        packs = inputs.split(self.packed * (self.in_channels // self.groups), dim=-1)
        y = torch.cat([self.product(which, pack) for which, pack in enumerate(packs)], dim=-1)
        y = y.view(len(x), *size, self.out_channels, *self.kernel_size).movedim(1 + self.dimensions, 1)
        return self._overlapped(y, size, beyond)

    def _overlapped(self, y: Tensor, size: Sequence[int], beyond: Sequence[int]) -> Tensor:
        """Sums (image, channel, *output size) of products (image, channel, *size, *kernel)."""
        axes = list(zip(size, self.stride, self.dilation, self.kernel_size, strict=True))
        whole = [
            (count - 1) * step + reach * (kernel - 1) + 1 + more
            for (count, step, reach, kernel), more in zip(axes, beyond, strict=True)
        ]
        total = y.new_zeros(*y.shape[:2], *whole)
        for place in every(*map(range, self.kernel_size)):
            here = [
                slice(at * reach, at * reach + (count - 1) * step + 1, step)
                for at, (count, step, reach, _) in zip(place, axes, strict=True)
            ]
            total[(..., *here)] += y[(..., *place)]
        inside = [slice(edge, length - edge) for edge, length in zip(self.padding, whole, strict=True)]
        return total[(..., *inside)]

    def _beyond(self, size: Sequence[int], output_size: Sequence[int]) -> list[int]:
        """Output padding that makes `output_size`."""
        wanted = list(output_size)[-self.dimensions :]
        least = [
            (count - 1) * step - 2 * edge + reach * (kernel - 1) + 1
            for count, step, edge, reach, kernel in zip(
                size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if len(output_size) not in (self.dimensions, self.dimensions + 2) or not all(
            low <= length <= high for low, length, high in zip(least, wanted, most, strict=True)
        ):
            raise ValueError(
                f"`output_size` must lie between {least} and {most} for inputs of size {list(size)}; "
                f"got {list(output_size)}."
            )
        return [length - low for low, length in zip(least, wanted, strict=True)]


class AnalogConvTranspose1d(_Transposed):
    """`nn.ConvTranspose1d` on crossbars."""

    dimensions: ClassVar[int] = 1


class AnalogConvTranspose2d(_Transposed):
    """`nn.ConvTranspose2d` on crossbars."""

    dimensions: ClassVar[int] = 2


class AnalogConvTranspose3d(_Transposed):
    """`nn.ConvTranspose3d` on crossbars."""

    dimensions: ClassVar[int] = 3

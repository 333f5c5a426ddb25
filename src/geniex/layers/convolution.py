"""Convolutions on crossbars: unfolded into patches, each a row vector of a matrix product."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConv2d"]

CHUNK_UNFOLDED = 2**23  # values of unfolded images held at once


class AnalogConv2d(AnalogLayer):
    """`nn.Conv2d` on crossbars: every group is a matrix (in_channels / groups * kernel, out_channels / groups)."""

    def __init__(self, conv: nn.Conv2d, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `conv` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = conv.weight, conv.bias
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding_mode = conv.padding_mode
        self.border = tuple(conv._reversed_padding_repeated_twice)  # (left, right, top, bottom)
        self.train(conv.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Kernels flattened as `unfold` orders patches: channel, kernel row, kernel column."""
        return [group.flatten(1).mT for group in self.weight.chunk(self.groups)]

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv2d`."""
        if x.dim() not in (3, 4) or x.shape[-3] != self.in_channels:
            raise ValueError(
                f"This layer takes (image, {self.in_channels}, height, width); got an input of shape {tuple(x.shape)}."
            )
        padded = self._pad(x if x.dim() == 4 else x.unsqueeze(0))
        unfolded = math.prod(self.kernel_size) * padded.shape[1:].numel() // math.prod(self.stride)
        at_once = max(1, CHUNK_UNFOLDED // max(1, unfolded))
        y = torch.cat([self._images(part) for part in padded.split(at_once)])
        y = y if self.bias is None else y + self.bias[:, None, None]
        return y if x.dim() == 4 else y.squeeze(0)

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

    def _images(self, x: Tensor) -> Tensor:
        """Outputs of padded images (image, channel, height, width)."""
        size = [
            (pixels - reach * (kernel - 1) - 1) // step + 1
            for pixels, kernel, step, reach in zip(
                x.shape[-2:], self.kernel_size, self.stride, self.dilation, strict=True
            )
        ]
        outputs = []
        for which, channels in enumerate(x.chunk(self.groups, dim=1)):
            patches = F.unfold(channels, self.kernel_size, dilation=self.dilation, stride=self.stride).mT
            outputs.append(self.product(which, patches).mT.unflatten(-1, size))
        return torch.cat(outputs, dim=1)

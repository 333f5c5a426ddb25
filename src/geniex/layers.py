"""Layers whose matrix products run on crossbars. Everything else of a network stays digital.

The weight stays a float parameter; crossbars are programmed from it when a forward pass needs them, and again after it
changed. Gradients pass straight through the analog arithmetic: backward is that of the digital layer.
"""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geniex.functional import AnalogMatmul, HardwareConfig, ProgrammedMatrix
from geniex.models.base import CrossbarModel

__all__ = ["AnalogConv2d", "AnalogLayer", "AnalogLinear"]

PROGRAMMING = threading.Lock()  # threads that share a network program each layer once
CHUNK_UNFOLDED = 2**23  # values of unfolded images held at once


class AnalogLayer(nn.Module, ABC):
    """What analog layers share: the digital layer they stand for, and the crossbars programmed from its weight."""

    def __init__(self, digital: nn.Module, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `digital` on crossbars.

        Args:
            digital: the layer; its parameters are used, not copied.
            model: computes the crossbars.
            config: digits, tiles and converters.

        Raises:
            ValueError: if the model was made for other crossbars, voltages or conductances.
        """
        super().__init__()
        self.weight: nn.Parameter = digital.weight  # pyright: ignore[reportAttributeAccessIssue]
        self.bias: nn.Parameter | None = digital.bias  # pyright: ignore[reportAttributeAccessIssue]
        self.matmul = AnalogMatmul(model, config)
        self._programmed: tuple[Tensor, list[ProgrammedMatrix]] | None = None
        self.train(digital.training)

    @abstractmethod
    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """The weight as one matrix (inputs, outputs) per group."""

    @abstractmethod
    def analog(self, x: Tensor) -> Tensor:
        """Output on crossbars, without gradients."""

    @abstractmethod
    def digital(self, x: Tensor) -> Tensor:
        """Output in floating point."""

    def forward(self, x: Tensor) -> Tensor:
        """As the digital layer's, computed on crossbars."""
        with torch.no_grad():
            y = self.analog(x)
        if torch.is_grad_enabled() and any(leaf.requires_grad for leaf in (x, *self.parameters())):
            through = self.digital(x)
            return y + (through - through.detach())  # in this order: adds an exact 0
        return y

    def programmed(self) -> list[ProgrammedMatrix]:
        """The crossbars of each group, programmed anew if the weight changed in value, place or type."""
        weight = self.weight.detach()
        with PROGRAMMING:
            if self._programmed is None or not _same(self._programmed[0], weight):
                self._programmed = weight.clone(), [self.matmul.program(w) for w in self.matrices()]
            return self._programmed[1]

    def train(self, mode: bool = True) -> "AnalogLayer":
        """As `nn.Module.train`; drops the programmed crossbars."""
        self._programmed = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AnalogLayer":
        self._programmed = None
        # shared by layers, so not a submodule: it moves with them, in its own precision
        self.matmul.model._apply(lambda x: x.to(fn(x).device))
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_programmed": None}


class AnalogLinear(AnalogLayer):
    """`nn.Linear` on crossbars."""

    def __init__(self, linear: nn.Linear, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `linear` on crossbars; see `AnalogLayer`."""
        super().__init__(linear, model, config)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """The transposed weight."""
        return [self.weight.mT]

    def analog(self, x: Tensor) -> Tensor:
        """See `AnalogLayer.analog`."""
        if x.shape[-1] != self.in_features:
            raise ValueError(f"This layer takes {self.in_features} features; got an input of shape {tuple(x.shape)}.")
        q = self.matmul.quantize(x.reshape(-1, self.in_features))
        y = self.programmed()[0].multiply(q).to(x.dtype).view(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias

    def digital(self, x: Tensor) -> Tensor:
        """See `AnalogLayer.digital`."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.in_features}, {self.out_features}, model={type(self.matmul.model).__name__}"


class AnalogConv2d(AnalogLayer):
    """`nn.Conv2d` on crossbars: every group is a matrix (in_channels / groups * kernel, out_channels / groups)."""

    def __init__(self, conv: nn.Conv2d, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `conv` on crossbars; see `AnalogLayer`."""
        super().__init__(conv, model, config)
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding_mode = conv.padding_mode
        self.border = tuple(conv._reversed_padding_repeated_twice)  # (left, right, top, bottom)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Kernels flattened as `unfold` orders patches: channel, kernel row, kernel column."""
        return [group.flatten(1).mT for group in self.weight.chunk(self.groups)]

    def analog(self, x: Tensor) -> Tensor:
        """See `AnalogLayer.analog`."""
        if x.dim() not in (3, 4) or x.shape[-3] != self.in_channels:
            raise ValueError(
                f"This layer takes (image, {self.in_channels}, height, width); got an input of shape {tuple(x.shape)}."
            )
        q = self._pad(self.matmul.quantize(x if x.dim() == 4 else x.unsqueeze(0)).float())
        unfolded = math.prod(self.kernel_size) * q.shape[1:].numel() // math.prod(self.stride)
        y = torch.cat([self._images(part) for part in q.split(max(1, CHUNK_UNFOLDED // max(1, unfolded)))]).to(x.dtype)
        y = y if self.bias is None else y + self.bias[:, None, None]
        return y if x.dim() == 4 else y.squeeze(0)

    def digital(self, x: Tensor) -> Tensor:
        """See `AnalogLayer.digital`."""
        x = self._pad(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

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

    def _images(self, q: Tensor) -> Tensor:
        """Outputs of padded integer images (image, channel, height, width)."""
        size = [
            (pixels - reach * (kernel - 1) - 1) // step + 1
            for pixels, kernel, step, reach in zip(
                q.shape[-2:], self.kernel_size, self.stride, self.dilation, strict=True
            )
        ]
        outputs = []
        for matrix, channels in zip(self.programmed(), q.chunk(self.groups, dim=1), strict=True):
            patches = F.unfold(channels, self.kernel_size, dilation=self.dilation, stride=self.stride).mT
            product = matrix.multiply(patches.flatten(0, 1).to(torch.int32))
            outputs.append(product.unflatten(0, (len(q), *size)).movedim(-1, 1))
        return torch.cat(outputs, dim=1)


def _same(x: Tensor, y: Tensor) -> bool:
    return (x.dtype, x.device) == (y.dtype, y.device) and torch.equal(x, y)

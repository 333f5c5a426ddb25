"""What analog layers share: parameters that stay floats, and crossbars programmed from them.

Crossbars are programmed when a forward pass needs them, and again after the weights changed. A layer says which
matrices it multiplies by, and writes its forward pass in torch around `product`, which is differentiable.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import AnalogMatmul, HardwareConfig, OnCrossbars, ProgrammedMatrix, WrittenMatrix
from geniex.models.base import CrossbarModel

__all__ = ["AnalogLayer"]

PROGRAMMING = threading.Lock()  # threads that share a network program each layer once


class AnalogLayer(nn.Module, ABC):
    """A layer on crossbars."""

    def __init__(self, model: CrossbarModel, config: HardwareConfig) -> None:
        """Join physics and format; subclasses take over the digital layer's parameters.

        Args:
            model: computes the crossbars; shared by layers and owned by none.
            config: digits, tiles and converters.

        Raises:
            ValueError: if the model was made for other crossbars, voltages or conductances.
        """
        super().__init__()
        self.matmul = AnalogMatmul(model, config)
        self.crossbars = OnCrossbars(self.matmul)

    @abstractmethod
    def matrices(self) -> Sequence[Float[Tensor, "row col"]]:
        """The matrices (inputs, outputs) that go on crossbars, made of the parameters with their gradients."""

    def product(self, which: int, x: Float[Tensor, "*input row"]) -> Float[Tensor, "*input col"]:
        """The product x @ matrices()[which] on crossbars, in the type of `x`, with gradients to `x` and the parameters.

        Raises:
            ValueError: if `x` is not finite, or the matrix has another number of rows.
        """
        programmed = self.programmed()[which]
        with_gradients = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in (x, *self.parameters()))
        if not with_gradients:
            return self.matmul.multiply(x, programmed)
        return self.matmul.differentiable(x, self.matrices()[which], programmed)

    def programmed(self) -> list[ProgrammedMatrix]:
        """The crossbars of each matrix, written anew if the parameters changed in value."""
        with PROGRAMMING, torch.no_grad():
            return self.crossbars.programmed([x.detach() for x in self.parameters()], self.matrices)

    def written(self) -> list[WrittenMatrix]:
        """What stands on the crossbars of each matrix: digits and conductances."""
        with PROGRAMMING, torch.no_grad():
            return self.crossbars.write([x.detach() for x in self.parameters()], self.matrices)

    def train(self, mode: bool = True) -> "AnalogLayer":
        """As `nn.Module.train`; reads are prepared anew."""
        self.crossbars.close()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AnalogLayer":
        self.crossbars.close()
        # shared by layers, so not a submodule: it moves with them, in its own precision
        self.matmul.model._apply(lambda x: x.to(fn(x).device))
        return super()._apply(fn, recurse)

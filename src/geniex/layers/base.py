"""What analog layers share: parameters that stay floats, and crossbars programmed from them.

Crossbars are programmed when a forward pass needs them, and again after the weights changed. A layer says which
matrices it multiplies by, and writes its forward pass in torch around their products, which are differentiable.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import AnalogMatmul, HardwareConfig, OnCrossbars, ProgrammedMatrix, WrittenMatrix
from geniex.models.base import CrossbarModel
from geniex.threads import taken_from_torch

__all__ = ["AnalogLayer", "Products", "analog_layers", "check_floating", "check_numbers"]

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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The forward pass. Threads share the inputs of its products, not the small operations around them."""
        with taken_from_torch():
            return super().__call__(*args, **kwargs)

    @abstractmethod
    def matrices(self) -> Sequence[Float[Tensor, "row col"]]:
        """The matrices (inputs, outputs) that go on crossbars, made of the parameters with their gradients."""

    def product(self, which: int, x: Tensor) -> Tensor:
        """The product of x (*input, row) with `matrices()[which]`; for several in one pass, make `products` once."""
        return self.products()(which, x)

    def products(self) -> "Products":
        """The products with each matrix, as the parameters are now."""
        return Products(self)

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


def analog_layers(network: nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    """Layers on crossbars, each once, by name."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, AnalogLayer))


class Products:
    """Products with the matrices of a layer during one forward pass: its parameters are compared once."""

    def __init__(self, layer: AnalogLayer) -> None:
        """Program what is not programmed yet."""
        self.layer, self.programmed = layer, layer.programmed()
        self.is_trained = any(parameter.requires_grad for parameter in layer.parameters())

    @cached_property
    def matrices(self) -> Sequence[Tensor]:
        """Those of the layer, with their gradients."""
        return self.layer.matrices()

    def __call__(self, which: int, x: Tensor) -> Tensor:
        """The product (*input, col) of x (*input, row) with `matrices[which]`, in the type of `x`, with gradients.

        Raises:
            ValueError: if `x` is not floating or not finite, or the matrix has another number of rows.
        """
        check_floating(x)
        matmul = self.layer.matmul
        if torch.is_grad_enabled() and (self.is_trained or x.requires_grad):
            return matmul.differentiable(x, self.matrices[which], self.programmed[which])
        return matmul.multiply(x, self.programmed[which])


def check_floating(x: Tensor) -> None:
    """Raise ValueError unless `x` is floating."""
    if not x.is_floating_point():
        raise ValueError(f"A layer's inputs must be floating numbers; got {x.dtype}. Cast with `.float()`.")


def check_numbers(x: Tensor) -> None:
    """Raise ValueError unless `x` is floating and finite; for layers that rearrange it before their products."""
    check_floating(x)
    if x.numel() and not torch.isfinite(torch.stack(x.detach().aminmax())).all():
        wrong = int((~torch.isfinite(x)).sum())
        raise ValueError(f"A layer's inputs must be finite; {wrong} of {x.numel()} values are not.")

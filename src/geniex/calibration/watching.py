"""A network at work in floating point, with a view of what enters each product of its layers on crossbars.

An object stands in for the crossbars of each layer; so products inside of recurrent and of attention layers are seen,
too, and layers see what those before them give in floating point.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import ProgrammedMatrix, WrittenMatrix
from geniex.layers import AnalogLayer, analog_layers

__all__ = ["Watch", "check_batches", "first_entry", "show", "show_again", "watched"]

Watch = Callable[[str, int, Tensor], None]
"""Called with a layer's name, the number of one of its matrices, and what it is multiplied by (input, row)."""


class _Watched:
    """What a layer has in place of its crossbars and its `AnalogMatmul`: floating-point products that are seen."""

    def __init__(self, name: str, layer: AnalogLayer, watch: Watch) -> None:
        self.name, self.watch = name, watch
        self.model, self.config = layer.matmul.model, layer.matmul.config
        self.opened: list[ProgrammedMatrix] = []

    def programmed(self, weights: list[Tensor], matrices: Callable[[], Sequence[Tensor]]) -> list[ProgrammedMatrix]:
        """Matrices on no crossbar at all: weights as they are, in place of integers."""
        if not self.opened:
            written = [WrittenMatrix(w.detach(), []) for w in matrices()]
            self.opened = [ProgrammedMatrix(matrix, self.model, self.config) for matrix in written]
        return self.opened

    def multiply(self, x: Float[Tensor, "*input row"], programmed: ProgrammedMatrix) -> Float[Tensor, "*input col"]:
        inputs, w = x.reshape(-1, x.shape[-1]), programmed.written.q
        if not torch.isfinite(inputs).all():
            wrong = int((~torch.isfinite(inputs)).sum())
            raise ValueError(f"{wrong} of {inputs.numel()} inputs of layer `{self.name}` are not finite.")
        self.watch(self.name, next(k for k, matrix in enumerate(self.opened) if matrix is programmed), inputs)
        return x @ w

    def close(self) -> None:
        """Drop what was made of the weights."""
        self.opened = []


def watched(network: nn.Module, watch: Watch) -> nn.Module:
    """A converted network, in evaluation mode, whose layers multiply in floating point from now on.

    Args:
        network: as `convert` makes it; it is changed.
        watch: sees what enters the products.
    """
    for name, layer in list(analog_layers(network)):
        seen = _Watched(name, layer, watch)
        layer.matmul = layer.crossbars = seen  # pyright: ignore[reportAttributeAccessIssue]
    return network.eval()


def check_batches(batches: Iterable[object]) -> None:
    """Raise ValueError if `batches` can be gone through only once."""
    if iter(batches) is batches:
        raise ValueError(
            f"`batches` is gone through several times, but a {type(batches).__name__} gives them only once. "
            "Give a list of tensors, or a DataLoader."
        )


@torch.no_grad()
def show(network: nn.Module, batches: Iterable[object]) -> None:
    """Let a network see all data, for the first time.

    Args:
        network: takes the batches.
        batches: tensors, or tuples that begin with one.

    Raises:
        ValueError: if there are no data, some are not finite, or the network does not take them.
    """
    entries = 0
    for number, batch in enumerate(batches):
        x = _inputs(network, batch, number)
        entries += len(x)
        try:
            network(x)
        except Exception as error:  # the network is the user's: it can raise anything
            raise ValueError(
                f"The network does not take batch {number} of shape {tuple(x.shape)} ({type(error).__name__}: {error})."
            ) from error
    if not entries:
        raise ValueError("`batches` holds no data: calibration needs some inputs of the network.")


@torch.no_grad()
def show_again(network: nn.Module, batches: Iterable[object]) -> None:
    """Let a network see all data that `show` has shown."""
    for number, batch in enumerate(batches):
        network(_inputs(network, batch, number))


def first_entry(network: nn.Module, batches: Iterable[object]) -> Tensor:
    """The first of all data that `show` has shown, as a batch of one."""
    return _inputs(network, next(iter(batches)), 0)[:1]


def _inputs(network: nn.Module, batch: object, number: int) -> Tensor:
    """The inputs of a batch, where the network's weights are and, if floating, in their precision."""
    x = batch[0] if isinstance(batch, tuple | list) and batch else batch
    if not isinstance(x, Tensor) or not x.dim():
        raise ValueError(
            f"`batches` must hold tensors (entry, ...), or tuples that begin with one; batch {number} is "
            f"a {type(batch).__name__}."
        )
    if not torch.isfinite(x).all():
        wrong = int((~torch.isfinite(x)).sum())
        raise ValueError(f"Data must be finite; {wrong} of {x.numel()} values of batch {number} are not.")
    weight = next((weight for weight in network.parameters() if weight.is_floating_point()), x)
    return x.to(weight) if x.is_floating_point() else x.to(weight.device)

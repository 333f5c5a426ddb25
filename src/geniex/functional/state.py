"""What a layer has on crossbars, with one owner: made from its weights when it is needed, and never stale.

What was written lasts as long as the digits of the weights do: device effects are drawn once, and a layer that moves or
changes its mode is the same chip. Reads are made from it, and dropped whenever the layer does either.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from geniex.digital import quantize
from geniex.functional.hardware import compute_dtype
from geniex.functional.matmul import AnalogMatmul
from geniex.functional.programmed import ProgrammedMatrix
from geniex.functional.writing import Placed, WrittenMatrix, WrittenTile
from geniex.models.randomness import is_random

__all__ = ["OnCrossbars"]


class OnCrossbars:
    """The matrices of one layer."""

    def __init__(self, matmul: AnalogMatmul) -> None:
        """Nothing is written yet."""
        self.matmul = matmul
        self.weights: list[Tensor] = []
        self.written: list[WrittenMatrix] | None = None
        self.opened: list[ProgrammedMatrix] | None = None
        self.installed = False

    def programmed(self, weights: list[Tensor], matrices: Callable[[], Sequence[Tensor]]) -> list[ProgrammedMatrix]:
        """The matrices, ready to be read; written anew if their digits changed.

        Args:
            weights: of the layer, detached.
            matrices: makes the matrices of them.

        Raises:
            ValueError: if the weights are not those that the chip of the layer was written from.
        """
        written, device = self.write(weights, matrices), weights[0].device
        if self.opened is None or self.opened[0].written.q.device != device:
            dtype = compute_dtype(self.matmul.model, self.matmul.config)
            self.opened = [self.matmul.open(_moved(matrix, device, dtype)) for matrix in written]
        return self.opened

    def write(self, weights: list[Tensor], matrices: Callable[[], Sequence[Tensor]]) -> list[WrittenMatrix]:
        """What stands on the crossbars; see `programmed`."""
        if self.written is not None and len(self.weights) == len(weights) and all(map(_same, self.weights, weights)):
            return self.written
        wanted = list(matrices())
        if self.written is None or not self._holds(self.written, wanted):
            if self.installed:
                raise ValueError(
                    "The weights of this layer are not those that its chip was written from. Load the chip into the "
                    "network that it was made for, or convert the network again to write another one."
                )
            self.written, self.opened = [self.matmul.write(w) for w in wanted], None
        self.weights = [x.clone() for x in weights]
        return self.written

    def install(self, written: list[WrittenMatrix], weights: list[Tensor]) -> None:
        """Take over what was written from these weights before, as a chip holds it."""
        self.written, self.opened, self.installed = written, None, True
        self.weights = [x.clone() for x in weights]

    def close(self) -> None:
        """Drop reads; what was written stays, unless it is the same again whenever it is written."""
        self.opened = None
        if not self._lasts():
            self.written, self.weights = None, []

    def forget(self) -> None:
        """Drop what was written, too: the next use writes another chip."""
        self.written, self.opened, self.installed = None, None, False

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "opened": None}
        return state if self._lasts() else {**state, "written": None, "weights": []}

    def _lasts(self) -> bool:
        return self.installed or is_random(self.matmul.model)

    def _holds(self, written: list[WrittenMatrix], wanted: list[Tensor]) -> bool:
        """Whether the digits of these matrices are those that were written."""
        number = self.matmul.config.weights
        return len(written) == len(wanted) and all(
            torch.equal(quantize(w, number).cpu(), matrix.q.cpu()) for w, matrix in zip(wanted, written, strict=True)
        )


def _same(x: Tensor, y: Tensor) -> bool:
    """Whether values are the same, whatever their place and type."""
    if (x.dtype, x.device) == (y.dtype, y.device):
        return torch.equal(x, y)
    return torch.equal(x.cpu().double(), y.cpu().double())


def _moved(matrix: WrittenMatrix, device: torch.device, dtype: torch.dtype) -> WrittenMatrix:
    """The same on another device, and for a model of another precision."""
    tiles = []
    for part in matrix.tiles:
        number, which, level = part.placed
        tiles.append(WrittenTile(Placed(number, which.to(device), level.to(device)), part.g.to(device, dtype)))
    return WrittenMatrix(matrix.q.to(device), tiles, matrix.states)

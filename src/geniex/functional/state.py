"""What a layer has on crossbars, with one owner: made from its weights when it is needed, and never stale.

What was written lasts as long as the weights keep their values: device effects are drawn once, and a layer that moves
or changes its mode is the same chip. Reads are made from it, and dropped whenever the layer does either.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

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
        """The matrices, ready to be read; written anew if the weights changed in value.

        Args:
            weights: of the layer, detached.
            matrices: makes the matrices of them.

        Raises:
            ValueError: if the weights are not those that the chip of the layer was written from.
        """
        if self.opened is None or not _same(self.weights, weights, exactly=True):
            written = self.write(weights, matrices)
            self.opened = [self.matmul.open(_moved(matrix, weights[0].device)) for matrix in written]
            self.weights = [x.clone() for x in weights]
        return self.opened

    def write(self, weights: list[Tensor], matrices: Callable[[], Sequence[Tensor]]) -> list[WrittenMatrix]:
        """What stands on the crossbars; see `programmed`."""
        if self.written is not None and _same(self.weights, weights, exactly=False):
            return self.written
        if self.installed:
            raise ValueError(
                "The weights of this layer are not those that its chip was written from. Load the chip into the "
                "network that it was made for, or convert the network again to write another one."
            )
        self.written = [self.matmul.write(w) for w in matrices()]
        self.weights, self.opened = [x.clone() for x in weights], None
        return self.written

    def install(self, written: list[WrittenMatrix], weights: list[Tensor]) -> None:
        """Take over what was written from these weights before, as a chip holds it."""
        self.written, self.opened, self.installed = written, None, True
        self.weights = [x.clone() for x in weights]

    def close(self) -> None:
        """Drop reads; what was written stays."""
        self.opened = None

    def forget(self) -> None:
        """Drop what was written, too: the next use writes another chip."""
        self.written, self.opened, self.installed = None, None, False

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "opened": None}
        if not self.installed and not is_random(self.matmul.model):
            state |= {"written": None, "weights": []}  # the same again, whenever it is written
        return state


def _same(before: list[Tensor], now: list[Tensor], exactly: bool) -> bool:
    """Whether values are the same, and where it is to be exact, place and type too."""
    if len(before) != len(now):
        return False
    for x, y in zip(before, now, strict=True):
        if exactly and (x.dtype, x.device) != (y.dtype, y.device):
            return False
        alike = torch.equal(x, y) if x.dtype == y.dtype and x.device == y.device else _equal(x, y)
        if not alike:
            return False
    return True


def _equal(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and torch.equal(x.cpu().double(), y.cpu().double())


def _moved(matrix: WrittenMatrix, device: torch.device) -> WrittenMatrix:
    """The same on another device."""
    if matrix.q.device == device:
        return matrix
    tiles = []
    for part in matrix.tiles:
        number, which, level = part.placed
        tiles.append(WrittenTile(Placed(number, which.to(device), level.to(device)), part.g.to(device)))
    return WrittenMatrix(matrix.q.to(device), tiles, matrix.states)

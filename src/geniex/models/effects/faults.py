"""Stuck cells: those that keep a conductance of their own, whatever is written."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from geniex.models.base import CrossbarModel
from geniex.models.effects.base import WriteEffect
from geniex.models.effects.checks import check_at_least_zero
from geniex.models.randomness import RandomSource

__all__ = ["FaultMap", "FaultRates", "Faults", "StuckCells"]

Places = tuple[Bool[Tensor, "*tile row col"], Bool[Tensor, "*tile row col"]]
"""Which cells are stuck on, and which are stuck off; none is both."""


class Faults(ABC):
    """Where cells are stuck."""

    are_drawn: ClassVar[bool] = True

    @abstractmethod
    def places(self, g: Float[Tensor, "*tile row col"], source: RandomSource | None) -> Places:
        """Cells that are stuck on, and cells that are stuck off.

        Args:
            g: the crossbars that are written.
            source: to draw from; None if faults are not drawn.
        """


@dataclass(frozen=True)
class FaultRates(Faults):
    """Cells are stuck independently of each other, drawn anew for every written crossbar.

    Attributes:
        on: share of the cells that are stuck on.
        off: share of the cells that are stuck off.
    """

    on: float = 0.0
    off: float = 0.0

    def __post_init__(self) -> None:
        if not (self.on >= 0 and self.off >= 0 and self.on + self.off <= 1):
            raise ValueError(
                f"`FaultRates` must be at least 0, and at most 1 together; got on={self.on:g}, off={self.off:g}."
            )

    def places(self, g: Float[Tensor, "*tile row col"], source: RandomSource | None) -> Places:
        """Draw them; see `Faults.places`."""
        assert source is not None
        u = source.uniform(g)
        on = u < self.on
        return on, (u >= 1 - self.off) & ~on


@dataclass(frozen=True, eq=False)
class FaultMap(Faults):
    """Faults that are known, as a test of the chip finds them.

    Attributes:
        on: cells that are stuck on, of a shape that broadcasts to the crossbars': (row, col) is the same for all.
        off: cells that are stuck off, in the same shape.
    """

    are_drawn: ClassVar[bool] = False

    on: Tensor | np.ndarray
    off: Tensor | np.ndarray

    def __post_init__(self) -> None:
        on, off = _tensor(self.on), _tensor(self.off)
        for name, cells in (("on", on), ("off", off)):
            if cells.dtype != torch.bool:
                raise ValueError(
                    f"`FaultMap({name}=...)` must hold booleans; got {cells.dtype}. Compare, as in `x > 0`."
                )
        if on.shape != off.shape:
            raise ValueError(
                f"`FaultMap(on=..., off=...)` must have one shape; got {tuple(on.shape)} and {tuple(off.shape)}."
            )
        if (on & off).any():
            raise ValueError(
                f"`FaultMap` has {int((on & off).sum())} cells that are stuck on and off. Take them out of one map."
            )

    def places(self, g: Float[Tensor, "*tile row col"], source: RandomSource | None) -> Places:
        """The maps, broadcast; see `Faults.places`."""
        on, off = (_tensor(cells).to(g.device) for cells in (self.on, self.off))
        try:
            return on.expand(g.shape), off.expand(g.shape)
        except RuntimeError as error:
            raise ValueError(
                f"`FaultMap(on=..., off=...)` must broadcast to the crossbars, {tuple(g.shape)}; got "
                f"{tuple(on.shape)}. Give one (row, col) for all, or one per crossbar."
            ) from error


class StuckCells(WriteEffect):
    """Stuck cells have `g_on` or `g_off`, and no gradient."""

    def __init__(
        self, model: CrossbarModel, faults: Faults, g_on: float, g_off: float, generator: Generator | None = None
    ) -> None:
        """Wrap a model.

        Args:
            model: computes the crossbars that were written.
            faults: where cells are stuck.
            g_on: conductance of cells that are stuck on, in siemens.
            g_off: conductance of cells that are stuck off, in siemens.
            generator: to draw from; required for `FaultRates`.

        Raises:
            ValueError: if a conductance is negative, or there is no generator to draw from.
        """
        super().__init__(model)
        check_at_least_zero("StuckCells(g_on=...)", g_on, " S")
        check_at_least_zero("StuckCells(g_off=...)", g_off, " S")
        self.faults, self.g_on, self.g_off = faults, g_on, g_off
        self.source = RandomSource(generator, "StuckCells") if faults.are_drawn else None

    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Replace what is stuck; see `WriteEffect.altered`."""
        on, off = self.faults.places(g, self.source)
        return torch.where(on, self.g_on, torch.where(off, self.g_off, g))


def _tensor(cells: Tensor | np.ndarray) -> Tensor:
    """Of an array, a copy: torch warns of those that it could not write to."""
    return torch.from_numpy(cells.copy()) if isinstance(cells, np.ndarray) else cells

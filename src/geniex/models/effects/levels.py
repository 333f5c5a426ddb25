"""Finite levels: a cell takes the nearest of the conductances that can be written."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.models.base import CrossbarModel
from geniex.models.effects.base import WriteEffect
from geniex.rounding import straight_through

__all__ = ["FiniteLevels"]


class FiniteLevels(WriteEffect):
    """Conductances are rounded to levels; gradients pass straight through, as if they were not."""

    def __init__(self, model: CrossbarModel, levels: Sequence[float] | Float[Tensor, " level"]) -> None:
        """Wrap a model.

        Args:
            model: computes the crossbars that were written.
            levels: conductances in siemens, ascending.

        Raises:
            ValueError: if there is no level, or one is negative, not finite or out of order.
        """
        super().__init__(model)
        self.levels = tuple(torch.as_tensor(levels, dtype=torch.float64).tolist())
        if not self.levels or not all(0 <= level < math.inf for level in self.levels):
            raise ValueError(f"`FiniteLevels(levels=...)` must be finite and at least 0 S; got {self.levels}.")
        for a, b in pairwise(self.levels):
            if not a < b:
                raise ValueError(f"`FiniteLevels(levels=...)` must ascend; got {a:g} S before {b:g} S.")

    @classmethod
    def between(cls, model: CrossbarModel, g_min: float, g_max: float, count: int) -> "FiniteLevels":
        """`count` evenly spaced levels from `g_min` to `g_max`, in siemens.

        Raises:
            ValueError: if there are less than 2, or the ends are no range of conductances.
        """
        if count < 2:
            raise ValueError(f"`FiniteLevels.between(count=...)` must be at least 2; got {count}.")
        return cls(model, torch.linspace(g_min, g_max, count, dtype=torch.float64))

    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """The nearest level, of two the lower one; see `WriteEffect.altered`."""
        levels = torch.tensor(self.levels, dtype=g.dtype, device=g.device)
        nearest = torch.bucketize(g.detach().contiguous(), (levels[1:] + levels[:-1]) / 2)
        return straight_through(levels[nearest], g)

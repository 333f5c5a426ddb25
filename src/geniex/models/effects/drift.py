"""Drift: how conductances fall with the time since they were written.

The power law of phase-change memory, g(t) = g(t0) (t / t0)^-nu (Pirovano et al., IEEE Trans. Electron Devices 51, 714,
2004). The time is the same for all cells, and so is the temperature.
"""

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from geniex.models.base import CrossbarModel
from geniex.models.effects.base import WriteEffect
from geniex.models.effects.checks import check_above_zero, check_at_least_zero
from geniex.models.randomness import RandomSource

__all__ = ["Drift"]


class Drift(WriteEffect):
    """All cells are read at one time after writing; each drifts with an exponent of its own."""

    def __init__(
        self,
        model: CrossbarModel,
        time: float,
        nu: float,
        spread: float = 0.0,
        t0: float = 1.0,
        generator: Generator | None = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: computes the crossbars at that time.
            time: of the read, in seconds after writing.
            nu: mean exponent.
            spread: standard deviation of the exponents of cells, drawn once per written crossbar; what is drawn below
                0 is 0.
            t0: when cells have the conductances that were written, in seconds after writing.
            generator: to draw from; required if there is a spread.

        Raises:
            ValueError: if the read comes before `t0`, a number is negative, or there is no generator to draw from.
        """
        super().__init__(model)
        check_above_zero("Drift(t0=...)", t0, " s")
        check_at_least_zero("Drift(nu=...)", nu)
        check_at_least_zero("Drift(spread=...)", spread)
        if not t0 <= time < math.inf:
            raise ValueError(f"`Drift(time=...)` must be finite and at least `t0`, {t0:g} s; got {time:g} s.")
        self.time, self.nu, self.spread, self.t0 = time, nu, spread, t0
        self.source = RandomSource(generator, "Drift") if spread > 0 else None

    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Draw an exponent per cell; see `WriteEffect.altered`."""
        nu = torch.full_like(g, self.nu)
        if self.source is not None:
            nu = (nu + self.spread * self.source.normal(g)).clamp(min=0.0)
        return g * (self.time / self.t0) ** -nu

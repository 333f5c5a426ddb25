"""Programming errors: how far the conductance of a cell is off after it was written.

Errors of cells are independent. What a write-and-verify loop leaves of them is for the spread to say; cells that do not
react at all are `StuckCells`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from geniex.models.base import CrossbarModel
from geniex.models.effects.base import WriteEffect
from geniex.models.effects.checks import check_above_zero, check_at_least_zero
from geniex.models.effects.points import Points, between, check_points
from geniex.models.randomness import RandomSource

__all__ = [
    "AbsoluteSpread",
    "LognormalSpread",
    "PolynomialSpread",
    "ProgrammingError",
    "RelativeSpread",
    "Spread",
    "TabulatedSpread",
]


class Spread(ABC):
    """The distribution of what a cell has after writing, given what it was to have."""

    @abstractmethod
    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """Conductances in siemens after writing; may leave what cells can have. Differentiable in `g`.

        Args:
            g: conductances that were to be written, in siemens.
            z: standard normal numbers, one per cell.
        """


@dataclass(frozen=True)
class RelativeSpread(Spread):
    """Normal, in proportion to the conductance.

    Attributes:
        std: standard deviation as a share of the conductance.
    """

    std: float

    def __post_init__(self) -> None:
        check_at_least_zero("RelativeSpread(std=...)", self.std)

    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """See `Spread.scattered`."""
        return g * (1 + self.std * z)


@dataclass(frozen=True)
class AbsoluteSpread(Spread):
    """Normal, the same for all conductances.

    Attributes:
        std: standard deviation in siemens.
    """

    std: float

    def __post_init__(self) -> None:
        check_at_least_zero("AbsoluteSpread(std=...)", self.std, " S")

    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """See `Spread.scattered`."""
        return g + self.std * z


@dataclass(frozen=True)
class LognormalSpread(Spread):
    """Lognormal: the median is what was to be written, the mean exp(sigma^2 / 2) times that.

    Attributes:
        sigma: standard deviation of the natural logarithm of the conductance.
    """

    sigma: float

    def __post_init__(self) -> None:
        check_at_least_zero("LognormalSpread(sigma=...)", self.sigma)

    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """See `Spread.scattered`."""
        return g * torch.exp(self.sigma * z)


@dataclass(frozen=True)
class TabulatedSpread(Spread):
    """Normal, with a measured standard deviation for each conductance.

    Attributes:
        points: (conductance, standard deviation) in siemens, conductances ascending; linear between them, constant
            beyond.
    """

    points: Points

    def __post_init__(self) -> None:
        check_points("TabulatedSpread(points=...)", self.points)
        for _, std in self.points:
            check_at_least_zero("TabulatedSpread(points=...)", std, " S")

    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """See `Spread.scattered`."""
        return g + between(self.points, g) * z


@dataclass(frozen=True)
class PolynomialSpread(Spread):
    """Normal, with the standard deviation c_0 + c_1 (g / g_max) + c_2 (g / g_max)^2 ..., or 0 where that is negative.

    Phase-change memory of 25 uS has (0.26348e-6, 1.9650e-6, -1.1731e-6) (Nandakumar et al., ICECS 2019).

    Attributes:
        coefficients: c_0, c_1 ... in siemens.
        g_max: the conductance that they refer to, in siemens.
    """

    coefficients: tuple[float, ...]
    g_max: float

    def __post_init__(self) -> None:
        if not self.coefficients or not all(map(math.isfinite, self.coefficients)):
            raise ValueError(
                f"`PolynomialSpread(coefficients=...)` must hold finite numbers in siemens; got {self.coefficients}."
            )
        check_above_zero("PolynomialSpread(g_max=...)", self.g_max, " S")

    def scattered(self, g: Float[Tensor, "*cell"], z: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
        """See `Spread.scattered`."""
        std = torch.zeros_like(g)
        for coefficient in reversed(self.coefficients):
            std = std * (g / self.g_max) + coefficient
        return g + std.clamp(min=0.0) * z


class ProgrammingError(WriteEffect):
    """Every written cell is off by its own error, drawn when it is written."""

    def __init__(
        self,
        model: CrossbarModel,
        spread: Spread,
        g_min: float = 0.0,
        g_max: float = math.inf,
        generator: Generator | None = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: computes the crossbars that were written.
            spread: the distribution of the errors.
            g_min: the least conductance that a cell can have, in siemens: less becomes that.
            g_max: the largest conductance that a cell can have, in siemens: more becomes that.
            generator: to draw from; required.

        Raises:
            ValueError: if the limits are no range, or there is no generator.
        """
        super().__init__(model)
        check_at_least_zero("ProgrammingError(g_min=...)", g_min, " S")
        if not g_max > g_min:
            raise ValueError(f"`ProgrammingError(g_max=...)` must exceed `g_min`, {g_min:g} S; got {g_max:g} S.")
        self.spread, self.g_min, self.g_max = spread, g_min, g_max
        self.source = RandomSource(generator, "ProgrammingError")

    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Draw an error per cell; see `WriteEffect.altered`."""
        return self.spread.scattered(g, self.source.normal(g)).clamp(self.g_min, self.g_max)

"""What a model was made for, and what happens when it is asked for something else."""

import functools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

__all__ = ["OperatingRange", "OutOfRangeWarning", "Policy", "RangeGuard", "extremes", "shares_outside"]

Policy = Literal["raise", "warn", "ignore"]

SLACK = 1e-4  # of a range, by which float32 numbers may leave it
DENSITY_SLACK = 0.02  # the densest of a few thousand training samples is not a sharp bound
EVERY = (-math.inf, math.inf)
REMEDY = {
    "raise": "Stay inside, make a model for them (`corner_share` and `recorded` widen what an emulator sees), or "
    'let it warn: `outside = "warn"` in a configuration, `model.guard = RangeGuard("warn")` in Python.',
    "warn": "It computes all the same, and says this once.",
}


class OutOfRangeWarning(UserWarning):
    """A model was asked for what it was not made for."""


@dataclass(frozen=True)
class OperatingRange:
    """What a model can be asked, or is asked: one crossbar size, voltages in volt, conductances in siemens.

    Densities are least and largest means: of an input, as a share of `v_max`; of a crossbar, as a share of the range
    from `g_min` to `g_max`. An input of zeros is always inside: no current flows, whatever the model.
    """

    rows: int
    cols: int
    v_min: float = -math.inf
    v_max: float = math.inf
    g_min: float = 0.0
    g_max: float = math.inf
    v_density: tuple[float, float] = EVERY
    g_density: tuple[float, float] = EVERY


@dataclass(frozen=True)
class RangeGuard:
    """What a model does out of its range.

    Attributes:
        policy: `raise` refuses with ValueError; `warn` says once per quantity what share of it is outside
            (`OutOfRangeWarning`), and computes; `ignore` computes.
    """

    policy: str = "raise"

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise ValueError(f"`RangeGuard(policy=...)` must be 'raise', 'warn' or 'ignore'; got {self.policy!r}.")

    @functools.cached_property
    def _told(self) -> set[str]:
        """Quantities that were warned of; no field, since what was said is no part of what a model is."""
        return set()

    def check_conductances(self, g: Tensor, bounds: OperatingRange) -> None:
        """Crossbars `g` (*tile, row, col) in siemens."""
        self._check(_of_conductances(g, bounds))

    def check_voltages(self, v: Tensor, bounds: OperatingRange) -> None:
        """Inputs `v` (*tile, input, row) in volt."""
        self._check(_of_voltages(v, bounds))

    def tell(self, quantity: str, message: str) -> None:
        """Raise ValueError, or warn if nothing was said of `quantity` before."""
        if self.policy == "raise":
            raise ValueError(message)
        if self.policy == "warn" and quantity not in self._told:
            self._told.add(quantity)
            warnings.warn(message, OutOfRangeWarning, stacklevel=4)

    def _check(self, quantities: Iterator["_Quantity"]) -> None:
        for quantity in quantities if self.policy != "ignore" else ():
            if quantity.share_outside:
                self.tell(quantity.name, quantity.complaint + REMEDY[self.policy])


def shares_outside(bounds: OperatingRange, v: Tensor, g: Tensor) -> dict[str, float]:
    """Share of the values of `v` (*tile, input, row) and `g` (*tile, row, col), and of their densities, out of range.

    Returns:
        by quantity (`v`, `density of v`, `g`, `density of g`); one that `bounds` leave open is missing.
    """
    return {q.name: q.share_outside for part in (_of_voltages(v, bounds), _of_conductances(g, bounds)) for q in part}


def extremes(x: Tensor) -> tuple[float, float]:
    """Smallest and largest value, both NaN where any is.

    numpy takes them on a CPU: torch's threads go on spinning afterwards, on the cores that the solver's are to have.
    """
    if x.numel() == 0:
        return 0.0, 0.0
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64):
        values = x.detach().numpy()
        return float(values.min()), float(values.max())
    low, high = torch.aminmax(x.detach())
    return low.item(), high.item()


@dataclass(frozen=True)
class _Quantity:
    """Numbers that are to lie between two bounds."""

    name: str
    values: Tensor
    bounds: tuple[float, float]
    slack: float
    unit: str

    @property
    def share_outside(self) -> float:
        low, high = self.bounds[0] - self.slack, self.bounds[1] + self.slack
        least, most = extremes(self.values)
        if not self.values.numel() or (low <= least and most <= high):
            return 0.0
        return ((self.values < low) | (self.values > high)).double().mean().item()

    @property
    def complaint(self) -> str:
        (low, high), (least, most) = self.bounds, extremes(self.values)
        return (
            f"`{self.name}` spans {least:.4g} to {most:.4g}{self.unit}, but this model was made for {low:.4g} to "
            f"{high:.4g}{self.unit}: {100 * self.share_outside:.3g} % of this read are outside. "
        )


def _of_voltages(v: Tensor, bounds: OperatingRange) -> Iterator[_Quantity]:
    v, limits = v.detach(), (bounds.v_min, bounds.v_max)
    if limits != EVERY:
        yield _Quantity("v", v, limits, SLACK * _width(limits), " V")
    if bounds.v_density not in (EVERY, (0.0, 1.0)):
        density = v.mean(-1) / bounds.v_max
        yield _Quantity("density of v", density[density != 0], bounds.v_density, DENSITY_SLACK, "")


def _of_conductances(g: Tensor, bounds: OperatingRange) -> Iterator[_Quantity]:
    g, limits = g.detach(), (bounds.g_min, bounds.g_max)
    if bounds.g_max < math.inf:
        yield _Quantity("g", g, limits, SLACK * (bounds.g_max - bounds.g_min), " S")
    if bounds.g_density not in (EVERY, (0.0, 1.0)):
        density = (g.mean((-2, -1)) - bounds.g_min) / (bounds.g_max - bounds.g_min)
        yield _Quantity("density of g", density, bounds.g_density, DENSITY_SLACK, "")


def _width(limits: tuple[float, float]) -> float:
    """Of a range; where one end is open, the size of the other."""
    ends = [end for end in limits if math.isfinite(end)]
    return max(ends) - min(ends) if len(ends) == 2 else abs(ends[0])

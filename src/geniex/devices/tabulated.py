"""Cells as they were measured: a table of currents over voltages and states, interpolated without overshoot.

Each state's curve, divided by its conductance, is a monotone cubic in the voltage (Fritsch and Carlson, SIAM J. Numer.
Anal. 17, 1980; slopes as in SciPy's PchipInterpolator). Between states the shape is mixed linearly in log g.
"""

import functools
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.devices.base import DeviceModel, ScalarCell

__all__ = ["Tabulated"]


@dataclass(frozen=True)
class Tabulated(DeviceModel):
    """A measured family of I-V curves: I = g h(v; g), h being the measured currents over their state's conductance.

    Beyond the table, curves go on straight, and states have the shape of the nearest one. A table of voltages that are
    all at least 0 stands for its odd continuation; the origin belongs to every table.

    Attributes:
        voltages: (point,) in volt, ascending, on both sides of 0 V or from 0 V on.
        conductances: (state,) small-signal conductances at 0 V in siemens, ascending.
        currents: (state, point) in ampere.
    """

    voltages: tuple[float, ...]
    conductances: tuple[float, ...]
    currents: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        _check_axis("voltages", "V", self.voltages)
        _check_axis("conductances", "S", self.conductances)
        if self.conductances[0] <= 0:
            raise ValueError(f"`Tabulated(conductances=...)` must be positive; got {self.conductances[0]} S.")
        if self.voltages[-1] <= 0:
            raise ValueError(
                "`Tabulated(voltages=...)` must lie on both sides of 0 V, or start at 0 V or above; "
                f"got {self.voltages[0]} to {self.voltages[-1]} V."
            )
        self._check_currents()

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return g * self._shape(v, g)[0]

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return g * self._shape(v, g)[1]

    def scalar(self) -> ScalarCell:
        """The cell for compilation; see `DeviceModel.scalar`."""
        voltages, states, shapes, slopes = _tables(self)
        flat = [x for table in (shapes, slopes) for row in table for x in row]
        return ScalarCell(_tabulated, (float(len(voltages)), float(len(states)), *voltages, *states, *flat))

    def _check_currents(self) -> None:
        states, points = len(self.conductances), len(self.voltages)
        if len(self.currents) != states or any(len(row) != points for row in self.currents):
            raise ValueError(
                f"`Tabulated(currents=...)` must hold {states} rows, one per conductance, of {points} currents, "
                f"one per voltage; got {len(self.currents)} rows of {sorted({len(row) for row in self.currents})}."
            )
        for state, row in enumerate(self.currents):
            which = f"row {state} of `Tabulated(currents=...)` ({self.conductances[state]:g} S)"
            if not all(math.isfinite(i) for i in row):
                raise ValueError(f"Currents must be finite; {which} holds {[i for i in row if not math.isfinite(i)]}.")
            if any(v == 0 and i != 0 for v, i in zip(self.voltages, row, strict=True)):
                raise ValueError(f"A passive cell carries no current at 0 V; {which} does.")
        falling = {}
        for state, row in enumerate(self.currents):
            curve = sorted([*zip(self.voltages, row, strict=True), (0.0, 0.0)])
            falls = [b[0] for a, b in pairwise(curve) if b[1] < a[1]]
            if falls:
                falling[state] = falls
        if falling:
            named = "; ".join(
                f"row {state} ({self.conductances[state]:g} S) at {', '.join(f'{v:g}' for v in falls)} V"
                for state, falls in falling.items()
            )
            raise ValueError(
                f"`Tabulated(currents=...)` must not fall as the voltage rises; they do in {named}. "
                "Smooth the measurement (`geniex fit-device` does) or remove these points."
            )

    def _shape(self, v: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """H and its derivative with respect to `v`."""
        voltages, states, shapes, slopes = _tensors(self, v.dtype, v.device)
        at = (torch.searchsorted(voltages, v.detach().contiguous(), right=True) - 1).clamp(0, len(voltages) - 2)
        inside = torch.minimum(torch.maximum(v, voltages[0]), voltages[-1])
        beyond = v - inside
        log_g = torch.log(torch.where(g > 0, g, self.conductances[0]))
        if len(states) == 1:
            return _cubic(voltages, shapes[0], slopes[0], at, inside, beyond)
        log_g = torch.minimum(torch.maximum(log_g, states[0]), states[-1])
        state = (torch.searchsorted(states, log_g.detach().contiguous(), right=True) - 1).clamp(0, len(states) - 2)
        share = (log_g - states[state]) / (states[state + 1] - states[state])
        at, state = torch.broadcast_tensors(at, state)
        ends = []
        for nearest in (state, state + 1):
            k = nearest * len(voltages) + at
            ends.append(_cubic(voltages, shapes.flatten(), slopes.flatten(), at, inside, beyond, k))
        (low, low_slope), (high, high_slope) = ends
        return low + share * (high - low), low_slope + share * (high_slope - low_slope)


def _cubic(
    voltages: Tensor, y: Tensor, d: Tensor, at: Tensor, v: Tensor, beyond: Tensor, k: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Hermite's cubic and its derivative in interval `at`; `k` is that interval's place in `y` and `d`."""
    k = at if k is None else k
    width = voltages[at + 1] - voltages[at]
    t = (v - voltages[at]) / width
    rise = (y[k + 1] - y[k]) / width
    c, b = 3 * rise - 2 * d[k] - d[k + 1], d[k] + d[k + 1] - 2 * rise
    value = y[k] + width * t * (d[k] + t * (c + t * b))
    slope = d[k] + t * (2 * c + 3 * t * b)
    return value + slope * beyond, slope


def _check_axis(name: str, unit: str, values: tuple[float, ...]) -> None:
    if not values or not all(math.isfinite(x) for x in values):
        raise ValueError(f"`Tabulated({name}=...)` must hold finite numbers; got {values}.")
    for a, b in pairwise(values):
        if not a < b:
            raise ValueError(f"`Tabulated({name}=...)` must ascend; got {a} {unit} before {b} {unit}.")


@functools.lru_cache(maxsize=64)
def _tables(device: Tabulated) -> tuple[list[float], list[float], list[list[float]], list[list[float]]]:
    """Voltages with the origin and both signs, log conductances, shapes (state, point) and their slopes."""
    voltages, rows = list(device.voltages), [list(row) for row in device.currents]
    if 0.0 not in voltages:
        place = sum(v < 0 for v in voltages)
        voltages.insert(place, 0.0)
        for row in rows:
            row.insert(place, 0.0)
    if voltages[0] == 0:
        rows = [[-i for i in row[:0:-1]] + row for row in rows]
        voltages = [-v for v in voltages[:0:-1]] + voltages
    shapes = [[i / g for i in row] for row, g in zip(rows, device.conductances, strict=True)]
    return voltages, [math.log(g) for g in device.conductances], shapes, [_slopes(voltages, y) for y in shapes]


@functools.lru_cache(maxsize=64)
def _tensors(device: Tabulated, dtype: torch.dtype, place: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(table, dtype=dtype, device=place) for table in _tables(device))


def _slopes(x: list[float], y: list[float]) -> list[float]:
    """Slopes at the points for which the cubic between them is monotone."""
    width = [b - a for a, b in pairwise(x)]
    rise = [(b - a) / h for (a, b), h in zip(pairwise(y), width, strict=True)]
    inner = []
    for k in range(1, len(rise)):
        left, right = 2 * width[k] + width[k - 1], width[k] + 2 * width[k - 1]
        steep = rise[k - 1] > 0 and rise[k] > 0
        inner.append((left + right) / (left / rise[k - 1] + right / rise[k]) if steep else 0.0)
    return [_end_slope(width, rise), *inner, _end_slope(width[::-1], rise[::-1])]


def _end_slope(width: list[float], rise: list[float]) -> float:
    """Slope at the first point, from the first three."""
    if len(rise) == 1:
        return rise[0]
    slope = ((2 * width[0] + width[1]) * rise[0] - width[0] * rise[1]) / (width[0] + width[1])
    return min(max(slope, 0.0), 3 * rise[0])


@no_type_check
def _tabulated(v, g, p):
    """P is the number of points and of states, then voltages, log conductances, shapes and slopes."""
    points, states = int(p[0]), int(p[1])
    first, shapes = 2 + points, 2 + points + states
    slopes = shapes + points * states
    at = _interval(p, 2, points, v)
    inside = min(max(v, p[2]), p[1 + points])
    width = p[3 + at] - p[2 + at]
    t, beyond = (inside - p[2 + at]) / width, v - inside
    state, share = 0, 0.0
    if states > 1 and g > 0:
        log_g = min(max(math.log(g), p[first]), p[first + states - 1])
        state = _interval(p, first, states, log_g)
        share = (log_g - p[first + state]) / (p[first + state + 1] - p[first + state])
    value, slope = 0.0, 0.0
    for end in range(2 if states > 1 else 1):
        weight = share if end else 1.0 - share
        k = (state + end) * points + at
        y, d, e = p[shapes + k], p[slopes + k], p[slopes + k + 1]
        rise = (p[shapes + k + 1] - y) / width
        c, b = 3.0 * rise - 2.0 * d - e, d + e - 2.0 * rise
        steep = d + t * (2.0 * c + 3.0 * t * b)
        value += weight * (y + width * t * (d + t * (c + t * b)) + steep * beyond)
        slope += weight * steep
    return g * value, g * slope


@no_type_check
def _interval(p, first, count, x):
    """The k in 0 .. count - 2 of the interval of p[first] .. p[first + count - 1] that holds `x`, or is next to it."""
    low, high = 0, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        if p[first + middle] <= x:
            low = middle
        else:
            high = middle
    return low

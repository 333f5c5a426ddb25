"""A memory element in series with an access element: how the voltage divides between them.

The voltage x over the memory element solves I_memory(x; g) = I_access(v - x). Both sides are monotone, so that Newton's
method inside a bracket finds it to rounding, cell by cell. The state `g` stays the memory element's conductance.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, no_type_check

import torch
from torch import Tensor

from geniex.devices.base import DeviceModel, ScalarCell
from geniex.devices.functions import resolution

__all__ = ["AccessElement", "series_current", "series_scalar", "series_slope"]

AccessElement = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Current in ampere and slope in siemens of an access element at a voltage in volt."""

LONGEST = 400  # steps: Newton's method needs 3 to 20
ROUNDINGS = 4  # of the voltage, that the last step may be long


def series_current(memory: DeviceModel, access: AccessElement, v: Tensor, g: Tensor) -> Tensor:
    """Current in ampere. Differentiable once, by the implicit function theorem: one more step of Newton's method."""
    x = _divide(memory, access, v, g)
    with torch.no_grad():
        slopes = memory.slope(x, g) + access(v - x)[1]
    excess = memory.current(x, g) - access(v - x)[0]
    return memory.current(x - excess / torch.where(slopes > 0, slopes, 1), g)


def series_slope(memory: DeviceModel, access: AccessElement, v: Tensor, g: Tensor) -> Tensor:
    """Slope in siemens: that of two slopes in series, 0 where one of them is."""
    with torch.no_grad():
        x = _divide(memory, access, v, g)
        a, b = memory.slope(x, g), access(v - x)[1]
        larger, smaller = torch.maximum(a, b), torch.minimum(a, b)
        return smaller / (1 + smaller / torch.where(larger > 0, larger, 1))


def series_scalar(memory: DeviceModel, access: ScalarCell) -> ScalarCell | None:
    """The cell for compilation, None if the memory element has none.

    Args:
        memory: the memory element.
        access: the access element as a function (y, p) -> (current, slope), with its parameters.
    """
    cell = memory.scalar()
    if cell is None:
        return None
    rows = max((len(p) for p in (access.parameters, cell.parameters) if isinstance(p[0], tuple)), default=0)
    own: Any = access.parameters[0] if isinstance(access.parameters[0], tuple) else access.parameters
    function = _cell_in_series(access.function, len(own), cell.function)
    quick = _quick_in_series(access.function, len(own), cell.quick or _holding(cell.function))
    if not rows:
        return ScalarCell(function, (*access.parameters, *cell.parameters), quick)  # pyright: ignore[reportArgumentType]
    each: Any = [p if isinstance(p[0], tuple) else (p,) * rows for p in (access.parameters, cell.parameters)]
    return ScalarCell(function, tuple((*a, *b) for a, b in zip(*each, strict=True)), quick)


@torch.no_grad()
def _divide(memory: DeviceModel, access: AccessElement, v: Tensor, g: Tensor) -> Tensor:
    """Voltage over the memory element: Newton's method, or the middle of the bracket where that does not halve."""
    v = v.expand(torch.broadcast_shapes(v.shape, g.shape, access(v)[0].shape))
    low, high = v.clamp(max=0), v.clamp(min=0)
    x = torch.where(access(v)[0] == 0, 0, v)  # an open switch leaves the memory element nothing
    before = torch.full_like(v, torch.inf)
    for _ in range(LONGEST):
        through, steepness = access(v - x)
        excess, slopes = memory.current(x, g) - through, memory.slope(x, g) + steepness
        low, high = torch.where(excess < 0, x, low), torch.where(excess > 0, x, high)
        new, middle = x - excess / slopes, (low + high) / 2
        done = (excess == 0) | ((new - x).abs() <= ROUNDINGS * torch.finfo(v.dtype).eps * x.abs())
        fast = (new > low) & (new < high) & (excess.abs() <= before / 2)
        stuck = (middle == low) | (middle == high)
        x, before = torch.where(done, x, torch.where(fast, new, middle)), excess.abs()
        done = done | (stuck & ~fast)
        if done.all():
            break
    return x


@functools.cache
def _cell_in_series(access: Callable[..., Any], own: int, memory: Callable[..., Any]) -> Callable[..., Any]:
    """The scalar function of a cell in series; the first `own` parameters are those of the access element."""

    @no_type_check
    def cell(v, g, p):
        low, high, x, before = min(v, 0.0), max(v, 0.0), v + 0.0, math.inf
        i, s, t = 0.0, 0.0, 0.0
        if access(v, p)[0] == 0:  # an open switch leaves the memory element nothing
            x = 0.0
        for _ in range(400):
            i, s = memory(x, g, p[own:])
            through, t = access(v - x, p)
            excess = i - through
            if excess == 0:
                break
            if excess > 0:
                high = x
            else:
                low = x
            middle = 0.5 * (low + high)
            new = x - excess / (s + t) if s + t > 0 else middle
            if abs(new - x) <= 9e-16 * abs(x):
                break
            if not (low < new < high) or abs(excess) > 0.5 * before:
                if middle == low or middle == high:
                    break
                new = middle
            x, before = new, abs(excess)
        larger, smaller = max(s, t), min(s, t)
        if larger > 0:
            return i, smaller / (1.0 + smaller / larger)
        return i, 0.0 * i

    return cell


@functools.cache
def _quick_in_series(access: Callable[..., Any], own: int, memory: Callable[..., Any]) -> Callable[..., Any]:
    """Six steps of Newton's method from the whole voltage, and whether the last one was short enough.

    `memory` says of its current and slope whether they hold, as `ScalarCell.quick` does.
    """

    @no_type_check
    def step(v, g, p, x):
        i, s, holds = memory(x, g, p[own:])
        through, t = access(v - x, p)
        change = (i - through) / (s + t)
        nothing = v - v
        low, high = (v if v < nothing else nothing), (v if v > nothing else nothing)
        new = x - change
        new = low if new < low else new
        new = high if new > high else new
        return new, change, i, s, t, holds

    @no_type_check
    def quick(v, g, p):
        x, _, _, _, _, _ = step(v, g, p, v)
        x, _, _, _, _, _ = step(v, g, p, x)
        x, _, _, _, _, _ = step(v, g, p, x)
        x, _, _, _, _, _ = step(v, g, p, x)
        x, _, _, _, _, _ = step(v, g, p, x)
        x, change, i, s, t, holds = step(v, g, p, x)
        return i - s * change, s * (t / (s + t)), holds & (abs(change) <= resolution(x) * abs(x))

    return quick


@functools.cache
def _holding(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a `quick` one that always holds."""

    @no_type_check
    def quick(v, g, p):
        i, s = function(v, g, p)
        return i, s, True

    return quick

"""Contracts that devices, models of the crossbar and mappings keep: run them on your own.

Each check raises AssertionError naming the property that failed and the numbers. They need no test runner.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from geniex.devices import DeviceModel
from geniex.mapping import Mapping
from geniex.models.base import CrossbarModel
from geniex.models.guard import OperatingRange
from geniex.models.randomness import replaying, states

__all__ = ["check_device", "check_mapping", "check_model"]

SIEMENS = 1e-5  # scale of a typical conductance: finite differences need numbers near 1


def check_device(device: DeviceModel, v_max: float = 0.5, g_max: float = 1e-4) -> None:
    """Check that `device` is a passive cell whose slope and derivatives are those of its current.

    Args:
        device: the I-V curve.
        v_max: voltages from -v_max to v_max are tried, in volt.
        g_max: conductances up to g_max are tried, in siemens.
    """
    v = torch.linspace(-v_max, v_max, 101, dtype=torch.float64)
    g = torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)[:, None] * g_max
    _check_elementwise(device, v, g)
    i, slope = device.current(v, g), device.slope(v, g)
    at_rest = device.current(torch.zeros_like(g), g)
    _require(bool((at_rest == 0).all()), "no current flows at 0 V", at_rest.abs().max())
    rounding = 1e-14 * i.abs().amax(-1, keepdim=True)
    _require(bool((i.diff(dim=-1) >= -rounding).all()), "current never falls as voltage rises", i.diff(dim=-1).min())
    _require(bool((slope >= 0).all()), "the slope is never negative", slope.min())
    _check_slope(device, v, g, slope)
    _check_scalar(device, v, g, i, slope)
    _check_gradient(
        lambda v, g: device.current(v, g * g_max) / g_max, (v[::10], (g / g_max).expand(3, 11)), "the current"
    )


def check_model(
    model: CrossbarModel, size: tuple[int, int] = (5, 4), dtypes: tuple[torch.dtype, ...] | None = None
) -> None:
    """Check that `model` keeps the contract of `CrossbarModel`, within its `operating_range`.

    A model that draws from generators is made to draw the same each time, and is left as it was.

    Args:
        model: the model.
        size: rows and columns to try, where the model takes any.
        dtypes: dtypes to try; None is that of the model's parameters, or float64 and float32 where it has none.
    """
    bounds = model.operating_range or OperatingRange(*size)
    recorded = states(model)

    def currents(v: Tensor, g: Tensor) -> Tensor:
        with replaying(model, recorded):
            return model(v, g)

    with replaying(model, recorded):
        for dtype in dtypes or _dtypes(model):
            v, g = _draw(bounds, dtype)
            i = currents(v, g)
            _check_currents(i, v, g)
            _check_stages(model, recorded, (v, g, i))
            if not recorded:  # else another batch is another draw
                _check_batch(model, v, g, i)
            at_rest = currents(torch.zeros_like(v), g)
            _require(bool((at_rest == 0).all()), "no current flows at 0 V", at_rest.abs().max())
            _check_refusals(model, v, g)
            if dtype == torch.float64:
                scaled = v[:1, :2], g[0] / SIEMENS
                _check_gradient(lambda v, g: currents(v, g * SIEMENS) / SIEMENS, scaled, "the model")


def check_mapping(mapping: Mapping, bits: int = 6) -> None:
    """Check that `mapping` stores every signed number of `bits` bits, and gives exact products back."""
    smallest, largest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    w = torch.arange(smallest, largest + 1, dtype=torch.int32).view(-1, 4)
    levels = mapping.encode(w, bits)
    _require(levels.shape == (mapping.arrays, *w.shape), "encode makes `arrays` arrays", levels.shape)
    _require(not levels.is_floating_point(), "encode makes whole numbers", levels.dtype)
    _require(bool((levels >= 0).all() and (levels < 2**bits).all()), "levels lie in 0 .. 2^bits - 1", levels)
    x = torch.tensor([[-7, 1], [0, 3]], dtype=torch.float64).repeat(1, len(w))[:, : len(w)]
    products = mapping.decode(x @ levels.double(), x, bits)
    exact = x @ w.double()
    _require(torch.equal(products, exact), "decode gives the signed products exactly", (products - exact).abs().max())


def _require(holds: bool, property_: str, found: object) -> None:
    if not holds:
        raise AssertionError(f"This should hold: {property_}. Found {found}.")


def _require_finite(x: Tensor, property_: str) -> None:
    wrong = int((~torch.isfinite(x)).sum())
    _require(wrong == 0, property_, f"{wrong} of {x.numel()} values that are not")


def _check_elementwise(device: DeviceModel, v: Tensor, g: Tensor) -> None:
    for dtype in (torch.float64, torch.float32):
        for name, function in (("current", device.current), ("slope", device.slope)):
            y = function(v.to(dtype), g.to(dtype))
            _require(y.shape == (3, 101), f"`{name}` broadcasts v and g elementwise", y.shape)
            _require(y.dtype == dtype, f"`{name}` keeps the dtype {dtype}", y.dtype)
            _require_finite(y, f"`{name}` is finite in {dtype}")


def _check_slope(device: DeviceModel, v: Tensor, g: Tensor, slope: Tensor) -> None:
    step = 1e-6 * (v[-1] - v[0])
    numeric = (device.current(v + step, g) - device.current(v - step, g)) / (2 * step)
    far = ((slope - numeric).abs() / numeric.abs().amax(-1, keepdim=True)).max()
    _require(bool(far < 1e-6), "`slope` is the derivative of `current`", far)


def _check_scalar(device: DeviceModel, v: Tensor, g: Tensor, i: Tensor, slope: Tensor) -> None:
    cell = device.scalar()
    if cell is None:
        return
    for row in range(len(g)):
        one_for_all = not isinstance(cell.parameters[0], tuple)
        p = cell.parameters if one_for_all else cell.parameters[row]
        for function, form in ((cell.function, "scalar function"), (cell.quick, "quick scalar function")):
            if function is None:
                continue
            found = [function(np.float64(x), np.float64(g[row].item()), p) for x in v.tolist()]
            holds = torch.tensor([bool(one[2]) if len(one) > 2 else True for one in found])
            values = torch.tensor([one[:2] for one in found], dtype=v.dtype).T
            wanted = (("current", i[row], 1e-11), ("slope", slope[row], 1e-11 if function is cell.function else 1e-8))
            for (name, y, most), x in zip(wanted, values, strict=True):
                far = torch.where(holds, (x - y).abs(), 0).max() / y.abs().max().clamp(min=1e-300)
                _require(bool(far < most), f"the {form} gives what `{name}` does", far)


def _check_gradient(function: Callable[[Tensor, Tensor], Tensor], inputs: tuple[Tensor, Tensor], what: str) -> None:
    leaves = tuple(x.detach().clone().requires_grad_() for x in inputs)
    try:
        torch.autograd.gradcheck(function, leaves, atol=1e-5)
    except RuntimeError as error:
        raise AssertionError(f"This should hold: {what} is differentiable in v and g. {error}") from error


def _dtypes(model: CrossbarModel) -> tuple[torch.dtype, ...]:
    parameter = next(model.parameters(), None)
    return (torch.float64, torch.float32) if parameter is None else (parameter.dtype,)


def _draw(bounds: OperatingRange, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Voltages (3, 6, row) and conductances (2, 1, row, col) well inside the range."""
    generator = torch.Generator().manual_seed(0)
    v_min, v_max = _span(bounds.v_min, bounds.v_max, (-0.3, 0.3))
    g_min, g_max = _span(bounds.g_min, bounds.g_max, (SIEMENS / 10, SIEMENS))
    v = v_min + (v_max - v_min) * (0.1 + 0.8 * torch.rand(3, 6, bounds.rows, generator=generator, dtype=torch.float64))
    share = 0.1 + 0.8 * torch.rand(2, 1, bounds.rows, bounds.cols, generator=generator, dtype=torch.float64)
    return v.to(dtype), (g_min + (g_max - g_min) * share).to(dtype)


def _span(low: float, high: float, usual: tuple[float, float]) -> tuple[float, float]:
    """The usual values inside low .. high, or all of low .. high where that has none of them."""
    inside = max(low, usual[0]), min(high, usual[1])
    return inside if inside[0] < inside[1] else (low, high)


def _check_currents(i: Tensor, v: Tensor, g: Tensor) -> None:
    """Shape, dtype and values of the currents for v (3, input, row) and g (2, 1, row, col)."""
    expected = (2, 3, v.shape[-2], g.shape[-1])
    _require(i.shape == expected, "leading dimensions broadcast as in matmul", i.shape)
    _require(i.dtype == g.dtype, f"the currents keep the dtype {g.dtype}", i.dtype)
    _require_finite(i, "currents are finite")


def _check_stages(model: CrossbarModel, recorded: list[Tensor], example: tuple[Tensor, Tensor, Tensor]) -> None:
    """The currents `i` of `v` and `g` are those of programming, and of writing, then reading."""
    v, g, i = example
    with replaying(model, recorded):
        again = model.program(g)(v)
    _require(torch.equal(again, i), "program(g)(v) equals model(v, g)", (again - i).abs().max())
    with replaying(model, recorded):
        written = model.after_writing.program(model.write(g))(v)
    _require(torch.equal(written, i), "program(g) equals after_writing.program(write(g))", (written - i).abs().max())


def _check_batch(model: CrossbarModel, v: Tensor, g: Tensor, i: Tensor) -> None:
    one = torch.stack([torch.stack([model(v[b], g[a, 0]) for b in range(3)]) for a in range(2)])
    far = (one - i).abs().max() / i.abs().max()
    tolerance = 1e-8 if g.dtype == torch.float64 else 1e-4
    _require(bool(far < tolerance), "a batch computes what single crossbars do", far)


def _check_refusals(model: CrossbarModel, v: Tensor, g: Tensor) -> None:
    """Bad input raises ValueError, or jaxtyping's error where shapes in annotations are checked at run time."""
    cases = {
        "a negative conductance": (v, -g),
        "a conductance that is not finite": (v, g.clone().fill_(torch.nan)),
        "a voltage that is not finite": (v.clone().fill_(torch.nan), g),
        "voltages for another number of rows": (v[..., 1:], g),
        "conductances without two dimensions": (v, g[0, 0, 0]),
        "leading dimensions that do not broadcast": (v, g.expand(2, 2, -1, -1)),
    }
    for what, (bad_v, bad_g) in cases.items():
        try:
            model.program(bad_g)(bad_v)
        except (ValueError, TypeCheckError):
            continue
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
            raise AssertionError(f"This should hold: {what} raises ValueError. Found {found}.") from error
        raise AssertionError(f"This should hold: {what} raises ValueError. Found no error.")

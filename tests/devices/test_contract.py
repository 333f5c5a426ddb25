from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from geniex.devices import (
    DeviceModel,
    Filament,
    Ohmic,
    ScalarCell,
    Selector,
    SeriesAccess,
    Sinh,
    Tabulated,
    Transistor1T1R,
)
from geniex.testing import check_device
from tests.tolerances import SAME_ALGORITHM


@dataclass(frozen=True)
class Cubic(DeviceModel):
    """A user's device, without a slope of its own."""

    k: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)


def cubic_cell(v, g, p):
    return g * (v + p[0] * v**3), g * (1 + 3 * p[0] * v**2)


@dataclass(frozen=True)
class Compiled(DeviceModel):
    """The same with a scalar form; `told` is what that says of k."""

    k: float = 4.0
    told: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)

    def scalar(self):
        return ScalarCell(cubic_cell, (self.told,))


@dataclass(frozen=True)
class InSeries(DeviceModel):
    """Ohmic cells behind `ohm`: `g` is not the slope at 0 V, which the contract does not ask for."""

    ohm: float = 5000.0

    def current(self, v, g):
        return v * g / (1 + self.ohm * g)


@dataclass(frozen=True)
class Assembled(DeviceModel):
    """A device made of any two functions, to break the contract with."""

    i: Callable = lambda v, g: g * v
    di: Callable = lambda v, g: g + 0 * v

    def current(self, v, g):
        return self.i(v, g)

    def slope(self, v, g):
        return self.di(v, g)


TABLE = Tabulated(
    (0.1, 0.2, 0.3, 0.5),
    (7e-7, 1.2e-5, 1.5e-4),
    ((8e-8, 1.8e-7, 3e-7, 7e-7), (1.3e-6, 2.7e-6, 4.4e-6, 9.9e-6), (1.5e-5, 3.1e-5, 4.8e-5, 9e-5)),
)
DEVICES = [
    Ohmic(),
    Sinh(),
    Sinh(0.05),
    Filament(1e-4),
    TABLE,
    SeriesAccess(Sinh(), 5e3),
    SeriesAccess(Sinh(), 0.0),
    SeriesAccess(TABLE, 1e4),
    SeriesAccess(Cubic(), 5e3),
    Selector(Sinh(), 1e-9, 0.05),
    Selector(Ohmic(), 1e-12, 0.03),
    SeriesAccess(Selector(Sinh(), 1e-8, 0.1), 2e3),
    Transistor1T1R(Sinh(), 1.2),
    Transistor1T1R(Sinh(), 1.2, channel_modulation=0.05),
    Transistor1T1R(Sinh(), 0.6, k=1e-5),
    Transistor1T1R(Sinh(), 0.1913),
    Transistor1T1R(Sinh(), (0.2713, 0.6137, 1.5)),
    Cubic(),
    InSeries(),
    Compiled(),
]


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: f"{type(device).__name__}{DEVICES.index(device)}")
def test_devices_keep_the_contract(device):
    check_device(device)


@pytest.mark.parametrize(
    ("device", "property_"),
    [
        (Assembled(i=lambda v, g: g * v + 1e-9), r"no current flows at 0 V\. Found 1e-09"),
        (Assembled(di=lambda v, g: 1.01 * g + 0 * v), r"`slope` is the derivative of `current`\. Found 0.01"),
        (Assembled(i=lambda v, g: g * (v - 20 * v**3)), r"current never falls as voltage rises\. Found -"),
        (Assembled(di=lambda v, g: -g + 0 * v), r"the slope is never negative\. Found -0.0001"),
        (Compiled(told=4.4), r"the scalar function gives what `current` does\. Found 0.05"),
        (
            Assembled(i=lambda v, g: (g * v)[:1]),
            r"`current` broadcasts v and g elementwise\. Found torch.Size\(\[1, 101",
        ),
        (Assembled(di=lambda v, g: g), r"`slope` broadcasts v and g elementwise\. Found torch.Size\(\[3, 1\]\)"),
        (Assembled(i=lambda v, g: (g * v).float()), r"`current` keeps the dtype torch.float64\. Found torch.float32"),
        (Assembled(i=lambda v, g: g * v.where(v < 0.4, torch.nan)), r"`current` is finite .*Found 33 of 303 values"),
        (Assembled(i=lambda v, g: g.detach() * v), "the current is differentiable in v and g"),
    ],
    ids=[
        "offset",
        "tilt",
        "falls",
        "negative slope",
        "another scalar",
        "shape",
        "shape of slope",
        "dtype",
        "nan",
        "gradient",
    ],
)
def test_the_contract_names_what_is_broken(device, property_):
    with pytest.raises(AssertionError, match=property_):
        check_device(device)


def test_sinh_is_a_resistor_at_small_voltages_and_18_percent_more_at_v0():
    g = torch.tensor(1e-5, dtype=torch.float64)
    small, v0 = torch.tensor(1e-6, dtype=torch.float64), torch.tensor(0.25, dtype=torch.float64)
    torch.testing.assert_close(Sinh(0.25).current(small, g), g * small, rtol=1e-10, atol=0)  # v^2 / (6 v0^2) = 3e-12
    assert 1.17 < Sinh(0.25).current(v0, g) / (g * v0) < 1.18


def test_a_slope_by_automatic_differentiation_is_exact_also_without_gradients():
    v, g = torch.linspace(-1, 1, 11, dtype=torch.float64), torch.tensor(2e-6, dtype=torch.float64)
    expected = g * (1 + 12 * v**2)
    with torch.inference_mode():
        slope = Cubic(4.0).slope(v, g)
    torch.testing.assert_close(slope, expected, rtol=SAME_ALGORITHM, atol=0)

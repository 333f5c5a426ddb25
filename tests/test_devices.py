from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from geniex.devices import DeviceModel, Ohmic, Sinh
from geniex.testing import check_device
from tests.tolerances import SAME_ALGORITHM


@dataclass(frozen=True)
class Cubic(DeviceModel):
    """A user's device, without a slope of its own."""

    k: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)


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


@pytest.mark.parametrize("device", [Ohmic(), Sinh(), Sinh(0.05), Cubic(), InSeries()], ids=repr)
def test_devices_keep_the_contract(device):
    check_device(device)


@pytest.mark.parametrize(
    ("device", "property_"),
    [
        (Assembled(i=lambda v, g: g * v + 1e-9), r"no current flows at 0 V\. Found 1e-09"),
        (Assembled(di=lambda v, g: 1.01 * g + 0 * v), r"`slope` is the derivative of `current`\. Found 0.01"),
        (Assembled(i=lambda v, g: g * (v - 20 * v**3)), r"current never falls as voltage rises\. Found -"),
        (Assembled(di=lambda v, g: 0 * g * v), r"the slope is positive where g is\. Found 0.0"),
        (
            Assembled(i=lambda v, g: (g * v)[:1]),
            r"`current` broadcasts v and g elementwise\. Found torch.Size\(\[1, 101",
        ),
        (Assembled(di=lambda v, g: g), r"`slope` broadcasts v and g elementwise\. Found torch.Size\(\[3, 1\]\)"),
        (Assembled(i=lambda v, g: (g * v).float()), r"`current` keeps the dtype torch.float64\. Found torch.float32"),
        (Assembled(i=lambda v, g: g * v.where(v < 0.4, torch.nan)), r"`current` is finite .*Found 33 of 303 values"),
        (Assembled(i=lambda v, g: g.detach() * v), "the current is differentiable in v and g"),
    ],
    ids=["offset", "tilt", "falls", "flat", "shape", "shape of slope", "dtype", "nan", "gradient"],
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


@pytest.mark.parametrize("v0", [0.0, -0.25, float("nan")])
def test_sinh_needs_a_positive_voltage(v0):
    with pytest.raises(ValueError, match=rf"`Sinh\(v0=...\)` must be positive; got {v0} V"):
        Sinh(v0)

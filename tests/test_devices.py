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
class Broken(Cubic):
    """A device with something wrong: `offset` in ampere, a `tilt` of the slope, or a current that `falls`."""

    offset: float = 0.0
    tilt: float = 1.0
    falls: bool = False

    def current(self, v, g):
        return self.offset + g * (v - 20 * v**3 if self.falls else v)

    def slope(self, v, g):
        return self.tilt * super().slope(v, g)


@pytest.mark.parametrize("device", [Ohmic(), Sinh(), Sinh(0.05), Cubic()], ids=repr)
def test_devices_keep_the_contract(device):
    check_device(device)


@pytest.mark.parametrize(
    ("device", "property_"),
    [
        (Broken(offset=1e-9), "no current flows at 0 V"),
        (Broken(tilt=1.01), "`slope` is the derivative"),
        (Broken(falls=True), "current never falls"),
    ],
    ids=["offset", "tilt", "falls"],
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

import pytest
import torch

from geniex.devices import Filament, Sinh
from tests.tolerances import SAME_ALGORITHM


@pytest.mark.parametrize("v0", [0.0, -0.25, float("nan")])
def test_sinh_needs_a_positive_voltage(v0):
    with pytest.raises(ValueError, match=rf"`Sinh\(v0=...\)` must be positive; got {v0} V"):
        Sinh(v0)


def test_a_filament_is_the_law_of_the_paper():
    """I = I0 exp(-d / d0) sinh(v / v0), computed from the gap."""
    cell = Filament(i0=1e-4, d0=0.25e-9, v0=0.2)
    gap = torch.tensor([0.0, 0.1e-9, 1e-9], dtype=torch.float64)
    v = torch.tensor([-0.4, 0.1, 0.5], dtype=torch.float64)[:, None]
    expected = 1e-4 * torch.exp(-gap / 0.25e-9) * torch.sinh(v / 0.2)
    torch.testing.assert_close(cell.current(v, cell.conductance(gap)), expected, rtol=SAME_ALGORITHM, atol=0)
    torch.testing.assert_close(cell.gap(cell.conductance(gap)), gap, rtol=1e-9, atol=1e-24)


def test_a_gap_lies_between_the_electrodes():
    cell = Filament(i0=1e-4, v0=0.25)
    with pytest.raises(ValueError, match="`gap` must be at least 0 m; the smallest is -1e-10 m"):
        cell.conductance(torch.tensor([1e-10, -1e-10]))
    with pytest.raises(ValueError, match=r"at most at i0 / v0 = 0.0004 S.*got 0.0001 to 0.0005 S"):
        cell.gap(torch.tensor([1e-4, 5e-4]))
    with pytest.raises(ValueError, match=r"above 0 .*got 0 to 0 S"):
        cell.gap(torch.zeros(1))


@pytest.mark.parametrize(("name", "unit"), [("i0", "A"), ("d0", "m"), ("v0", "V")])
def test_a_filament_needs_positive_parameters(name, unit):
    with pytest.raises(ValueError, match=rf"`Filament\({name}=...\)` must be positive; got 0.0 {unit}"):
        Filament(**{"i0": 1e-4, name: 0.0})

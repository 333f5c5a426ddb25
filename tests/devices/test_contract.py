from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from geniex.circuit.batched import TorchSolver
from geniex.circuit.kernels import CompiledSolver
from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import (
    DeviceModel,
    Filament,
    Ohmic,
    Selector,
    SeriesAccess,
    Sinh,
    Tabulated,
    Transistor1T1R,
)
from geniex.models.circuit import Circuit
from geniex.testing import check_device
from tests.devices.own import Compiled, Cubic, TorchOnly
from tests.tolerances import SAME_ALGORITHM


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
    Compiled(told_quickly=4.0),
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
        (Compiled(told_quickly=4.4), r"the quick scalar function gives what `current` does\. Found 0.02"),
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
        "another quick scalar",
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


def test_a_scalar_function_of_ones_own_is_compiled_into_the_solver(random_circuit):
    """To the currents of the same cells without one, and to their gradients."""
    spec = CrossbarSpec(20, 7, r_source=3000.0, r_sink=1000.0, r_row=30.0, r_col=50.0)
    v, g = random_circuit(spec, v_max=0.8)
    assert isinstance(NewtonKrylov(spec, Compiled()).solver(v), CompiledSolver)
    assert isinstance(NewtonKrylov(spec, Cubic()).solver(v), TorchSolver)
    found = []
    for device in (Compiled(), Cubic()):
        leaves = v.clone().requires_grad_(), g.clone().requires_grad_()
        i = Circuit(spec, device, rtol=1e-13)(*leaves)
        i.square().sum().backward()
        found.append((i.detach(), *(leaf.grad for leaf in leaves)))
    for compiled, in_torch in zip(*found, strict=True):
        torch.testing.assert_close(compiled, in_torch, rtol=1e-10, atol=1e-12 * in_torch.abs().max().item())


@pytest.mark.parametrize("way", [lambda device: device, TorchOnly], ids=["compiled", "torch"])
@pytest.mark.parametrize("device", DEVICES, ids=lambda device: f"{type(device).__name__}{DEVICES.index(device)}")
def test_gradients_through_a_crossbar_are_those_of_finite_differences(device, way, generator):
    """Between the points of the table and away from thresholds, where derivatives jump."""
    spec = CrossbarSpec(3, 2, r_source=3000.0, r_sink=1000.0, r_row=100.0, r_col=200.0)
    v = 0.05 + 0.3 * torch.rand(2, 3, generator=generator, dtype=torch.float64)
    g = 0.2 + torch.rand(3, 2, generator=generator, dtype=torch.float64)
    circuit = Circuit(spec, way(device), rtol=1e-13)
    leaves = v.requires_grad_(), g.requires_grad_()
    assert torch.autograd.gradcheck(lambda v, g: circuit(v, g * 1e-5) / 1e-5, leaves, eps=1e-6, atol=1e-5)

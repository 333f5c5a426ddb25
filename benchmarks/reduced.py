"""Errors of NF against the exact circuit, in float64: `ReducedOrder` at each order on many circuits, by factors.

Circuits are 64x64 with R_on 100 kohm, on/off 6, drivers of 500, sinks of 100 and wires of 2.5 ohm, `Sinh` cells with V0
0.25 V and inputs up to 0.5 V, but for what a row names. Inputs and conductances have 16 levels, uniform, and a share of
zeros between 0 and 95 % each. `x` is how many times the error lies below that of `LinearCircuit`. "all" keeps every
function of the input that the tables have: what is left there is no matter of order. Where r_col is taken away,
r_sink grows to the mean resistance of the bit line, so that its mean potential stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from geniex import Circuit, CrossbarModel, CrossbarSpec, DeviceModel, LinearCircuit, Ohmic, ReducedOrder, presets
from geniex.devices import Selector, SeriesAccess, Sinh, Transistor1T1R
from geniex.emulation.sampling import DigitSampling, MixedDigits, generator_of
from geniex.models.reduced.model import ORDERS
from geniex.models.reduced.tables import Order
from geniex.nf import NfError, nf_error
from geniex.window import Window

__all__ = ["Case", "compare", "reduced_models", "rows", "samples"]

CROSSBARS, INPUTS = 8, 32
EXACT = 1e-6  # percent: rounding and the solver's residual
DIGITS = MixedDigits(network_share=0.0)
NOMINAL = presets.nominal_crossbar()


@dataclass(frozen=True)
class Case:
    """Circuits of one kind.

    Attributes:
        name: what is not nominal.
        spec: geometry and parasitics.
        device: the cells.
        window: voltages and conductances of the levels.
    """

    name: str
    spec: CrossbarSpec = NOMINAL
    device: DeviceModel = field(default_factory=lambda: Sinh(0.25))
    window: Window = field(default_factory=lambda: Window(v_max=0.5))


CASES = (
    Case("0.25 V", window=Window(v_max=0.25)),
    Case("0.5 V"),
    Case("wires of 20 ohm", CrossbarSpec(64, 64, r_row=20.0, r_col=20.0)),
    Case("16x16", presets.nominal_crossbar(16, 16)),
    Case("32x32", presets.nominal_crossbar(32, 32)),
    Case("128x128", presets.nominal_crossbar(128, 128)),
    Case("48x96", presets.nominal_crossbar(48, 96)),
    Case("R_on 50 kohm", window=Window(0.5, 2e-5, 2e-5 / 6)),
    Case("R_on 300 kohm", window=Window(0.5, 1e-5 / 3, 1e-5 / 18)),
    Case("on/off 2", window=Window(0.5, 1e-5, 1e-5 / 2)),
    Case("on/off 10", window=Window(0.5, 1e-5, 1e-5 / 10)),
    Case("drivers 1000, sinks 500 ohm", presets.harsh_crossbar()),
    Case("driven and sensed at both ends", CrossbarSpec(64, 64, driven_ends=2, sensed_ends=2)),
    Case("SeriesAccess, 2 kohm", device=SeriesAccess(Sinh(0.25), 2000.0)),
    Case("Transistor1T1R, gate at 1.2 V", device=Transistor1T1R(Sinh(0.25), v_gate=1.2)),
    Case("Selector, 1 uA, 50 mV", device=Selector(Sinh(0.25), i0=1e-6, v0=0.05)),
    Case("Ohmic", device=Ohmic()),
    Case("Ohmic, r_col = 0", CrossbarSpec(64, 64, r_col=0.0), Ohmic()),
    Case("Ohmic, r_source = r_row = 0", CrossbarSpec(64, 64, r_source=0.0, r_row=0.0), Ohmic()),
    Case("r_col = 0, r_sink = 152", CrossbarSpec(64, 64, r_sink=152.0, r_col=0.0)),
    Case("wires of 20 ohm, r_col = 0, r_sink = 517", CrossbarSpec(64, 64, r_sink=517.0, r_row=20.0, r_col=0.0)),
    Case("r_source = r_row = 0", CrossbarSpec(64, 64, r_source=0.0, r_row=0.0)),
    Case("r_source = r_row = r_col = 0, r_sink = 152", CrossbarSpec(64, 64, 0.0, 152.0, 0.0, 0.0)),
    Case("r_sink = r_col = 0", CrossbarSpec(64, 64, r_sink=0.0, r_col=0.0)),
)


def rows(cases: tuple[Case, ...] = CASES, shape: tuple[int, int] = (CROSSBARS, INPUTS)) -> Iterator[dict[str, Any]]:
    """One row per circuit, of `shape` crossbars and inputs on each."""
    for case in cases:
        v, g = samples(case, *shape)
        exact = Circuit(case.spec, case.device)(v, g)
        linear = compare(LinearCircuit(case.spec), v, g, exact).rmse
        errors = {name: compare(model, v, g, exact) for name, model in reduced_models(case).items()}
        row: dict[str, Any] = {"circuit": case.name, "linear, %": linear}
        row |= {f"{name}, %": error.rmse for name, error in errors.items()}
        row |= {f"{order}, x": _times(linear, errors[str(order)].rmse) for order in ORDERS}
        yield row | {"largest at 3, %": errors["3"].worst}


def _times(linear: float, error: float) -> float | str:
    """How many times `error` lies below that of `LinearCircuit`; nothing where that is exact."""
    return linear / error if linear > EXACT else ""


def samples(
    case: Case, crossbars: int, inputs: int, seed: int = 0, digits: DigitSampling = DIGITS
) -> tuple[Tensor, Tensor]:
    """Voltages (crossbar, input, row) and conductances (crossbar, row, col) of one kind of circuits, in float64."""
    rows, cols = case.spec.rows, case.spec.cols
    v = digits.voltage_levels(crossbars * inputs, rows, generator_of(seed, "benchmark", "v"))
    g = digits.conductance_levels(crossbars, rows, cols, generator_of(seed, "benchmark", "g"))
    v = case.window.voltages(v, torch.float64).view(crossbars, inputs, rows)
    return v, case.window.conductances(g, torch.float64)


def reduced_models(case: Case) -> dict[str, ReducedOrder]:
    """The model at each order, and with all functions of the input."""
    models = {str(order): ReducedOrder(case.spec, case.device, case.window.every_voltage(), order) for order in ORDERS}
    models["all"] = ReducedOrder(case.spec, case.device, case.window.every_voltage())
    models["all"].terms = Order(*[2**case.window.v_bits] * 3)
    return models


def compare(model: CrossbarModel, v: Tensor, g: Tensor, exact: Tensor) -> NfError:
    """Errors of NF of `model`, in the precision of `v` and `g`, against exact currents."""
    with torch.no_grad():
        i = torch.cat([model.program(one)(inputs)[None] for one, inputs in zip(g, v, strict=True)])
    return nf_error(i, exact, v.double() @ g.double(), Generator().manual_seed(0))

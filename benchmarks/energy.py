"""Array power of the fast models against the exact circuit: 1000 reads each, digits as networks have them and others.

Errors are in percent of the power of the read. `Geniex` is the shipped emulator, where one was made for the crossbar.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from geniex import Circuit, CrossbarModel, CrossbarSpec, DeviceModel, Ideal, LinearCircuit, ReducedOrder, Sinh, presets
from geniex.emulation.sampling import MixedDigits, generator_of
from geniex.energy import array_power
from geniex.window import Window

__all__ = ["rows"]

CROSSBARS, INPUTS = 20, 50
NOMINAL, CELLS = Window(), Sinh()


@dataclass(frozen=True)
class _Case:
    title: str
    spec: CrossbarSpec
    window: Window = NOMINAL
    emulator: str | None = None
    device: DeviceModel = CELLS

    def models(self) -> dict[str, CrossbarModel]:
        found: dict[str, CrossbarModel] = {
            "Ideal": Ideal(),
            "LinearCircuit": LinearCircuit(self.spec),
            "ReducedOrder": ReducedOrder(self.spec, self.device, self.window.every_voltage()),
        }
        return found if self.emulator is None else {**found, "Geniex": presets.emulator(self.emulator)}


def rows() -> Iterator[dict[str, Any]]:
    """One row per crossbar and model."""
    nominal, window = presets.nominal_crossbar(), NOMINAL
    cases = (
        _Case("nominal, 0.25 V", nominal, emulator="nominal_64x64_v250"),
        _Case("nominal, 0.5 V", nominal, replace(window, v_max=0.5), "nominal_64x64_v500"),
        _Case("16 x 16", presets.nominal_crossbar(16, 16), emulator="nominal_16x16_v250"),
        _Case("128 x 128", presets.nominal_crossbar(128, 128)),
        _Case("wires of 20 ohm", replace(nominal, r_row=20.0, r_col=20.0)),
        _Case("drivers of 1000, sinks of 500 ohm", presets.harsh_crossbar()),
        _Case("R_on 50 kohm", nominal, replace(window, g_on=2e-5, g_off=2e-5 / 6)),
    )
    for case in cases:
        v, g = _drawn(case)
        exact = Circuit(case.spec, case.device).solve(v, g).power
        for name, model in case.models().items():
            like = next(iter(model.parameters()), g)
            error = 100 * (array_power(model, g.to(like))(v.to(like)) / exact - 1)[exact > 0]
            yield {
                "crossbar": case.title,
                "model": name,
                "reads": len(error),
                "error, RMS %": error.square().mean().sqrt().item(),
                "mean, %": error.mean().item(),
                "largest, %": error.abs().max().item(),
            }


def _drawn(case: _Case) -> tuple[Tensor, Tensor]:
    """Voltages (input, row) and conductances (crossbar, row, col)."""
    digits, generator = MixedDigits(case.window.v_bits, case.window.g_bits), generator_of(0)
    level = digits.conductance_levels(CROSSBARS, case.spec.rows, case.spec.cols, generator)
    driven = digits.voltage_levels(INPUTS, case.spec.rows, generator)
    return case.window.voltages(driven, torch.float64), case.window.conductances(level, torch.float64)

"""Solved samples: what an emulator learns from and is judged on."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Generator, Tensor

from geniex.emulation.sampling import DigitSampling
from geniex.models.circuit import Circuit
from geniex.window import Window

__all__ = ["Samples", "solve_samples"]

CROSSBARS_AT_ONCE = 32


@dataclass(frozen=True)
class Samples:
    """Crossbars, inputs, and the exact ratio f_R = i_ideal / i of every column; NaN where no input is driven."""

    window: Window
    v_level: UInt8[Tensor, "crossbar input row"]
    g_level: UInt8[Tensor, "crossbar row col"]
    f: Float[Tensor, "crossbar input col"]

    def __len__(self) -> int:
        return len(self.g_level)

    def __getitem__(self, crossbars: Tensor | slice) -> "Samples":
        return Samples(self.window, self.v_level[crossbars], self.g_level[crossbars], self.f[crossbars])

    def inputs(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Voltages (crossbar, input, row) in volt and conductances (crossbar, row, col) in siemens."""
        return self.window.voltages(self.v_level, dtype), self.window.conductances(self.g_level, dtype)


def solve_samples(
    circuit: Circuit,
    sampling: DigitSampling,
    window: Window,
    size: tuple[int, int],
    generator: Generator,
    *,
    dtype: torch.dtype = torch.float64,
    advance: Callable[[int], None] = lambda count: None,
) -> Samples:
    """Draw and solve `size` = (crossbars, inputs per crossbar).

    Args:
        circuit: the exact model.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        size: number of crossbars, number of inputs of each.
        generator: source of randomness; the result depends on nothing else.
        dtype: precision of the solver.
        advance: called with the number of samples after each part.
    """
    spec, (crossbars, inputs) = circuit.solver.spec, size
    samples = Samples(
        window,
        torch.empty(crossbars, inputs, spec.rows, dtype=torch.uint8),
        torch.empty(crossbars, spec.rows, spec.cols, dtype=torch.uint8),
        torch.empty(crossbars, inputs, spec.cols),
    )
    for start in range(0, crossbars, CROSSBARS_AT_ONCE):
        count = min(CROSSBARS_AT_ONCE, crossbars - start)
        part = samples[start : start + count]
        part.g_level[:] = sampling.conductance_levels(count, spec.rows, spec.cols, generator)
        part.v_level[:] = sampling.voltage_levels(count * inputs, spec.rows, generator).view_as(part.v_level)
        v, g = part.inputs(dtype)
        part.f[:] = v @ g / circuit(v, g)
        advance(count * inputs)
    return samples

"""Solved samples: what an emulator learns from and is judged on."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Generator, Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.emulation.sampling import DigitSampling, generator_of
from geniex.models.circuit import Circuit
from geniex.window import Window

__all__ = [
    "Advance",
    "Levels",
    "Samples",
    "check_bits",
    "draw_levels",
    "fingerprint",
    "joined",
    "solve_currents",
    "solve_samples",
]

Advance = Callable[[str, int, int, str], None]
"""Called with a stage, the amount done, the total, and a note, as something long goes on."""
Levels = tuple[UInt8[Tensor, "crossbar input row"], UInt8[Tensor, "crossbar row col"]]
"""Of inputs and crossbars."""

CROSSBARS_AT_ONCE = 32
FINGERPRINT_SIZE = (40, 2)  # crossbars, inputs: more than one part of `draw_levels`


@dataclass(frozen=True)
class Samples:
    """Crossbars, inputs, and the exact ratio f_R = i_ideal / i of every column; NaN where no input is driven."""

    window: Window
    v_level: UInt8[Tensor, "crossbar input row"]
    g_level: UInt8[Tensor, "crossbar row col"]
    f: Float[Tensor, "crossbar input col"]

    @staticmethod
    def from_currents(window: Window, levels: Levels, i: Float[Tensor, "crossbar input col"]) -> "Samples":
        """Samples of exact currents in ampere, their ratios worked out in the precision of `i`."""
        samples = Samples(window, *levels, torch.empty(i.shape, dtype=torch.float32))
        for start in range(0, len(samples), CROSSBARS_AT_ONCE):
            part = slice(start, start + CROSSBARS_AT_ONCE)
            v, g = samples[part].inputs(i.dtype)
            samples.f[part] = v @ g / i[part]
        return samples

    def __len__(self) -> int:
        return len(self.g_level)

    def __getitem__(self, crossbars: Tensor | slice) -> "Samples":
        return Samples(self.window, self.v_level[crossbars], self.g_level[crossbars], self.f[crossbars])

    def inputs(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Voltages (crossbar, input, row) in volt and conductances (crossbar, row, col) in siemens."""
        return self.window.voltages(self.v_level, dtype), self.window.conductances(self.g_level, dtype)


def joined(parts: Sequence[Samples]) -> Samples:
    """The crossbars of all parts, which share one window, in their order."""
    return Samples(
        parts[0].window,
        torch.cat([part.v_level for part in parts]),
        torch.cat([part.g_level for part in parts]),
        torch.cat([part.f for part in parts]),
    )


def check_bits(sampling: DigitSampling, window: Window) -> None:
    """Raise ValueError unless the digits of `sampling` are those of `window`."""
    if (sampling.v_bits, sampling.g_bits) != (window.v_bits, window.g_bits):
        raise ValueError(
            f"`sampling` draws digits of {sampling.v_bits} and {sampling.g_bits} bits, `window` has {window.v_bits} "
            f"and {window.g_bits}. Make them equal."
        )


def draw_levels(sampling: DigitSampling, spec: CrossbarSpec, size: tuple[int, int], generator: Generator) -> Levels:
    """Levels of `size` = (crossbars, inputs per crossbar); the result depends on the generator alone."""
    crossbars, inputs = size
    v_level = torch.empty(crossbars, inputs, spec.rows, dtype=torch.uint8)
    g_level = torch.empty(crossbars, spec.rows, spec.cols, dtype=torch.uint8)
    for start in range(0, crossbars, CROSSBARS_AT_ONCE):
        part = slice(start, start + CROSSBARS_AT_ONCE)
        count = len(g_level[part])
        g_level[part] = sampling.conductance_levels(count, spec.rows, spec.cols, generator)
        v_level[part] = sampling.voltage_levels(count * inputs, spec.rows, generator).view_as(v_level[part])
    return v_level, g_level


def fingerprint(sampling: DigitSampling, spec: CrossbarSpec, seed: int) -> str:
    """Of digits drawn by `sampling`: a version that draws otherwise has another."""
    levels = draw_levels(sampling, spec, FINGERPRINT_SIZE, generator_of(seed, "fingerprint"))
    return hashlib.sha256(b"".join(level.numpy().tobytes() for level in levels)).hexdigest()[:16]


def solve_currents(
    circuit: Circuit,
    window: Window,
    levels: Levels,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "crossbar input col"]:
    """Exact column currents in ampere, in parts: the voltages and conductances of all would take far more memory.

    Args:
        circuit: the exact model.
        window: voltages and conductances of the digits.
        levels: of inputs and crossbars.
        dtype: precision of the solver.
    """
    v_level, g_level = levels
    i = torch.empty(*v_level.shape[:2], g_level.shape[-1], dtype=dtype)
    for start in range(0, len(g_level), CROSSBARS_AT_ONCE):
        part = slice(start, start + CROSSBARS_AT_ONCE)
        i[part] = circuit(window.voltages(v_level[part], dtype), window.conductances(g_level[part], dtype))
    return i


def solve_samples(
    circuit: Circuit,
    sampling: DigitSampling,
    window: Window,
    size: tuple[int, int],
    generator: Generator,
    *,
    dtype: torch.dtype = torch.float64,
) -> Samples:
    """Draw and solve `size` = (crossbars, inputs per crossbar).

    Args:
        circuit: the exact model.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        size: number of crossbars, number of inputs of each.
        generator: source of randomness; the result depends on nothing else.
        dtype: precision of the solver.
    """
    levels = draw_levels(sampling, circuit.solver.spec, size, generator)
    return Samples.from_currents(window, levels, solve_currents(circuit, window, levels, dtype))

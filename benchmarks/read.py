"""Cost and error of reading 64x64 crossbars under each model, in float32: CPU time on one thread, errors of NF.

Times are of 4096 inputs of 4 bits on one programmed crossbar, 256 for `Circuit`; `x ideal` is to the bare matrix
product of the same inputs, taken before and after. Programming counts until the first input is read. Multiply-adds are
those of a read in units of the matrix product's. Errors are against the exact circuit on tests/references/emulator: 16
crossbars that no emulator was trained on, 64 inputs each; `x below linear` compares with `LinearCircuit`.
"""

import functools
from collections.abc import Iterator
from typing import Any

import torch
from tests.emulation.references import reference
from torch import Generator, Tensor

from benchmarks.reduced import compare
from benchmarks.timing import beside, seconds
from geniex import Circuit, CrossbarModel, Geniex, Ideal, LinearCircuit, ReducedOrder, Sinh, presets
from geniex.models.reduced.kernels import DEGREE
from geniex.models.reduced.model import ORDERS
from geniex.models.reduced.tables import tabulate

__all__ = ["models", "multiply_adds", "rows"]

VOLTS = (0.25, 0.5)
INPUTS, SOLVES = 4096, 256
CROSSBARS, CROSSBARS_SOLVED = 64, 4


def rows(volts: tuple[float, ...] = VOLTS, shape: tuple[int, int] = (INPUTS, CROSSBARS)) -> Iterator[dict[str, Any]]:
    """One row per voltage and model; `shape` is of how many inputs are read and how many crossbars programmed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for v_max in volts:
            case = reference(v_max)
            v, g, exact = case[1].float(), case[2].float(), case[3]
            linear = compare(LinearCircuit(presets.nominal_crossbar()), v, g, exact).rmse
            for name, model in models(v_max).items():
                error = compare(model, v, g, exact)
                yield {
                    "V": v_max,
                    "model": name,
                    **_times(model, v_max, *shape),
                    "multiply-adds": multiply_adds(model),
                    "NF error, %": error.rmse,
                    "largest, %": error.worst,
                    "x below linear": linear / error.rmse,
                }
    finally:
        torch.set_num_threads(threads)


def models(v_max: float) -> dict[str, CrossbarModel]:
    """All that compute the nominal crossbar at inputs up to `v_max`, by name; shipped emulators where made for it."""
    spec, levels = presets.nominal_crossbar(), reference(v_max)[0].every_voltage()
    reduced = {f"ReducedOrder, order {order}": ReducedOrder(spec, Sinh(0.25), levels, order) for order in ORDERS}
    shipped = {name: presets.emulator(name) for name in presets.emulators()}
    learned = {f"Geniex, {name}": model for name, model in shipped.items() if _was_made_for(model, v_max)}
    return {
        "Ideal": Ideal(),
        "LinearCircuit": LinearCircuit(spec),
        **reduced,
        **learned,
        "Circuit": Circuit(spec, Sinh(0.25)),
    }


def _was_made_for(emulator: Geniex, v_max: float) -> bool:
    return emulator.spec == presets.nominal_crossbar() and abs(emulator.scaling.v_max - v_max) < 1e-6


def multiply_adds(model: CrossbarModel) -> float | str:
    """Per read of a nominal crossbar, in units of rows x columns; none for `Circuit`, whose steps vary."""
    if isinstance(model, Circuit):
        return ""
    if isinstance(model, Geniex):
        return 1 + len(model.conductance.bias) * (model.spec.rows + model.spec.cols) / model.spec.rows / model.spec.cols
    if isinstance(model, ReducedOrder):
        cells = model.spec.rows * model.spec.cols
        g = torch.full((1, model.spec.rows, model.spec.cols), 1e-5, dtype=torch.float64)
        tables = tabulate(model.ladders, model.basis, g, model.terms)
        products = (tables.currents, tables.slopes, tables.curvatures, tables.coupling)
        return (DEGREE * sum(model.terms) * model.spec.rows + sum(x.numel() for x in products)) / cells
    return 1.0


def _times(model: CrossbarModel, v_max: float, inputs: int, crossbars: int) -> dict[str, float]:
    if isinstance(model, Circuit):
        inputs, crossbars = min(inputs, SOLVES), min(crossbars, CROSSBARS_SOLVED)
    v, g = _random(v_max, inputs, crossbars)
    read, product = model.program(g[0]), functools.partial(torch.mm, v, g[0])
    reading, ratio = beside(lambda: read(v), product)
    programming = seconds(lambda: model.program(g)(v[:1]), repeats=3)[1]
    return {
        "program, ms": 1e3 * programming / crossbars,
        "read, us": 1e6 * reading / inputs,
        "x ideal": ratio,
    }


def _random(v_max: float, inputs: int, crossbars: int) -> tuple[Tensor, Tensor]:
    window, generator = reference(v_max)[0], Generator().manual_seed(0)
    v = torch.randint(0, 2**window.v_bits, (inputs, 64), generator=generator)
    g = torch.randint(0, 2**window.g_bits, (crossbars, 64, 64), generator=generator)
    return window.voltages(v, torch.float32), window.conductances(g, torch.float32)

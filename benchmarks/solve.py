"""Microseconds per operating point of the exact circuit, beside ngspice and CrossSim on the same circuits.

`solve` is one input on each of many crossbars, `read` many inputs on one programmed crossbar, which is what a `.dc`
sweep of ngspice and CrossSim do too; ratios are to `read`. CPU time on one thread if not said otherwise. All stop at a
residual of 1e-8 of the largest input, except for float32. Errors are the largest deviation from the tightest solution
as a share of a circuit's largest current. Times of other programs are their best: of ngspice that of one more input in
a sweep, its start left out; of CrossSim one at a time or in batches, at its default tolerance and at one for our error.
"""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers import crosssim_ms, ngspice_ms
from benchmarks.timing import seconds
from geniex import Circuit, CrossbarSpec, DeviceModel, Ohmic, Sinh, presets

SIZES = (16, 32, 64, 128, 256)
CROSSBARS = {16: 1000, 32: 1000, 64: 1000, 128: 256, 256: 64}
INPUTS = {16: 1000, 32: 1000, 64: 1000, 128: 256, 256: 64}
PEER_INPUTS = 24
LARGEST_IN_SPICE = 64
"""Rows up to which all circuits are given to ngspice; of twice as many, the nominal one alone, and of more none."""
COLUMNS = (", us", " error", " / read")
RTOL = 1e-8
TIGHT = 1e-10
CROSSSIM_TOLERANCES = {"CrossSim": 1e-3, "CrossSim 2e-9": 2e-9}


@dataclass(frozen=True)
class Case:
    """Circuits of one kind: random inputs in [0, volt], random conductances between 1 / R_on and 1 / (6 R_on)."""

    size: int
    device: DeviceModel
    volt: float
    wire: float

    @cached_property
    def spec(self) -> CrossbarSpec:
        """Nominal drivers, wires of `wire` ohm."""
        return replace(presets.nominal_crossbar(self.size, self.size), r_row=self.wire, r_col=self.wire)

    def voltages(self, *shape: int) -> Tensor:
        """Inputs (*shape, row) in volt."""
        generator = torch.Generator().manual_seed(1)
        return self.volt * torch.rand(*shape, self.size, generator=generator, dtype=torch.float64)

    def conductances(self, *shape: int) -> Tensor:
        """Conductances (*shape, row, col) in siemens."""
        generator = torch.Generator().manual_seed(0)
        share = torch.rand(*shape, self.size, self.size, generator=generator, dtype=torch.float64)
        return 1e-5 * (1 / 6 + 5 / 6 * share)


def rows(ngspice: str = "ngspice", cross_sim: Path | None = None) -> Iterator[dict[str, Any]]:
    """One row per size, cell, voltage and wire."""
    threads = torch.get_num_threads()
    try:
        for size, device, volt, wire in itertools.product(SIZES, (Ohmic(), Sinh()), (0.25, 0.5), (2.5, 20.0)):
            case = Case(size, device, volt, wire)
            row = {"size": size, "cells": type(device).__name__, "V": volt, "wire, ohm": wire, **_ours(case, threads)}
            yield row | _ngspice(case, ngspice, row["read, us"]) | _crosssim(case, cross_sim, row["read, us"])
    finally:
        torch.set_num_threads(threads)


def _ours(case: Case, threads: int) -> dict[str, Any]:
    v, g = case.voltages(CROSSBARS[case.size], 1), case.conductances(CROSSBARS[case.size])
    many, inputs = len(v), case.voltages(INPUTS[case.size])
    circuit = Circuit(case.spec, case.device, rtol=RTOL)
    torch.set_num_threads(1)
    _, alone = seconds(lambda: circuit(v, g), repeats=3)
    single = Circuit(case.spec, case.device), v.float(), g.float()
    _, float32 = seconds(lambda: single[0](*single[1:]), repeats=3)
    read = circuit.program(g[0])
    _, reading = seconds(lambda: read(inputs), repeats=3)
    torch.set_num_threads(max(threads, 2))
    wall, cpu = seconds(lambda: circuit(v, g), repeats=3)
    return {
        "solve, us": 1e6 * alone / many,
        "float32, us": 1e6 * float32 / many,
        "2 threads, us": 1e6 * cpu / many,
        "2 threads wall, us": 1e6 * wall / many,
        "read, us": 1e6 * reading / len(inputs),
        "error": _error(case, read(inputs[:PEER_INPUTS])),
    }


def _ngspice(case: Case, program: str, ours: float) -> dict[str, Any]:
    columns = tuple(f"ngspice{what}" for what in COLUMNS)
    nominal = isinstance(case.device, Sinh) and case.volt == 0.5 and case.wire == 2.5
    if not shutil.which(program) or case.size > LARGEST_IN_SPICE * (2 if nominal else 1):
        return dict.fromkeys(columns, "")
    v, g = case.voltages(INPUTS[case.size])[:PEER_INPUTS], case.conductances(CROSSBARS[case.size])[0]
    found = ngspice_ms(case.spec, case.device, v, g, program, repeats=3 if case.size <= LARGEST_IN_SPICE else 1)
    micro = 1e3 * min(found.marginal, found.per_solve)
    return dict(zip(columns, (micro, _error(case, found.i), micro / ours), strict=True))


def _crosssim(case: Case, source: Path | None, ours: float) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, tolerance in CROSSSIM_TOLERANCES.items():
        columns = tuple(f"{name}{what}" for what in COLUMNS)
        if source is None or case.size > LARGEST_IN_SPICE or not isinstance(case.device, Sinh):
            row |= dict.fromkeys(columns, "")
            continue
        v, g = case.voltages(INPUTS[case.size])[:PEER_INPUTS], case.conductances(CROSSBARS[case.size])[0]
        milli, i = crosssim_ms(source, case.spec, case.device.v0, v, g, tolerance)
        row |= dict(zip(columns, (1e3 * milli, _error(case, i), 1e3 * milli / ours), strict=True))
    return row


def _error(case: Case, i: Tensor) -> float:
    """Largest deviation of the first reads of the first crossbar as a share of a circuit's largest current."""
    v, g = case.voltages(INPUTS[case.size])[: len(i)], case.conductances(CROSSBARS[case.size])[0]
    tightest = Circuit(case.spec, case.device, rtol=TIGHT).solve(v, g).i
    largest = tightest.abs().amax(-1, keepdim=True)
    return ((i.double() - tightest).abs() / largest).max().item()

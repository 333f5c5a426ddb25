"""Times and currents of other programs on the same circuits: ngspice, and CrossSim 3.2 where its source is at hand.

CrossSim (github.com/sandialabs/cross-sim) is not installed: a benchmark is given the folder of a checkout.
"""

import resource
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.spice import run_ngspice
from geniex.devices import DeviceModel

__all__ = ["NgspiceTime", "crosssim_ms", "ngspice_ms"]


@dataclass(frozen=True)
class NgspiceTime:
    """Milliseconds of CPU that ngspice took.

    Attributes:
        per_solve: of the whole process divided by the number of inputs.
        marginal: of one more input.
        start: of the process apart from its inputs: reading the deck, and what the first operating point takes longer.
        i: the currents in ampere, (input, col).
        version: of ngspice.
    """

    per_solve: float
    marginal: float
    start: float
    i: Tensor
    version: str


def ngspice_ms(
    spec: CrossbarSpec, device: DeviceModel, v: Tensor, g: Tensor, program: str = "ngspice", repeats: int = 3
) -> NgspiceTime:
    """Solve one crossbar for many inputs the fastest way ngspice has: one process, one `.dc` sweep over the inputs.

    Its solver KLU, which the deck asks for, came with ngspice 42: before, 64 x 64 cells take seconds per input.

    Args:
        spec: geometry and parasitics.
        device: the cells.
        v: at least 2 inputs in volt, (input, row).
        g: conductances in siemens, (row, col).
        program: name or path of ngspice.
        repeats: runs of which the median counts.
    """
    whole = _median_ms(lambda: run_ngspice(spec, device, v, g, program), resource.RUSAGE_CHILDREN, repeats)
    single = _median_ms(lambda: run_ngspice(spec, device, v[:1], g, program), resource.RUSAGE_CHILDREN, repeats)
    result = run_ngspice(spec, device, v, g, program)
    marginal = (whole - single) / (len(v) - 1)
    return NgspiceTime(whole / len(v), marginal, single - marginal, result.i, result.version)


def crosssim_ms(
    source: Path, spec: CrossbarSpec, v0: float, v: Tensor, g: Tensor, tolerance: float = 1e-3
) -> tuple[float, Tensor]:
    """Milliseconds of CPU per solve of CrossSim's solver on sinh cells, and its currents (input, col) in ampere.

    One input at a time or 8 together, whichever is faster: the small circuits gain from a batch, the large ones lose.

    Args:
        source: folder of a checkout of CrossSim 3.2.
        spec: geometry and parasitics, driven and sensed at one end.
        v0: of the sinh cells, in volt.
        v: inputs in volt, (input, row).
        g: conductances in siemens, (row, col).
        tolerance: `Verr_th_mvm`: largest voltage error as a share of the largest input; CrossSim's default is 1e-3.
    """
    v_max, r_min = v.abs().max().item(), 1 / g.max().item()
    array = _crosssim_array(source, spec, (v0 / v_max, r_min), tolerance)
    matrix, vectors = (g.T * r_min).contiguous().numpy(), (v / v_max).numpy()

    def one_by_one() -> Any:
        array.fast_matmul = False
        return np.stack([array.iterative_solve(matrix, vector) for vector in vectors])

    def in_batches() -> Any:
        array.fast_matmul = True
        parts = [np.ascontiguousarray(vectors[k : k + 8].T) for k in range(0, len(vectors), 8)]
        return np.concatenate([array.iterative_solve(matrix, part).T for part in parts])

    solve = min((one_by_one, in_batches), key=lambda run: _median_ms(run, resource.RUSAGE_SELF, repeats=1))
    milliseconds = _median_ms(solve, resource.RUSAGE_SELF, repeats=3) / len(v)
    return milliseconds, torch.from_numpy(solve()) * v_max / r_min


def _crosssim_array(source: Path, spec: CrossbarSpec, units: tuple[float, float], tolerance: float) -> Any:
    """CrossSim's solver of arrays driven through their rows; `units` are V0 and ohm in its normalized quantities."""
    if not (source / "simulator" / "circuits" / "array").is_dir():
        raise FileNotFoundError(f"{source} is no checkout of CrossSim 3.2: it has no folder simulator/circuits/array.")
    if str(source) not in sys.path:
        sys.path.insert(0, str(source))
    from simulator import CrossSimParameters  # pyright: ignore[reportMissingImports]
    from simulator.backend import ComputeBackend  # pyright: ignore[reportMissingImports]
    from simulator.circuits.array import NoninterleavedInputSourceArray  # pyright: ignore[reportMissingImports]

    ComputeBackend(use_gpu=False)
    params = CrossSimParameters()
    params.xbar.device.nonlinear_IV.enable = True
    params.simulation.Verr_th_mvm = tolerance
    params.simulation.Niters_max_parasitics = 1000
    v0, ohm = units
    array = NoninterleavedInputSourceArray(params, device=_SinhCells(v0))
    # CrossSim counts the driver's resistance once in every column of its first row instead of once in every row before
    # its first column (`Rp_in_mat[:, 0]` for `[0, :]`), and one wire segment more at either end than our circuits have.
    # Its matrices are (column, row). Given here, they are not computed there.
    array.Rp_in_mat = np.full((spec.cols, spec.rows), spec.r_row / ohm)
    array.Rp_in_mat[0, :] = spec.r_source / ohm
    array.Rp_out_mat = np.full((spec.cols, spec.rows), spec.r_col / ohm)
    array.Rp_out_mat[:, -1] = spec.r_sink / ohm
    return array


@dataclass(frozen=True)
class _SinhCells:
    """The one method of CrossSim's devices that its circuit solver calls, for sinh cells; `v0` is normalized."""

    v0: float

    def nonlinear_current(self, g: Any, v: Any) -> Any:
        g = g.reshape(g.shape + (1,) * (v.ndim - g.ndim))  # `v` of a batch has more dimensions
        return g * (np.sinh(v / self.v0) * self.v0)


def _median_ms(run: Callable[[], object], who: int, repeats: int) -> float:
    """Median milliseconds of CPU of this process or of its children, after one run that warms up."""
    run()
    times = []
    for _ in range(repeats):
        before = _cpu_seconds(who)
        run()
        times.append(_cpu_seconds(who) - before)
    return 1e3 * statistics.median(times)


def _cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime

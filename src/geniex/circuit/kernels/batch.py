"""A batch of circuits, one after another on one thread: packing, the stages of the solver, results.

Newton's method runs in float32 first, where everything is half as long, and goes on in float64 with steps from
conjugate gradients in float32, which correct the leading digits of what is left. What fails goes the way of `stiff`.
"""

from typing import Any, NamedTuple, no_type_check

import numpy as np
from numba import njit

from geniex.circuit.kernels.keeping import kept
from geniex.circuit.kernels.newton import Cells, Krylov, State, apply_cells, damp, iterate, start
from geniex.circuit.kernels.simd import LANES, load, total, zeros
from geniex.circuit.kernels.stiff import LONGEST, iterate_stiff
from geniex.circuit.kernels.wires import Lines, depth, lines
from geniex.circuit.spec import CrossbarSpec

__all__ = ["Results", "Work", "adjoint_range", "solve_range", "work"]

LOOSE = 3e-2  # of conjugate gradients, before the division by 1 + rho
SHARP = 1e-4
HANDOVER = 1e-4  # mismatch, as a share of the drive, from which float64 goes on
ADJOINT = 1e-12
NEAR = 0.1  # a mismatch from which float64 goes on
STAGGER = 136  # numbers between arrays, lest all of them share one line of the cache
QUICK = 10  # Newton steps, with room to spare, of a circuit that is not stiff


class Work(NamedTuple):
    """What a thread needs for one circuit: 12 float64 arrays of the crossbar's size."""

    low: State
    low_lines: Lines
    low_krylov: Krylov
    low_cells: Cells
    rows: State
    high: State
    high_lines: Lines
    high_krylov: Krylov
    high_cells: Cells


class Results(NamedTuple):
    """Where results go: (circuit, col), (circuit or none, row, col), (circuit,) three times."""

    i: Any
    u: Any
    residual: Any
    steps: Any
    rho: Any


def work(spec: CrossbarSpec, addresses: tuple[int, int], parameters: np.ndarray) -> Work:
    """Room for one circuit.

    Args:
        spec: the crossbar.
        addresses: of the compiled device in float32 and in float64.
        parameters: of the device, (parameter,) or (row, parameter).
    """
    deep = depth(spec.rows)
    size = deep * spec.cols * LANES
    wide = size + STAGGER
    blocks = np.zeros((10, wide))
    room = blocks[:, :size]
    halves = [half for block in blocks[:5] for half in block.view(np.float32).reshape(2, wide)[:, :size]]
    rows = np.zeros((5, deep * LANES), np.float32)
    v = np.zeros(deep * LANES)
    count = parameters.shape[-1]
    if parameters.ndim == 2:
        parameters = np.pad(parameters, ((0, deep * LANES - len(parameters)), (0, 0)), mode="edge")
        parameters = parameters.reshape(LANES, deep, count).transpose(1, 2, 0)
    given = {np.dtype(t): np.ascontiguousarray(parameters, t).reshape(-1) for t in (np.float32, np.float64)}
    return Work(
        low=State(rows[0], *halves[:4]),
        low_lines=lines(spec, np.float32),
        low_krylov=Krylov(*halves[4:8]),
        low_cells=Cells(addresses[0], given[np.dtype(np.float32)], count, halves[8]),
        rows=State(*rows),
        high=State(v, *room[5:9]),
        high_lines=lines(spec, np.float64),
        high_krylov=Krylov(*room[:4]),
        high_cells=Cells(addresses[1], given[np.dtype(np.float64)], count, room[9]),
    )


@kept
@no_type_check
def solve_range(work, v, g, which, chosen, rules, results):
    """Solve circuits chosen[0] .. chosen[1]: voltages v (circuit, row) on crossbars g (crossbar, row, col).

    Args:
        work: room for one circuit.
        v: voltages in volt.
        g: conductances in siemens, of the dtype of `v`.
        which: each circuit's crossbar.
        chosen: first circuit, and the one after the last.
        rules: residual as a share of the drive, Newton steps at most, whether the results are float64.
        results: to be filled.
    """
    rtol, limit, exact = rules
    packed, packed_high = -1, -1
    for circuit in range(chosen[0], chosen[1]):
        crossbar = which[circuit]
        if crossbar != packed:
            pack(g[crossbar], work.low_cells.g, len(work.low_lines.t))
            packed = crossbar
        drive = pack_voltages(v[circuit], work.low.v, work.high.v, len(work.low_lines.t))
        worst, steps = solve_low(work, HANDOVER if exact else rtol, drive, limit)
        rho = 0.0
        high = exact or not worst <= rtol * drive
        if high and drive > 0:
            if crossbar != packed_high:
                pack(g[crossbar], work.high_cells.g, len(work.low_lines.t))
                packed_high = crossbar
            worst, steps, rho = solve_high(work, rtol * drive, worst < NEAR * drive, (steps, limit))
        if high and drive > 0:
            unpack(work.high, circuit, results)
        else:
            unpack(work.low, circuit, results)
        results.residual[circuit], results.steps[circuit], results.rho[circuit] = worst, steps, rho


@njit
@no_type_check
def solve_low(work, share, drive, limit):
    """Float32: from the start to a mismatch of `share` of the drive, or as far as it gets."""
    start(work.low_cells, work.low_lines, work.low, work.rows)
    worst, steps, _, _ = iterate(
        work.low_cells,
        work.low_lines,
        work.low,
        work.low_lines,
        work.low_krylov,
        (np.float32(share * drive), np.float32(LOOSE), np.float32(LOOSE)),
        min(limit, QUICK),
    )
    return np.float64(worst), steps


@njit
@no_type_check
def solve_high(work, tolerance, near, counts):
    """Float64: from where float32 came to if that is `near`, and the way of stiff circuits if that does not do."""
    steps, limit = counts
    worst, rho = np.inf, 0.0
    for k in range(len(work.high.u)):
        work.high.u[k] = work.low.u[k] if near else 0.0
    if near:
        worst, taken, _, _ = iterate(
            work.high_cells,
            work.high_lines,
            work.high,
            work.low_lines,
            work.low_krylov,
            (tolerance, np.float32(LOOSE), np.float32(SHARP)),
            min(limit - steps, QUICK),
        )
        steps += taken
    if not worst <= tolerance and steps < limit:
        worst, taken, rho = iterate_stiff(
            work.high_cells, work.high_lines, work.high, work.high_krylov, tolerance, limit - steps
        )
        steps += taken
    return worst, steps, rho


@njit
@no_type_check
def pack(g, packed, deep):
    """Lay conductances (row, col) out as vectors; rows beyond the crossbar's conduct nothing."""
    rows, cols = g.shape
    for lane in range(LANES):
        for t in range(deep):
            row = lane * deep + t
            at = t * cols * LANES + lane
            if row < rows:
                for j in range(cols):
                    packed[at + j * LANES] = g[row, j]
            else:
                for j in range(cols):
                    packed[at + j * LANES] = 0


@njit
@no_type_check
def pack_voltages(v, low, high, deep):
    """Lay the voltages (row,) out as vectors, in both precisions; return the largest magnitude."""
    drive = 0.0
    for row in range(len(v)):
        at = row % deep * LANES + row // deep
        low[at] = high[at] = v[row]
        drive = max(drive, abs(high[at]))
    return drive


@njit
@no_type_check
def unpack(state, circuit, results):
    """Column currents, and cell voltages where they are wanted."""
    cols = results.i.shape[1]
    deep = len(state.u) // (LANES * cols)
    for j in range(cols):
        lanes = zeros(state.i)
        for t in range(deep):
            lanes = lanes + load(state.i, t * cols + j)
        results.i[circuit, j] = total(lanes)
    if len(results.u):
        for row in range(results.u.shape[1]):
            at = (row % deep * cols) * LANES + row // deep
            for j in range(cols):
                results.u[circuit, row, j] = state.u[at + j * LANES]


@kept
@no_type_check
def adjoint_range(work, u, g, which, grad_i, chosen, found):
    """Gradients for circuits chosen[0] .. chosen[1] at cell voltages u (circuit, row, col).

    Args:
        work: room for one circuit.
        u: cell voltages in volt.
        g: conductances in siemens (crossbar, row, col).
        which: each circuit's crossbar.
        grad_i: gradient of the loss with respect to the currents (circuit, col).
        chosen: first circuit, and the one after the last.
        found: to be filled: gradients with respect to v (circuit, row), and w (circuit, row, col).
    """
    grad_v, weights = found
    at, state, krylov, deep = work.high_lines, work.high, work.high_krylov, len(work.high_lines.t)
    cols = len(at.x)
    packed = -1
    for circuit in range(chosen[0], chosen[1]):
        if which[circuit] != packed:
            packed = which[circuit]
            pack(g[packed], work.high_cells.g, deep)
        pack(u[circuit], state.u, deep)
        apply_cells(work.high_cells, at, state)
        largest = 0.0
        for j in range(cols):
            largest = max(largest, abs(grad_i[circuit, j]))
        if not largest > 0:
            grad_v[circuit], weights[circuit] = 0, 0
            continue
        for k in range(len(state.f)):
            state.f[k] = grad_i[circuit, k // LANES % cols]
        damp(at, state, krylov, 1 / largest, ADJOINT, LONGEST)
        for row in range(grad_v.shape[1]):
            first = (row % deep * cols) * LANES + row // deep
            total_slope = 0.0
            for j in range(cols):
                k = first + j * LANES
                w = state.f[k] - krylov.lost[k] * largest
                weights[circuit, row, j] = w
                total_slope += w * state.slope[k]
            grad_v[circuit, row] = total_slope

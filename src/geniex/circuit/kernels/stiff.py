"""The way out for stiff circuits: cells that conduct better than the wires, strongly nonlinear ones, strong drivers.

Newton's method takes the slope of a cell for its curve, and overshoots where the curve bends. Here every cell is put
behind the resistance `lump` that it sees of the wires, on which most of its voltage is lost: the sum w = u + lump I(u)
is nearly linear in the solution. A step du of Newton's method is taken in w, and u found from it cell by cell. The
first order is the same, so that the convergence at the end is; between, a voltage cannot overshoot.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from geniex.circuit.kernels.cells import call_cells
from geniex.circuit.kernels.newton import damp, evaluate
from geniex.circuit.kernels.simd import LANES

__all__ = ["LONGEST", "iterate_stiff"]

BLOCK = 512  # cells that are settled at once
TIGHTEST = 1e-12
LONGEST = 20_000  # steps of conjugate gradients


@njit
@no_type_check
def iterate_stiff(cells, at, state, krylov, tolerance, limit):
    """Newton's method in w = u + lump I(u), from `state.u` or from where every cell is alone with its `lump`.

    Returns the largest mismatch, the steps taken, and rho.
    """
    span = reach(at, state)
    eta, rho = 1e-2, 0.0
    worst = begin(cells, at, state, krylov, span)
    for step in range(limit):
        if not worst > tolerance:
            return worst, step, rho
        _, rho = damp(at, state, krylov, 1 / worst, eta, LONGEST)
        keep_step(at, state, krylov, worst)
        before, worst = worst, advance(cells, at, state, krylov, worst, span)
        if not worst < before:
            if eta <= TIGHTEST:
                return worst, step + 1, rho
            eta = max(eta * 1e-3, TIGHTEST)
    return worst, limit, rho


@njit
@no_type_check
def reach(at, state):
    """Largest voltage that a cell of a passive circuit can have."""
    high, low = 0.0, 0.0
    for row in range(len(at.mask)):
        high, low = max(high, state.v[row]), min(low, state.v[row])
    return high - low


@njit
@no_type_check
def begin(cells, at, state, krylov, span):
    """Make `state` the better of what it is and of cells that are alone with their `lump`; return the mismatch."""
    cols = len(at.x)
    worst = evaluate(cells, at, state)
    for k in range(len(state.u)):
        row = k // (LANES * cols) * LANES + k % LANES
        krylov.lost[k] = state.u[k]
        krylov.s[k] = state.v[row] * at.mask[row]
        krylov.r[k] = 0.0
        state.u[k] = krylov.s[k]
    settle(cells, at, state, krylov, 0.0, span)
    alone = evaluate(cells, at, state)
    if worst < alone:
        state.u[:] = krylov.lost
        return evaluate(cells, at, state)
    return alone


@njit
@no_type_check
def keep_step(at, state, krylov, unit):
    """From what `damp` left: u into `lost`, du into `y`, w into `s`, dw into `r`."""
    cols = len(at.x)
    for k in range(len(state.u)):
        row = k // (LANES * cols) * LANES + k % LANES
        step = (krylov.lost[k] * unit - state.f[k]) * at.mask[row]
        krylov.lost[k] = state.u[k]
        krylov.y[k] = step
        krylov.s[k] = state.u[k] + at.lump * state.i[k]
        krylov.r[k] = (1 + at.lump * state.slope[k]) * step


@njit
@no_type_check
def advance(cells, at, state, krylov, before, span):
    """Take the whole step if it halves the mismatch; else a share of it, in w. Returns the mismatch."""
    for k in range(len(state.u)):
        state.u[k] = krylov.lost[k] + krylov.y[k]
    worst = evaluate(cells, at, state)
    if worst < 0.5 * before:
        return worst
    share = 1.0
    while share > 1e-6:
        state.u[:] = krylov.lost
        settle(cells, at, state, krylov, share, span)
        worst = evaluate(cells, at, state)
        if worst < before:
            return worst
        share *= 0.5
    state.u[:] = krylov.lost
    return evaluate(cells, at, state)


@njit
@no_type_check
def settle(cells, at, state, krylov, share, span):
    """Find the cell voltages u + lump I(u) = w + share dw from `state.u`: Newton's method inside a bracket."""
    low, high = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, len(state.u), BLOCK):
        number = min(BLOCK, len(state.u) - first)
        for b in range(number):
            w = krylov.s[first + b] + share * krylov.r[first + b]
            low[b], high[b] = max(min(w, 0.0), -span), min(max(w, 0.0), span)
            state.u[first + b] = min(max(state.u[first + b], low[b]), high[b])
        for _ in range(120):
            if not settle_block(cells, at, state, krylov, share, (first, number, low, high)) > 1e-15 * span:
                break


@njit
@no_type_check
def settle_block(cells, at, state, krylov, share, block):
    """One step for the cells of a block; returns the largest change."""
    first, number, low, high = block
    deep, cols = len(at.t), len(at.x)
    call_cells(
        cells.address, first, number, cols, deep, state.u, cells.g, state.i, state.slope, cells.parameters, cells.count
    )
    largest = 0.0
    for b in range(number):
        k = first + b
        u = state.u[k]
        excess = u + at.lump * state.i[k] - (krylov.s[k] + share * krylov.r[k])
        if excess > 0:
            high[b] = u
        elif excess < 0:
            low[b] = u
        else:
            continue
        new = u - excess / (1 + at.lump * state.slope[k])
        if not (low[b] < new < high[b]):
            new = 0.5 * (low[b] + high[b])
        largest = max(largest, abs(new - u))
        state.u[k] = new
    return largest

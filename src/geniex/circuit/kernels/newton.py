"""Newton's method and conjugate gradients on one circuit, compiled; the mathematics is that of `geniex.circuit.newton`.

One source serves float64 and float32. Arrays have the layout of `wires`.
"""

from typing import Any, NamedTuple, no_type_check

from numba import njit

from geniex.circuit.kernels.cells import call_cells
from geniex.circuit.kernels.simd import LANES, absolute, cast, greater, highest, load, root, store, total, zeros
from geniex.circuit.kernels.wires import close_lines, close_row, loss, open_lines, rise

__all__ = ["Cells", "Krylov", "State", "change", "damp", "evaluate", "iterate", "start"]


class Cells(NamedTuple):
    """A compiled device and the conductances of a crossbar."""

    address: Any
    parameters: Any
    count: Any  # parameters of a cell
    g: Any


class State(NamedTuple):
    """Where Newton's method is."""

    v: Any  # (depth * LANES,) voltage of each row's driver
    u: Any  # cell voltages
    i: Any  # their currents
    slope: Any  # and slopes
    f: Any  # mismatch


class Krylov(NamedTuple):
    """Work arrays of conjugate gradients."""

    s: Any
    r: Any
    y: Any
    lost: Any


@njit
@no_type_check
def evaluate(cells, at, state):
    """Currents, slopes and mismatch F = u + Z i - v at `state.u`; the largest magnitude of the mismatch."""
    apply_cells(cells, at, state)
    lose(at, state.i)
    cols = len(at.x)
    worst, wrong = zeros(at.x), zeros(at.x)
    for t in range(len(at.t)):
        v, mask = load(state.v, t), load(at.mask, t)
        for j in range(cols):
            k = t * cols + j
            f = (load(state.u, k) + loss(at, k, j, t) - v) * mask
            store(state.f, k, f)
            worst = greater(worst, absolute(f))
            wrong = wrong + (f - f)
    return highest(worst) + total(wrong)


@njit
@no_type_check
def apply_cells(cells, at, state):
    """Currents and slopes at `state.u`."""
    cols, deep = len(at.x), len(at.t)
    size = deep * cols * LANES
    call_cells(
        cells.address, 0, size, cols, deep, state.u, cells.g, state.i, state.slope, cells.parameters, cells.count
    )


@njit
@no_type_check
def lose(at, i):
    """Find the loss of currents `i`."""
    cols = len(at.x)
    open_lines(at)
    power = zeros(at.x)
    for t in range(len(at.t)):
        p, q = zeros(at.x), zeros(at.x)
        for j in range(cols):
            k = t * cols + j
            p, q, _ = rise(at, k, j, load(i, k), p, q)
        close_row(at, t, p, q)
    close_lines(at, power)


@njit
@no_type_check
def damp(at, state, krylov, scale, eta, limit):
    """(1 + Z D)^-1 F / scale: `krylov.lost` becomes what it differs by from F. Steps taken, and rho as they saw it."""
    cols, deep = len(at.x), len(at.t)
    squares = zeros(at.x)
    for k in range(deep * cols):
        s = root(cast(load(state.slope, k), at.x))
        r = s * cast(load(state.f, k) * scale, at.x)
        store(krylov.s, k, s)
        store(krylov.r, k, r)
        store(krylov.y, k, zeros(at.x))
        store(krylov.lost, k, zeros(at.x))
        squares = squares + r * r
    rr = total(squares)
    first, beta, rho, step = rr, rr - rr, rr - rr, 0
    target = first * eta * eta
    while rr > target and step < limit:
        step += 1
        power, squares = zeros(at.x), zeros(at.x)
        open_lines(at)
        for t in range(deep):
            p, q = zeros(at.x), zeros(at.x)
            for j in range(cols):
                k = t * cols + j
                y = load(krylov.r, k) + load(krylov.y, k) * beta
                store(krylov.y, k, y)
                squares = squares + y * y
                i = load(krylov.s, k) * y
                p, q, partial = rise(at, k, j, i, p, q)
                power = power + i * partial
            power = power + close_row(at, t, p, q)
        lost, length = total(close_lines(at, power)), total(squares)
        rho = max(rho, lost / length)
        alpha = rr / (length + lost)
        squares = zeros(at.x)
        for t in range(deep):
            for j in range(cols):
                k = t * cols + j
                z = loss(at, k, j, t)
                r = load(krylov.r, k) - (load(krylov.y, k) + load(krylov.s, k) * z) * alpha
                store(krylov.r, k, r)
                store(krylov.lost, k, load(krylov.lost, k) + z * alpha)
                squares = squares + r * r
        previous, rr = rr, total(squares)
        beta = rr / previous
        target = first * (eta / (1 + rho)) ** 2
    return step, rho


@njit
@no_type_check
def change(at, state, krylov, unit):
    """Take the Newton step that `damp` found; `unit` is 1 / scale."""
    cols = len(at.x)
    for t in range(len(at.t)):
        mask = load(at.mask, t)
        for j in range(cols):
            k = t * cols + j
            step = (cast(load(krylov.lost, k), state.u) * unit - load(state.f, k)) * cast(mask, state.u)
            store(state.u, k, load(state.u, k) + step)


@njit
@no_type_check
def iterate(cells, at, state, inner, krylov, goals, limit):
    """Newton's method from `state.u` until the mismatch reaches a tolerance, or no longer halves.

    Args:
        cells: the cells.
        at: lines of the precision of `state`.
        state: where to start and end.
        inner: lines of the precision of `krylov`.
        krylov: work arrays.
        goals: the tolerance in volt; the loosest and the tightest stop of conjugate gradients.
        limit: Newton steps at most.

    Returns:
        the largest mismatch, Newton steps, rho, and steps of conjugate gradients.
    """
    tolerance, loose, tight = goals
    one, rho = at.cols / at.cols, loose - loose
    worst = evaluate(cells, at, state)
    step, inside = 0, 0
    while worst > tolerance and step < limit:
        eta = max(tight, min(loose, 10 * loose * (tolerance / worst)))
        taken, seen = damp(inner, state, krylov, one / worst, eta, 60)
        inside, rho = inside + taken, max(rho, seen)
        change(at, state, krylov, worst)
        step += 1
        previous, worst = worst, evaluate(cells, at, state)
        if not worst < 0.5 * previous:
            break
    return worst, step, rho, inside


@njit
@no_type_check
def start(cells, at, state, rows):
    """Cell voltages to start from: each row as one cell behind all that it sees of the wires.

    The currents of these cells, sent through the wires, give the first voltages, unless they overshoot.
    """
    cols, deep = len(at.x), len(at.t)
    lumped = lump(cells, at, state, rows)
    for t in range(deep):
        u = load(lumped.u, t)
        for j in range(cols):
            store(state.u, t * cols + j, u)
    apply_cells(cells, at, state)
    lose(at, state.i)
    for t in range(deep):
        v, mask = load(state.v, t), load(at.mask, t)
        for j in range(cols):
            k = t * cols + j
            store(state.u, k, (v - loss(at, k, j, t)) * mask)


@njit
@no_type_check
def lump(cells, at, state, rows):
    """Each row as one cell of the row's mean conductance: u + at.lump I(u) = v by Newton's method from above."""
    cols, deep = len(at.x), len(at.t)
    g = rows.f
    for t in range(deep):
        mean = zeros(at.x)
        for j in range(cols):
            mean = mean + load(cells.g, t * cols + j)
        store(g, t, mean * (load(at.mask, t) / at.cols))
        store(rows.u, t, load(state.v, t))
    for _ in range(30):
        call_cells(
            cells.address, 0, deep * LANES, 1, deep, rows.u, g, rows.i, rows.slope, cells.parameters, cells.count
        )
        moved, size = zeros(at.x), zeros(at.x)
        for t in range(deep):
            u = load(rows.u, t)
            excess = u + load(rows.i, t) * at.lump - load(state.v, t)
            step = excess / (load(rows.slope, t) * at.lump + at.cols / at.cols)
            store(rows.u, t, u - step)
            moved, size = greater(moved, absolute(step)), greater(size, absolute(load(state.v, t)))
        if not highest(moved) > 0.02 * highest(size):
            break
    return rows

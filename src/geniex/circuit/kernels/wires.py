"""The wires, compiled: cumulative sums over a crossbar, 16 rows at a time.

Row `lane * T + t` lies in lane `lane` of vector `t * cols + col`, T vectors deep: sums along word lines and bit lines
both run over whole vectors. Rows beyond the crossbar's fill the last lanes; they carry no current.

The loss at row i and column j is x_j L_i - r_row Q_{j-1} + K_j + r_col (i U_j - Q_{i-1}): L is the current that enters
the word line at its first column, x_j the resistance from there, Q the cumulative sum of the cumulative sum P of the
cell currents, U the current that leaves the bit line at its first row, K_j the potential there. `rise` finds the sums
in one pass; `loss` puts them together in the pass that needs them.
"""

from typing import Any, NamedTuple, no_type_check

import numpy as np
from numba import njit

from geniex.circuit.kernels.simd import LANES, lane_index, last, load, prefix, store, zeros
from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import lumped_resistance

__all__ = ["Lines", "close_lines", "close_row", "depth", "lines", "loss", "open_lines", "rise"]


class Lines(NamedTuple):
    """Resistances in ohm and where the loss of a pass is kept, all of one dtype."""

    x: Any  # (col,) from the driver to each cell
    mask: Any  # (depth * LANES,) 1 for a row of the crossbar, 0 beyond
    r_row: Any
    r_col: Any
    r_source: Any
    r_sink: Any
    r_top: Any  # r_sink where the top of the bit lines is sensed
    one_end: Any  # 1 where it is not
    across_row: Any  # 1 / resistance of a word line from driver to driver, 0 with one driver
    across_col: Any  # the same of a bit line
    spare: Any  # rows of the layout beyond the last but one of the crossbar
    cols: Any
    depth: Any  # vectors that hold a column
    t: Any  # (depth,) 0, 1, 2 ...
    lump: Any  # of a cell whose row and column all carry its own current, in ohm
    partial: Any  # (depth * col * LANES,) the loss but for what is known at the end of a line
    left: Any  # (depth * LANES,) L
    offset: Any  # (col * LANES,) what a bit line adds in each lane
    tilt: Any  # (col * LANES,) and per vector


def depth(rows: int) -> int:
    """Vectors that hold a column."""
    return -(-rows // LANES)


def lines(spec: CrossbarSpec, dtype: type) -> Lines:
    """The lines of a crossbar, with room for the loss of one pass."""
    deep = depth(spec.rows)
    number = np.dtype(dtype).type
    row = spec.r_source + spec.r_row * (spec.cols - 1) + spec.r_source
    col = spec.r_sink + spec.r_col * (spec.rows - 1) + spec.r_sink
    mask = (np.arange(LANES)[None, :] * deep + np.arange(deep)[:, None]) < spec.rows
    return Lines(
        x=(spec.r_source + spec.r_row * np.arange(spec.cols)).astype(dtype),
        mask=mask.astype(dtype).reshape(-1),
        r_row=number(spec.r_row),
        r_col=number(spec.r_col),
        r_source=number(spec.r_source),
        r_sink=number(spec.r_sink),
        r_top=number(spec.r_sink if spec.sensed_ends == 2 else 0),
        one_end=number(spec.sensed_ends == 1),
        across_row=number(1 / row if spec.driven_ends == 2 and row > 0 else 0),
        across_col=number(1 / col if spec.sensed_ends == 2 and col > 0 else 0),
        spare=number(LANES * deep - (spec.rows - 1)),
        cols=number(spec.cols),
        depth=number(deep),
        t=np.arange(deep).astype(dtype),
        lump=number(lumped_resistance(spec)),
        partial=np.zeros(deep * spec.cols * LANES, dtype),
        left=np.zeros(deep * LANES, dtype),
        offset=np.zeros(spec.cols * LANES, dtype),
        tilt=np.zeros(spec.cols * LANES, dtype),
    )


@njit
@no_type_check
def open_lines(at):
    """Start a pass: nothing is summed yet."""
    for j in range(len(at.x)):
        store(at.offset, j, zeros(at.x))
        store(at.tilt, j, zeros(at.x))


@njit(forceinline=True)
@no_type_check
def rise(at, k, j, i, p, q):
    """Take currents `i` of column `j`; return the cumulative sums p, q along the rows, and the partial loss."""
    c, h = load(at.offset, j), load(at.tilt, j)
    partial = zeros(at.x) - (q * at.r_row + h * at.r_col)
    store(at.partial, k, partial)
    p = p + i
    c = c + i
    store(at.offset, j, c)
    store(at.tilt, j, h + c)
    return p, q + p, partial


@njit(forceinline=True)
@no_type_check
def close_row(at, t, p, q):
    """The rows of vector `t` are through: find the currents of their drivers; return the power lost behind them."""
    moment = p * at.r_source + (p * at.cols - q) * at.r_row
    left = p - moment * at.across_row
    store(at.left, t, left)
    return left * moment


@njit
@no_type_check
def close_lines(at, power):
    """All rows are through: find the potentials of the bit lines; return the power lost, from that of the rows."""
    first_row = lane_index(at.x) * (at.depth * at.r_col)
    for j in range(len(at.x)):
        c, h = load(at.offset, j), load(at.tilt, j)
        through = prefix(c)
        before = through - c
        local = h + before * at.depth
        all_sums = prefix(local)
        sums = all_sums - local
        whole = last(through)
        end = whole * at.r_sink + (last(all_sums) - whole * at.spare) * at.r_col
        up = end * at.across_col
        offset = end * at.one_end + up * at.r_top + first_row * up - sums * at.r_col
        tilt = (up - before) * at.r_col
        store(at.offset, j, offset)
        store(at.tilt, j, tilt)
        power = power + offset * c + tilt * (c * at.depth - h)
    return power


@njit(forceinline=True)
@no_type_check
def loss(at, k, j, t):
    """Voltage lost at the cells of vector k: column j, depth t."""
    return load(at.partial, k) + load(at.left, t) * at.x[j] + (load(at.offset, j) + load(at.tilt, j) * at.t[t])

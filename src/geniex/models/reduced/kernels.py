"""The same read as `reading`, compiled: everything but the matrix products, in two passes over data that stay in cache.

Functions of the input are polynomials of the voltage where those fit, as for every smooth cell, and straight pieces
where not: 1020 of them, which 1, 3, 15 and 255 divide, so that levels of 1, 2, 4 and 8 bits are exact.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.kernels.keeping import kept_in
from geniex.models.reduced.reading import functions_of
from geniex.models.reduced.tables import Order, Tables
from geniex.products import affine, driven_rows, product, whole_blocks
from geniex.threads import available, work_off

__all__ = ["CompiledRead"]

INPUTS_AT_ONCE = 2048
DEGREE = 9
PIECES = 1020
FEWEST_PRODUCTS = 2**21  # that a second thread is started for: about 0.5 ms of work
CLOSE = 2e-6  # of a function's largest value: what a polynomial may miss at a level
STRAY = 1e-3  # and between levels


class _Program(NamedTuple):
    """What a compiled read of one crossbar needs. See `Tables` for those not named here.

    Attributes:
        functions: (function, power) coefficients; or (node, function) values.
        scale: of the voltage: polynomials take v scale, nodes are at v scale + offset = 0, 1, 2 ...
        offset: None for polynomials.
        at_rest: values of the functions at 0 V.
        weights: `currents`, `slopes` and `curvatures`.
        constants: what rows that are left out add to the products with them, at 0 V; see `of_first`.
    """

    functions: np.ndarray
    scale: np.float32
    offset: np.float32 | None
    at_rest: Tensor
    weights: tuple[Tensor, ...]
    coupling: Tensor
    share: np.float32
    constants: tuple[Tensor, ...] = ()

    def of_first(self, rows: int, order: Order) -> "_Program":
        """For inputs that drive none but the first `rows` rows."""
        weights, constants, first = [], [], 0
        for functions, weight in zip(order, self.weights, strict=True):
            by_row = weight.unflatten(0, (functions, -1)) if functions else weight.unsqueeze(0)
            rest = self.at_rest[first : first + len(by_row)]
            weights.append(by_row[:, :rows].flatten(0, 1).contiguous())
            constants.append(torch.einsum("f,fic->c", rest, by_row[:, rows:]) if functions else weight.sum(0))
            first += functions
        return self._replace(weights=tuple(weights), constants=tuple(constants))


def _program(tables: Tables, functions: Tensor, scale: float, offset: float | None) -> _Program:
    node = None if offset is None else np.float32(offset)
    weights = (tables.currents, tables.slopes, tables.curvatures)
    share = np.float32(tables.share.item())
    values = functions.float().contiguous()
    at_rest = values[:, 0] if offset is None else values[int(offset)]
    return _Program(values.numpy(), np.float32(scale), node, at_rest, weights, tables.coupling, share)


def _prepare(tables: Tables, levels: Float[Tensor, " level"]) -> _Program:
    """The functions of one crossbar as polynomials or straight pieces, in float32."""
    levels, cubics = levels.double(), tables.cubics.double()
    low, high = levels[0].item(), levels[-1].item()
    largest = max(-low, high)
    at_levels, at_rest = (
        functions_of(levels, levels, cubics),
        functions_of(torch.zeros_like(levels[:1]), levels, cubics),
    )
    polynomials = torch.cat([at_rest, torch.linalg.lstsq(_powers(levels / largest), at_levels - at_rest).solution])
    dense = torch.linspace(low, high, 10 * len(levels), dtype=levels.dtype)
    fits = (
        (functions_of(v, levels, cubics) - at_rest - _powers(v / largest) @ polynomials[1:]).abs()
        <= close * at_levels.abs().amax(0)
        for v, close in ((levels, CLOSE), (dense, STRAY))
    )
    if all(fit.all() for fit in fits):
        return _program(tables, polynomials.mT, 1 / largest, None)
    scale = PIECES / (high - low)
    offset = -math.floor(low * scale)
    values = functions_of((torch.arange(PIECES + 2) - offset) / scale, levels, cubics)
    return _program(tables, values, scale, offset)


def _powers(x: Tensor) -> Tensor:
    return x[:, None] ** torch.arange(1, DEGREE + 1)


class CompiledRead:
    """Column currents of some crossbars; see `reading.read`. Keeps the memory that it works in: new pages are slow."""

    def __init__(self, crossbars: Sequence[Tables], levels: Float[Tensor, " level"], order: Order) -> None:
        """Prepare to read `crossbars`."""
        self.programs = [_prepare(tables, levels) for tables in crossbars]
        self.order = order
        self.rooms: list[_Room] = []
        self.of_first: dict[tuple[int, int], _Program] = {}

    def __call__(self, v: Float[Tensor, "tile input row"], crossbars: Sequence[int]) -> Float[Tensor, "tile input col"]:
        """Currents in ampere for voltages in volt, each tile on the crossbar named."""
        with torch.inference_mode(False), torch.no_grad():  # what is kept must serve reads of every mode
            return self._read(v.detach(), crossbars)

    def _read(self, v: Tensor, crossbars: Sequence[int]) -> Tensor:
        tiles, inputs = v.shape[:2]
        cols = self.programs[0].coupling.shape[-1]
        i = v.new_empty(tiles, inputs, cols)
        parts = [(k, first) for k in range(tiles) for first in range(0, inputs, INPUTS_AT_ONCE)]
        threads = max(1, min(available(), len(parts), v.numel() * cols // FEWEST_PRODUCTS))
        rooms, rows = [self._room(v, cols) for _ in range(threads)], driven_rows(v)
        programs = [self._program(k, rows) for k in crossbars]

        @torch.no_grad()  # the mode is each thread's own
        def run(room: _Room, part: tuple[int, int]) -> None:
            k, chunk = part[0], slice(part[1], part[1] + INPUTS_AT_ONCE)
            room.read(v[k, chunk], programs[k], i[k, chunk])

        work_off(parts, [functools.partial(run, room) for room in rooms])
        self.rooms.extend(rooms)
        return i

    def _program(self, crossbar: int, rows: int) -> _Program:
        """For inputs on the first rows only."""
        if (crossbar, rows) not in self.of_first:
            self.of_first[crossbar, rows] = self.programs[crossbar].of_first(rows, self.order)
        return self.of_first[crossbar, rows]

    def _room(self, like: Tensor, cols: int) -> "_Room":
        try:
            return self.rooms.pop()
        except IndexError:  # others may be reading too
            return _Room(like, cols, self.order)


class _Room:
    """What a thread needs."""

    def __init__(self, like: Tensor, cols: int, order: Order) -> None:
        rows, count = like.shape[-1], INPUTS_AT_ONCE
        self.order = order
        self.functions = [like.new_zeros(count * functions * rows) for functions in order]
        self.none = [like.new_zeros(count, width) for width in (2 * cols, 2 * cols + 1, cols)]
        self.x = like.new_zeros(count, cols)

    def read(self, v: Tensor, program: _Program, out: Tensor) -> None:
        """Write the currents of `v` (input, row) to `out` (input, col)."""
        products, first, blocks = [], 0, whole_blocks(len(v))
        for functions, memory, weight, constant, none in zip(
            self.order, self.functions, program.weights, program.constants, self.none, strict=True
        ):
            part = memory[: blocks * len(weight)].view(blocks, len(weight))
            _evaluate(v, program, slice(first, first + functions), part)
            products.append(affine(part, weight, constant).numpy() if functions else none.numpy())
            first += functions
        x = self.x[:blocks]
        _combine(*products, x.numpy(), program.share, out.numpy())
        out.add_(product(x, program.coupling)[: len(v)])


def _evaluate(v: Tensor, program: _Program, functions: slice, out: Tensor) -> None:
    """Write functions of the inputs (input, row) to `out` (input, function x row), of as many rows as it has."""
    if program.offset is None:
        _polynomials(v.numpy(), program.functions[functions], program.scale, out.numpy())
    else:
        _straight(v.numpy(), program.functions[:, functions], program.scale, program.offset, out.numpy())


_kept = kept_in(Path(__file__).parent)


@_kept
@no_type_check
def _polynomials(v, coefficients, scale, out):
    rows = out.shape[1] // max(1, len(coefficients))
    for b in range(len(v)):
        for f in range(len(coefficients)):
            c, first = coefficients[f], f * rows
            for i in range(rows):
                t = v[b, i] * scale
                y = c[DEGREE]
                for power in range(1, DEGREE + 1):
                    y = y * t + c[DEGREE - power]
                out[b, first + i] = y


@_kept
@no_type_check
def _straight(v, table, scale, offset, out):
    rows = out.shape[1] // max(1, table.shape[1])
    for b in range(len(v)):
        for i in range(rows):
            t = v[b, i] * scale + offset
            k = min(max(int(t), 0), len(table) - 2)
            share = t - np.float32(k)
            for f in range(table.shape[1]):
                out[b, f * rows + i] = table[k, f] + share * (table[k + 1, f] - table[k, f])


@_kept
@no_type_check
def _combine(currents, slopes, curvatures, x, constant, out):
    inputs, cols = out.shape
    for b in range(inputs):
        share = slopes[b, 2 * cols] + constant
        for j in range(cols):
            rise = currents[b, cols + j] / (np.float32(1) - slopes[b, cols + j])
            x[b, j] = share * rise
            out[b, j] = currents[b, j] + (slopes[b, j] + curvatures[b, j] * rise) * rise

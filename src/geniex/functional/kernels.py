"""The digital side of a read, compiled: digits out of integers, and readings into sums, each in one pass.

The same as `reading`, for floors and converters that this file knows; others take the way through torch.
"""

from pathlib import Path
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from torch import Tensor

from geniex.circuit.kernels.keeping import kept_in
from geniex.coding import Stream
from geniex.converters import DigitalFloor, DummyColumn, PaperFloor
from geniex.digital import FixedPoint, Number
from geniex.functional.hardware import largest_product
from geniex.functional.reading import RowTile

__all__ = ["CompiledStreams", "add_readings", "can_add", "integers"]

FLOORS = {PaperFloor: 0, DummyColumn: 1, DigitalFloor: 2}
HALVES = {torch.float32: 1.5 * 2**23, torch.float64: 1.5 * 2**52}  # adding it and taking it off rounds to even
LARGEST = {torch.float32: 2**22, torch.float64: 2**51}  # code that is rounded so


def integers(x: Tensor, number: Number) -> Tensor | None:
    """`quantize` of float32 numbers in one pass; None where a number is not finite or has to raise."""
    q = torch.empty(x.shape, dtype=torch.int32)
    if number.overflow == "raise" or isinstance(number.step, tuple):
        return None
    factor = np.float32(2.0**number.fraction_bits if isinstance(number, FixedPoint) else number.step)
    whole = _truncated if isinstance(number, FixedPoint) else _nearest
    limit = 2.0 ** (number.bits - 1)
    finite = whole(x.detach().contiguous().view(-1).numpy(), factor, np.float32(limit), q.view(-1).numpy())
    return q if finite else None


class Reads(NamedTuple):
    """The reads of some inputs on one row tile that drive a row.

    Attributes:
        level: digits (read, row).
        entry: which input each is of.
        place: what a product of its digits is worth.
        total: sum of its digits.
    """

    level: Tensor
    entry: np.ndarray
    place: np.ndarray
    total: np.ndarray


class CompiledStreams:
    """Digits of integers, stream by stream."""

    def __init__(self, streams: list[Stream]) -> None:
        """Lay the streams out as arrays."""
        self.table = np.array([[s.shift, s.mask, s.sign, s.offset, s.least] for s in streams], dtype=np.int32)
        self.place = np.array([s.place for s in streams])

    def reads(self, q: Tensor, first: int, rows: int, dtype: torch.dtype) -> Reads:
        """Digits of the inputs `q` (input, row) on the `rows` rows from `first` on."""
        most = len(q) * len(self.place)
        level = torch.empty(most, rows, dtype=dtype)
        entry, stream = np.empty((2, most), dtype=np.int32)
        total = np.empty(most, dtype=np.float32)
        count = _digits(q.numpy(), first, self.table, level.numpy(), entry, stream, total)
        return Reads(level[:count], entry[:count], self.place[stream[:count]], total[:count])


def can_add(tile: RowTile) -> bool:
    """Whether `add_readings` knows the floor and the converter, and rounds exactly."""
    adc = tile.config.adc
    known = type(tile.config.floor) in FLOORS and (adc is None or adc.is_plain)
    largest = 2**adc.bits if adc else 2 * largest_product(tile.config)
    return known and tile.g.device.type == "cpu" and largest <= LARGEST[tile.g.dtype]


def add_readings(reads: Reads, tile: RowTile, sums: Tensor) -> None:
    """Read, and add the readings times their places to `sums` (input, crossbar, used)."""
    config, levels = tile.config, tile.levels
    i = tile.read(levels.voltages(reads.level, reads.level.dtype).unsqueeze(0))
    ideal = tile.ideal(reads.level.unsqueeze(0)) if config.floor.needs_ideal else i[..., : sums.shape[-1]]
    number = i.numpy().dtype.type
    scalars = (
        number(1 / levels.product),
        number(config.g_off / levels.g_step),
        number(HALVES[i.dtype]),
        number(2**config.adc.bits - 1 if config.adc else np.inf),
    )
    _collect(
        FLOORS[type(config.floor)], *_flat(i), *_flat(ideal), reads.total, reads.entry, reads.place,
        tile.which.numpy(), tile.units, scalars, sums.numpy(),
    )  # fmt: skip


def _flat(x: Tensor) -> tuple[np.ndarray, int, int]:
    """The numbers in memory order, and the distance between crossbars and between reads; columns are neighbours."""
    if x.stride(-1) != 1:
        x = x.contiguous()
    size = 1 + sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))
    return x.as_strided((size,), (1,)).numpy(), x.stride(0), x.stride(1)


_kept = kept_in(Path(__file__).parent)


@_kept
@no_type_check
def _truncated(x, factor, limit, out):
    finite = True
    for k in range(len(x)):
        y = x[k] * factor
        finite &= abs(y) < np.inf
        out[k] = np.int32(min(max(y, -limit), limit - np.float32(1)))
    return finite


@_kept
@no_type_check
def _nearest(x, step, limit, out):
    finite = True
    for k in range(len(x)):
        y = x[k] / step
        finite &= abs(y) < np.inf
        y = min(max(y, -limit), limit - np.float32(1))
        out[k] = np.int32(np.rint(y))
    return finite


@_kept
@no_type_check
def _digits(q, first, table, level, entry, stream, total):
    here = min(level.shape[1], q.shape[1] - first)
    count = 0
    for n in range(len(q)):
        inputs = q[n, first : first + here]
        for s in range(len(table)):
            shift, mask, sign, offset, least = table[s]
            out = level[count]
            summed = np.int32(0)
            for k in range(here):
                word = sign * inputs[k] + offset
                word = word if word > least else least
                digit = (word >> shift) & mask
                summed += digit
                out[k] = digit
            if summed:
                out[here:] = 0
                entry[count], stream[count], total[count] = n, s, summed
                count += 1
    return count


@_kept
@no_type_check
def _paper(i, ideal, per_ampere, below):
    tiny = i.dtype.type(1e-37)
    for c in range(len(ideal)):
        whole = ideal[c] + below
        whole = whole if whole > tiny else tiny
        i[c] = ideal[c] * (i[c] * per_ampere / whole)


@_kept
@no_type_check
def _less(i, per_ampere, below):
    for c in range(len(i)):
        i[c] = i[c] * per_ampere - below


@_kept
@no_type_check
def _rounded(y, unit, half, top):
    zero = y.dtype.type(0)
    for c in range(len(y)):
        code = (y[c] / unit[c] + half) - half
        code = code if code > zero else zero
        code = code if code < top else top
        y[c] = code * unit[c]


@_kept
@no_type_check
def _collect(floor, i, i_tile, i_read, ideal, ideal_tile, ideal_read, total, entry, place, which, unit, scalars, sums):
    per_ampere, share, half, top = scalars
    used = sums.shape[2]
    y = np.empty(used, i.dtype)
    for n in range(len(total)):
        below = total[n] * share
        for k in range(len(which)):
            here, wanted = k * i_tile + n * i_read, k * ideal_tile + n * ideal_read
            y[:] = i[here : here + used]
            if floor == 0:
                _paper(y, ideal[wanted : wanted + used], per_ampere, below)
            else:
                _less(y, per_ampere, i[here + used] * per_ampere if floor == 1 else below)
            if top < np.inf:
                _rounded(y, unit[k], half, top)
            else:
                for c in range(used):
                    y[c] = (y[c] + half) - half
            row = sums[entry[n], which[k]]
            for c in range(used):
                row[c] += place[n] * y[c]

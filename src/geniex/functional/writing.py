"""Writing: a weight matrix as digits on tiles, and the conductances that its cells then have.

What was written is a value of its own: reads are made from it, a chip keeps it, and nothing else draws again what an
effect drew when it was written.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from geniex.digital import digits, quantize, tile
from geniex.functional.hardware import (
    HardwareConfig,
    array_widths,
    compute_dtype,
    crossbars_per_array,
    used_cols,
    window,
)
from geniex.models.base import CrossbarModel
from geniex.models.randomness import states

__all__ = [
    "Placed",
    "WrittenMatrix",
    "WrittenTile",
    "crossbars_of",
    "digits_of",
    "left_out",
    "placed",
    "weight_digits",
    "write",
]


class Placed(NamedTuple):
    """Digits on the crossbars of one row tile.

    Attributes:
        number: of the row tile.
        which: of the crossbars side by side, the ones that are here; the others are blank.
        level: digits (crossbar, row, col).
    """

    number: int
    which: Int[Tensor, " crossbar"]
    level: Shaped[Tensor, "crossbar row col"]


@dataclass(frozen=True)
class WrittenTile:
    """The crossbars of one row tile after writing.

    Attributes:
        placed: the digits that were to be written.
        g: the conductances that the cells have, in siemens (crossbar, row, col).
    """

    placed: Placed
    g: Tensor


@dataclass(frozen=True)
class WrittenMatrix:
    """A matrix on crossbars.

    Attributes:
        q: the weights as integers (row, col).
        tiles: of each row tile that has any crossbar.
        states: of the model's generators before writing, from which effects of writing can be repeated; None where they
            are not known, as of a chip from a file.
    """

    q: Tensor
    tiles: list[WrittenTile]
    states: list[Tensor] | None = None


def write(w: Float[Tensor, "row col"], model: CrossbarModel, config: HardwareConfig) -> WrittenMatrix:
    """Write `w` to crossbars; whatever writing draws is drawn now."""
    q, before = quantize(w, config.weights), states(model)
    levels, dtype = window(config), compute_dtype(model, config)
    tiles = [
        WrittenTile(
            part._replace(level=part.level.to(torch.uint8)), model.write(levels.conductances(part.level, dtype))
        )
        for part in placed(weight_digits(q, config), config)
    ]
    return WrittenMatrix(q, tiles, before)


def weight_digits(q: Int[Tensor, "input output"], config: HardwareConfig) -> list[Shaped[Tensor, "_ input output"]]:
    """Digits of weights, given as integers, in each array."""
    words = config.mapping.encode(q, config.weights.bits)
    return [digits(word, widths) for word, widths in zip(words, array_widths(config), strict=True)]


def placed(digit: list[Shaped[Tensor, "_ input output"]], config: HardwareConfig) -> Generator[Placed, None, None]:
    """Digits of each array on crossbars; blank ones are left out where their reading is 0 whatever it is.

    Columns are slice-major from the least significant; arrays follow each other on crossbars of their own.
    """
    for number, level in enumerate(_levels(digit, config)):
        yield from _some(number, level, ~_left_out(level, config))


def left_out(digit: list[Shaped[Tensor, "_ input output"]], config: HardwareConfig) -> Generator[Placed, None, None]:
    """The crossbars that `placed` leaves out."""
    for number, level in enumerate(_levels(digit, config)):
        yield from _some(number, level, _left_out(level, config))


def _levels(digit: list[Tensor], config: HardwareConfig) -> Tensor:
    """Digits (row tile, crossbar, row, col)."""
    columns = [array.movedim(0, 1).flatten(1) for array in digit]
    crossbars = [tile(tile(array, -2, config.rows), -1, used_cols(config)).movedim(1, 2) for array in columns]
    return torch.nn.functional.pad(torch.cat(crossbars, dim=1), (0, config.floor.reserved_cols))


def _left_out(level: Tensor, config: HardwareConfig) -> Tensor:
    return ~level.detach().flatten(1).any(-1) & config.floor.blank_is_zero


def _some(number: int, level: Tensor, chosen: Tensor) -> Generator[Placed, None, None]:
    which = chosen.nonzero().squeeze(-1)
    if len(which):
        yield Placed(number, which, level[which])


def crossbars_of(outputs: int, config: HardwareConfig) -> int:
    """Crossbars side by side that hold `outputs` columns of weights, blank ones too."""
    return sum(crossbars_per_array(outputs, config))


def digits_of(shape: Sequence[int], config: HardwareConfig) -> int:
    """Cells that stand for a digit of a matrix of weights (row, col)."""
    return shape[0] * shape[1] * sum(map(len, array_widths(config)))

"""A read of the crossbars of one row tile: digits to voltages, currents to products of levels. The formula, in torch.

`kernels` does the same in one pass over data that stay in cache.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from geniex.converters import read_out
from geniex.digital import tile
from geniex.functional.hardware import HardwareConfig, used_cols, window
from geniex.models.base import Read
from geniex.products import SharedInputs
from geniex.window import Window

__all__ = ["RowTile", "columns", "read_tile"]


@dataclass(frozen=True)
class RowTile:
    """The crossbars side by side that share their rows.

    Attributes:
        number: of the row tile.
        which: of the crossbars side by side, the ones that are here; the others are blank.
        level: digits (crossbar, row, col) as they were to be written; differentiable where gradients are wanted.
        g: conductances as they were written, in siemens.
        read: voltages to currents.
        unit: products of levels per code of the ADC, or (crossbar, 1, used).
        config: digits and converters.
    """

    number: int
    which: Int[Tensor, " crossbar"]
    level: Tensor
    g: Float[Tensor, "crossbar row col"]
    read: Read
    unit: float | Tensor
    config: HardwareConfig

    @cached_property
    def levels(self) -> Window:
        """Voltages and conductances of the levels."""
        return window(self.config)

    @cached_property
    def ideal(self) -> SharedInputs:
        """Products of levels that an ideal crossbar gives, exactly."""
        return SharedInputs(self.level[..., : used_cols(self.config)].to(self.g.dtype))

    @cached_property
    def units(self) -> np.ndarray:
        """`unit` of every column (crossbar, used)."""
        unit = torch.as_tensor(self.unit, dtype=self.g.dtype)
        return unit.expand(len(self.which), 1, used_cols(self.config)).squeeze(1).contiguous().numpy()

    @property
    def rows(self) -> slice:
        """Rows of the matrix that lie here."""
        return slice(self.number * self.config.rows, (self.number + 1) * self.config.rows)

    def filled(self, digit: Tensor) -> Tensor:
        """Digits (..., row) of `rows`, with those of rows beyond the matrix: 0, whatever the coding of the inputs."""
        return tile(digit, -1, self.config.rows).squeeze(-2)


def read_tile(level: Float[Tensor, "read row"], here: RowTile) -> Float[Tensor, "crossbar read used"]:
    """Readings in products of levels of input digits `level`; differentiable."""
    return read_out(columns(level, here), here.unit, here.config.adc)


def columns(level: Float[Tensor, "read row"], here: RowTile) -> Float[Tensor, "crossbar read used"]:
    """What input digits `level` bring to the ADC, in products of levels; differentiable."""
    config, levels = here.config, here.levels
    i = here.read(levels.voltages(level, level.dtype).unsqueeze(0)) * (1 / levels.product)
    ideal = here.ideal(level.unsqueeze(0)) if config.floor.needs_ideal else None
    floor = level.sum(-1, keepdim=True) * (config.g_off / levels.g_step)
    return config.floor.remove(i, ideal, floor)

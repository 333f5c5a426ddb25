"""A weight matrix on crossbars: digits on tiles, reads of them, and shift-and-add of what is read."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from geniex.coding import stream_digits
from geniex.converters import ColumnScales
from geniex.digital import accumulate, digits, quantize, shifts, tile
from geniex.functional.hardware import (
    HardwareConfig,
    array_widths,
    code_unit,
    compute_dtype,
    input_offset,
    input_streams,
    window,
)
from geniex.functional.reading import RowTile, read_tile
from geniex.models.base import CrossbarModel

if TYPE_CHECKING:
    from geniex.functional.kernels import CompiledStreams

__all__ = ["ProgrammedMatrix", "RowTile", "Stored", "program", "row_tiles"]

CHUNK_CURRENTS = 2**19  # column currents read at once: bounds memory, and keeps them near the cache


@dataclass(frozen=True)
class Stored:
    """What is known of a weight matrix digitally.

    Attributes:
        q: the weights as integers (row, col).
        sums: of each column of each array (array, col), for inputs with an offset.
        step: of the products (col,) or of all.
    """

    q: Tensor
    sums: Tensor
    step: float | Tensor


def program(w: Float[Tensor, "row col"], model: CrossbarModel, config: HardwareConfig) -> "ProgrammedMatrix":
    """Write `w` to crossbars."""
    q = quantize(w, config.weights)
    words = config.mapping.encode(q, config.weights.bits)
    digit = [digits(word, widths) for word, widths in zip(words, array_widths(config), strict=True)]
    tiles = list(row_tiles(digit, model, config, compute_dtype(model, config)))
    step = config.weights.step
    step = step if isinstance(step, float) else torch.tensor(step, dtype=torch.float64, device=w.device)
    assert isinstance(config.inputs.step, float)
    stored = Stored(q, words.double().sum(1), step * config.inputs.step)
    return ProgrammedMatrix(config, tiles, stored, crossbars_of(q.shape[1], config))


def row_tiles(
    digit: list[Shaped[Tensor, "_ input output"]], model: CrossbarModel, config: HardwareConfig, dtype: torch.dtype
) -> Generator[RowTile, None, None]:
    """Write the digits of each array; blank crossbars are left out where their reading is 0 whatever it is."""
    for number, level in enumerate(crossbar_levels(digit, config)):
        kept = level.detach().flatten(1).any(-1) | (not config.floor.blank_is_zero)
        which = kept.nonzero().squeeze(-1)
        if len(which):
            g = model.write(window(config).conductances(level[which], dtype))
            read = model.after_writing.program(g)
            yield RowTile(number, which, level[which], g, read, _unit(number, which, config), config)


def crossbar_levels(
    digit: list[Shaped[Tensor, "_ input output"]], config: HardwareConfig
) -> Shaped[Tensor, "row_tile crossbar row col"]:
    """Digits on crossbars: those of each array, columns slice-major from the least significant, follow each other."""
    used = config.cols - config.floor.reserved_cols
    crossbars = []
    for array in digit:
        columns = array.movedim(0, 1).flatten(1)
        crossbars.append(tile(tile(columns, -2, config.rows), -1, used).movedim(1, 2))
    return torch.nn.functional.pad(torch.cat(crossbars, dim=1), (0, config.floor.reserved_cols))


def crossbars_of(outputs: int, config: HardwareConfig) -> int:
    """Crossbars side by side that hold `outputs` columns of weights."""
    used = config.cols - config.floor.reserved_cols
    return sum(-(-len(widths) * outputs // used) for widths in array_widths(config))


def _unit(number: int, which: Tensor, config: HardwareConfig) -> float | Tensor:
    """Products of levels per code, of all columns or (crossbar, 1, used)."""
    if config.adc is None or not isinstance(config.adc.full_scale, ColumnScales):
        return code_unit(config)
    amperes = torch.tensor(config.adc.full_scale.amperes[number], dtype=torch.float64, device=which.device)[which]
    levels = window(config)
    return (amperes / (2**config.adc.bits - 1) / (levels.v_step * levels.g_step)).unsqueeze(-2)


class ProgrammedMatrix:
    """A weight matrix on crossbars. Derived state: made by `AnalogMatmul.program`, never saved with a layer."""

    def __init__(self, config: HardwareConfig, tiles: list[RowTile], stored: Stored, crossbars: int) -> None:
        """Keep the crossbars of each row tile that has any, of `crossbars` side by side in each."""
        self.config, self.tiles, self.stored, self.crossbars = config, tiles, stored, crossbars
        self.shape = stored.q.shape
        self.streams = input_streams(config)
        self.compiled_streams: CompiledStreams | None = None

    @torch.no_grad()
    def multiply(self, x: Shaped[Tensor, "input row"]) -> Float[Tensor, "input col"]:
        """Real products in float64 of real inputs.

        Raises:
            ValueError: if `x` is not floating or not finite, or has another number of rows.
        """
        if x.shape[-1] != self.shape[0]:
            raise ValueError(f"The weights have {self.shape[0]} rows; got inputs of shape {tuple(x.shape)}.")
        q = self._integers(x)
        return torch.cat([self._multiply_chunk(part) for part in q.split(self._inputs_at_once(q))])

    def _inputs_at_once(self, q: Tensor) -> int:
        """As many as make `CHUNK_CURRENTS`; passes for negative numbers do not count where there are none."""
        signed = q.numel() == 0 or q.min().item() < 0
        reads = sum(signed or stream.sign > 0 for stream in self.streams)
        return max(1, CHUNK_CURRENTS // (self.crossbars * self.config.cols * reads))

    def _multiply_chunk(self, q: Tensor) -> Tensor:
        used = self.config.cols - self.config.floor.reserved_cols
        sums = torch.zeros(len(q), self.crossbars, used, dtype=torch.float64, device=q.device)
        for row_tile in self.tiles:
            if self._is_compiled(row_tile):
                self._add_compiled(q, row_tile, sums)
            else:
                self._add(q, row_tile, sums)
        return self.combine(sums, q.double())

    def _integers(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and x.dtype == torch.float32:
            from geniex.functional.kernels import integers  # numba takes a second to import

            q = integers(x, self.config.inputs)
            if q is not None:
                return q
        return quantize(x, self.config.inputs)

    def _is_compiled(self, row_tile: RowTile) -> bool:
        if row_tile.g.device.type != "cpu":
            return False
        from geniex.functional.kernels import can_add

        return can_add(row_tile)

    def _add_compiled(self, q: Tensor, row_tile: RowTile, sums: Tensor) -> None:
        from geniex.functional.kernels import CompiledStreams, add_readings

        if self.compiled_streams is None:
            self.compiled_streams = CompiledStreams(self.streams)
        rows = self.config.rows
        reads = self.compiled_streams.reads(q, row_tile.number * rows, rows, row_tile.g.dtype)
        if len(reads.level):
            add_readings(reads, row_tile, sums)

    def _add(self, q: Tensor, row_tile: RowTile, sums: Tensor) -> None:
        first = row_tile.number * self.config.rows
        rows = q[:, first : first + self.config.rows]
        level = tile(stream_digits(rows, self.streams), -1, self.config.rows).squeeze(-2)
        entry, stream = level.any(-1).nonzero().unbind(-1)  # a read that drives no row gives 0
        if len(entry):
            y = read_tile(level[entry, stream].to(row_tile.g.dtype), row_tile)
            place = torch.tensor([s.place for s in self.streams], dtype=torch.float64, device=q.device)[stream]
            parts = (y * place[:, None]).movedim(0, 1)
            sums[:, row_tile.which] = sums[:, row_tile.which].index_add(0, entry, parts)

    def combine(
        self, sums: Float[Tensor, "input crossbar used"], q: Float[Tensor, "input row"]
    ) -> Float[Tensor, "input col"]:
        """Shift-and-add over slices, the mapping, and the accumulator; differentiable.

        Args:
            sums: over row tiles and streams of each column's readings.
            q: the inputs as integers.
        """
        config, offset = self.config, input_offset(self.config)
        arrays = torch.stack(list(self._arrays(sums)))
        if offset:
            arrays = arrays - offset * self.stored.sums.unsqueeze(1)
        product = config.mapping.decode(arrays, q, config.weights.bits)
        return accumulate(product, self.stored.step, config.accumulator)

    def _arrays(self, sums: Tensor) -> Generator[Tensor, None, None]:
        """Products (input, col) with the words of each array."""
        used, outputs, first = sums.shape[-1], self.shape[1], 0
        for widths in array_widths(self.config):
            count = -(-len(widths) * outputs // used)
            columns = sums[:, first : first + count].flatten(1)[:, : len(widths) * outputs]
            place = sums.new_tensor([2.0**shift for shift in shifts(widths)])
            yield (columns.unflatten(1, (len(widths), outputs)) * place[:, None]).sum(1)
            first += count

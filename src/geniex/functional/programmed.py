"""A weight matrix on crossbars: reads of its tiles, and shift-and-add of what is read."""

from collections.abc import Generator
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from geniex.coding import stream_digits
from geniex.converters import ColumnScales
from geniex.digital import accumulate, places, quantize
from geniex.functional.hardware import (
    HardwareConfig,
    array_widths,
    code_unit,
    crossbars_per_array,
    input_offset,
    input_streams,
    used_cols,
    window,
)
from geniex.functional.reading import RowTile, columns, read_tile
from geniex.functional.writing import Placed, WrittenMatrix, crossbars_of
from geniex.models.base import CrossbarModel
from geniex.models.randomness import is_random
from geniex.threads import available, work_off

if TYPE_CHECKING:
    from geniex.functional.kernels import CompiledStreams

__all__ = ["ProgrammedMatrix", "combine", "row_tile"]

CHUNK_CURRENTS = 2**21  # column currents that a thread reads at once: bounds memory
FEWEST_READS = 512  # of a crossbar, that another thread is started for: products with fewer inputs are too short


class ProgrammedMatrix:
    """A weight matrix on crossbars, ready to be read. Derived state: made from what was written, never saved."""

    def __init__(self, written: WrittenMatrix, model: CrossbarModel, config: HardwareConfig) -> None:
        """Prepare to read what was `written` with `model`."""
        self.written, self.config, self.shape = written, config, written.q.shape
        self.crossbars, self.streams = crossbars_of(self.shape[1], config), input_streams(config)
        self.tiles = [row_tile(part.placed, part.g, model, config) for part in written.tiles]
        self.places = torch.tensor([s.place for s in self.streams], dtype=torch.float64, device=written.q.device)
        self.compiled_streams: CompiledStreams | None = None
        adc = config.adc
        self.draws = is_random(model.after_writing) or (adc is not None and adc.noise > 0)

    @cached_property
    def word_sums(self) -> Float[Tensor, "array output"]:
        """Of each array, the sum of each column's words."""
        return self.config.mapping.encode(self.written.q, self.config.weights.bits).double().sum(1)

    @torch.no_grad()
    def multiply(self, x: Shaped[Tensor, "input row"]) -> Float[Tensor, "input col"]:
        """Real products in float64 of real inputs.

        Raises:
            ValueError: if `x` is not floating or not finite, or has another number of rows.
        """
        q = self._checked(x)
        reads = self._reads_of_each(q)
        threads = self._threads(q, reads)
        parts = q.split(min(self._inputs_at_once(reads), max(1, -(-len(q) // threads))))
        products: dict[int, Tensor] = {}

        @torch.no_grad()  # the mode is each thread's own
        def multiply(k: int) -> None:
            products[k] = self._multiply_chunk(parts[k])

        work_off(range(len(parts)), [multiply] * threads)
        return torch.cat([products[k] for k in range(len(parts))])

    @torch.no_grad()
    def columns(
        self, x: Shaped[Tensor, "input row"]
    ) -> Generator[tuple[RowTile, Float[Tensor, "crossbar read used"]], None, None]:
        """What inputs bring to the ADCs, in products of levels: a few inputs at a time, from each row tile in turn.

        Raises:
            ValueError: as `multiply`.
        """
        for row_tile, level, _ in self.drives(x):
            yield row_tile, columns(level, row_tile)

    @torch.no_grad()
    def drives(
        self, x: Shaped[Tensor, "input row"]
    ) -> Generator[tuple[RowTile, Float[Tensor, "read row"], Int[Tensor, " read"]], None, None]:
        """Digits of the reads that drive a row, and of which stream: a few inputs at a time, of each row tile in turn.

        Raises:
            ValueError: as `multiply`.
        """
        q = self._checked(x)
        for part in q.split(self._inputs_at_once(self._reads_of_each(q))):
            for row_tile in self.tiles:
                level, _, stream = self._reads(part, row_tile)
                if len(level):
                    yield row_tile, level, stream

    def _checked(self, x: Tensor) -> Tensor:
        """The inputs as integers."""
        if x.shape[-1] != self.shape[0]:
            raise ValueError(f"The weights have {self.shape[0]} rows; got inputs of shape {tuple(x.shape)}.")
        return self._integers(x)

    def _inputs_at_once(self, reads: int) -> int:
        """As many as make `CHUNK_CURRENTS` with so many reads of each."""
        return max(1, CHUNK_CURRENTS // (self.crossbars * self.config.cols * reads))

    def _reads_of_each(self, q: Tensor) -> int:
        """Streams that an input can have; those of negative numbers do not count where there are none."""
        signed = q.numel() == 0 or q.min().item() < 0
        return sum(signed or stream.sign > 0 for stream in self.streams)

    def _threads(self, q: Tensor, reads: int) -> int:
        """That share the inputs: one where reads draw, since what each draws must not depend on who comes first."""
        if self.draws or q.device.type != "cpu":
            return 1
        return max(1, min(available(), len(q) * reads // FEWEST_READS))

    def _multiply_chunk(self, q: Tensor) -> Tensor:
        sums = torch.zeros(len(q), self.crossbars, used_cols(self.config), dtype=torch.float64, device=q.device)
        for row_tile in self.tiles:
            if self._is_compiled(row_tile):
                self._add_compiled(q, row_tile, sums)
            else:
                self._add(q, row_tile, sums)
        return combine(sums, q.double(), self.word_sums, self.config)

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
        reads = self.compiled_streams.reads(q, row_tile.rows.start, self.config.rows, row_tile.g.dtype)
        if len(reads.level):
            add_readings(reads, row_tile, sums)

    def _add(self, q: Tensor, row_tile: RowTile, sums: Tensor) -> None:
        level, entry, stream = self._reads(q, row_tile)
        if len(level):
            y = read_tile(level, row_tile)
            parts = (y * self.places[stream, None]).movedim(0, 1)
            sums[:, row_tile.which] = sums[:, row_tile.which].index_add(0, entry, parts)

    def _reads(self, q: Tensor, row_tile: RowTile) -> tuple[Tensor, Tensor, Tensor]:
        """Digits (read, row) of the reads that drive a row, and which input and stream each is: others give 0."""
        level = row_tile.filled(stream_digits(q[:, row_tile.rows], self.streams))
        entry, stream = level.any(-1).nonzero().unbind(-1)
        return level[entry, stream].to(row_tile.g.dtype), entry, stream


def row_tile(placed: Placed, g: Tensor, model: CrossbarModel, config: HardwareConfig) -> RowTile:
    """Crossbars that hold `g`, ready to be read; differentiable where the digits and `g` are."""
    number, which, level = placed
    return RowTile(number, which, level, g, model.after_writing.program(g), _unit(number, which, config), config)


def combine(
    sums: Float[Tensor, "input crossbar used"],
    q: Float[Tensor, "input row"],
    words: Float[Tensor, "array output"],
    config: HardwareConfig,
) -> Float[Tensor, "input output"]:
    """Shift-and-add over slices, the mapping, and the accumulator; differentiable.

    Args:
        sums: over row tiles and streams of each column's readings.
        q: the inputs as integers.
        words: of each array, the sum of each column's words: what an offset of the inputs adds.
        config: digits, mapping and accumulator.
    """
    arrays, offset = torch.stack(list(_arrays(sums, words.shape[1], config))), input_offset(config)
    if offset:
        arrays = arrays - offset * words.unsqueeze(1)
    product = config.mapping.decode(arrays, q, config.weights.bits)
    assert not isinstance(config.inputs.step, tuple)
    steps = config.weights.step
    step = torch.tensor(steps, dtype=torch.float64, device=q.device) if isinstance(steps, tuple) else steps
    return accumulate(product, step * config.inputs.step, config.accumulator)


def _arrays(sums: Tensor, outputs: int, config: HardwareConfig) -> Generator[Tensor, None, None]:
    """Products (input, output) with the words of each array."""
    first = 0
    for widths, count in zip(array_widths(config), crossbars_per_array(outputs, config), strict=True):
        columns = sums[:, first : first + count].flatten(1)[:, : len(widths) * outputs]
        place = sums.new_tensor(places(widths))
        yield (columns.unflatten(1, (len(widths), outputs)) * place[:, None]).sum(1)
        first += count


def _unit(number: int, which: Tensor, config: HardwareConfig) -> float | Tensor:
    """Products of levels per code, of all columns or (crossbar, 1, used)."""
    if config.adc is None or not isinstance(config.adc.full_scale, ColumnScales):
        return code_unit(config)
    amperes = torch.tensor(config.adc.full_scale.amperes[number], dtype=torch.float64, device=which.device)[which]
    return (amperes / (2**config.adc.bits - 1) / window(config).product).unsqueeze(-2)

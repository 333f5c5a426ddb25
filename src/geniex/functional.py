"""The analog matrix product, written once for every model of the crossbar.

quantize -> digits (streams of the input, slices of the weight) -> tiles -> mapping -> program -> read -> remove the
floor current -> ADC -> shift and add over slices and streams -> accumulate over row tiles -> decode.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from geniex.converters import Adc, Dac, FloorRemoval, PaperFloor, level_products
from geniex.digital import Accumulator, FixedPoint, accumulate, digits, quantize, streams, tile
from geniex.mapping import DifferentialPair, Mapping
from geniex.models.base import CrossbarModel, Read, check_range
from geniex.models.guard import OperatingRange
from geniex.window import Window

__all__ = ["AnalogMatmul", "HardwareConfig", "ProgrammedMatrix"]

CHUNK_CURRENTS = 2**19  # column currents read at once: bounds memory, and keeps them near the cache
ROUNDINGS = 12  # of one column's reading beside those of its sum: of v, g, products, floor and quotient


@dataclass(frozen=True)
class HardwareConfig:
    """The digital format of an analog accelerator. The physics of its crossbars is a `CrossbarModel`.

    Attributes:
        rows: rows of a tile.
        cols: columns of a tile.
        weights: number format of the weights.
        inputs: number format of the inputs.
        slice_bits: width of a weight digit, stored in one cell; must divide the weights' bits.
        dac: input converter; its bits are the width of a stream and must divide the inputs' bits.
        adc: output converter; None rounds to one product of levels and never clips.
        g_on: conductance of the largest weight digit, in siemens.
        g_off: conductance of weight digit 0, in siemens.
        floor: how the current of g_off is removed.
        mapping: how signed weights become conductances.
        accumulator: register of the sums; None holds every sum.
    """

    rows: int = 64
    cols: int = 64
    weights: FixedPoint = field(default_factory=lambda: FixedPoint(bits=16, fraction_bits=13))
    inputs: FixedPoint = field(default_factory=FixedPoint)
    slice_bits: int = 4
    dac: Dac = field(default_factory=Dac)
    adc: Adc | None = field(default_factory=Adc)
    g_on: float = 1e-5
    g_off: float = 1e-5 / 6
    floor: FloorRemoval = field(default_factory=PaperFloor)
    mapping: Mapping = field(default_factory=DifferentialPair)
    accumulator: Accumulator | None = field(default_factory=Accumulator)

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1 + self.floor.reserved_cols:
            raise ValueError(
                f"A tile needs at least 1 row and {1 + self.floor.reserved_cols} columns with "
                f"{type(self.floor).__name__}; got rows={self.rows}, cols={self.cols}."
            )
        for name, width, total in (
            ("slice_bits", self.slice_bits, self.weights.bits),
            ("dac.bits", self.dac.bits, self.inputs.bits),
        ):
            if not 1 <= width <= 8 or total % width:
                raise ValueError(
                    f"`{name}` must lie between 1 and 8 and divide the total of {total} bits; got {width}. "
                    f"Possible: {', '.join(str(w) for w in range(1, 9) if total % w == 0)}."
                )
        _window(self)


class AnalogMatmul:
    """x @ w on crossbars: what a layer holds. Not a module: the model is shared by layers and owned by none."""

    def __init__(self, model: CrossbarModel, config: HardwareConfig) -> None:
        """Join physics and format.

        Args:
            model: computes the crossbars.
            config: digits, tiles and converters.

        Raises:
            ValueError: if the model was made for other crossbars, voltages or conductances.
        """
        check_range(
            model,
            OperatingRange(config.rows, config.cols, 0.0, config.dac.v_max, config.g_off, config.g_on),
        )
        self.model, self.config = model, config

    def quantize(self, x: Shaped[Tensor, "..."]) -> Int[Tensor, "..."]:
        """Inputs as integers."""
        return quantize(x, self.config.inputs)

    def program(self, w: Float[Tensor, "row col"]) -> "ProgrammedMatrix":
        """Write a weight matrix (inputs, outputs) to crossbars."""
        config, window = self.config, _window(self.config)
        q = quantize(w.detach(), config.weights)
        slices = digits(config.mapping.encode(q, config.weights.bits), config.weights.bits, config.slice_bits)
        columns = slices.permute(1, 2, 0, 3).flatten(-2)  # slice-major, least significant first
        used = tile(tile(columns, -2, config.rows), -1, config.cols - config.floor.reserved_cols)
        level = torch.nn.functional.pad(used.permute(1, 0, 3, 2, 4), (0, config.floor.reserved_cols))
        g = window.conductances(level, _compute_dtype(self.model, config)).flatten(1, 2)
        with torch.no_grad():
            return ProgrammedMatrix(config, [(part, self.model.program(part)) for part in g], w.shape)


class ProgrammedMatrix:
    """A weight matrix on crossbars. Derived state: made by `AnalogMatmul.program`, never saved."""

    def __init__(self, config: HardwareConfig, tiles: list[tuple[Tensor, Read]], shape: torch.Size) -> None:
        """Keep one (conductances (array * column tile, row, col), read) per row tile, for weights of `shape`."""
        self.config, self.tiles, self.shape = config, tiles, shape

    @torch.no_grad()
    def multiply(self, q: Int[Tensor, "input row"]) -> Float[Tensor, "input col"]:
        """Real products in float64 of integer inputs, as `AnalogMatmul.quantize` makes them."""
        crossbars, _, cols = self.tiles[0][0].shape
        currents = crossbars * cols * 2 * self.config.inputs.bits // self.config.dac.bits
        return torch.cat([self._multiply_chunk(part) for part in q.split(max(1, CHUNK_CURRENTS // currents))])

    def _multiply_chunk(self, q: Tensor) -> Tensor:
        config, (_, outputs) = self.config, self.shape
        level, weight = streams(q, config.inputs.bits, config.dac.bits)
        driven = level.flatten(1).any(-1)  # a stream of zeros drives no voltage and reads as 0
        level, weight = level[driven], weight[driven]
        per_row_tile = tile(level.to(self.tiles[0][0].dtype), -1, config.rows)
        total = torch.zeros((), dtype=torch.float64, device=q.device)
        for row_tile, (g, read) in enumerate(self.tiles):
            total = total + self._read_tile(per_row_tile[:, :, row_tile], weight, g, read)
        slices = config.weights.bits // config.slice_bits
        columns = total.permute(0, 2, 1, 3).flatten(-2)[..., : slices * outputs].unflatten(-1, (slices, outputs))
        place = 2.0 ** torch.arange(0, config.weights.bits, config.slice_bits, dtype=torch.float64, device=q.device)
        arrays = torch.einsum("ansm,s->anm", columns, place)
        product = config.mapping.decode(arrays, q.double(), config.weights.bits)
        return accumulate(product, config.weights.fraction_bits + config.inputs.fraction_bits, config.accumulator)

    def _read_tile(self, level: Tensor, weight: Tensor, g: Tensor, read: Read) -> Tensor:
        """Sums over streams (array, column tile, input, used column) of one row tile's readings."""
        config, window = self.config, _window(self.config)
        count, inputs, _ = level.shape
        v = window.voltages(level, g.dtype).flatten(0, 1).unsqueeze(0)
        i = config.floor.remove(read(v), v, g, config.g_off)
        y = level_products(i, window.v_step * window.g_step, config.adc).unflatten(1, (count, inputs))
        total = torch.zeros(len(y), inputs, y.shape[-1], dtype=torch.float64, device=y.device)
        for stream, place in enumerate(weight.tolist()):
            total.add_(y[:, stream], alpha=place)
        return total.unflatten(0, (config.mapping.arrays, -1))


def _window(config: HardwareConfig) -> Window:
    return Window(config.dac.v_max, config.g_on, config.g_off, config.dac.bits, config.slice_bits)


def _compute_dtype(model: CrossbarModel, config: HardwareConfig) -> torch.dtype:
    """A learned model's own dtype; else float32 where it resolves one product of levels in a full column.

    The sum over a column and that of its floor, added up in whatever order, are off by half a unit in the last place
    per row at worst.
    """
    for parameter in model.parameters():
        return parameter.dtype
    window = _window(config)
    largest = config.rows * (2**window.v_bits - 1) * (config.g_on + config.g_off) / window.g_step
    return torch.float32 if (config.rows + ROUNDINGS) * 2**-24 * largest < 0.5 else torch.float64

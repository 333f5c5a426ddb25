"""The digital format of an analog accelerator, and what follows from it: digits, streams, levels, precision."""

from dataclasses import dataclass, field, fields

import torch

from geniex.coding import InputCoding, Stream, TwoPasses, TwosComplementStreams
from geniex.converters import Adc, Dac, FloorRemoval, PaperFloor, WorstCase
from geniex.digital import Accumulator, FixedPoint, Number, split
from geniex.mapping import DifferentialPair, Mapping
from geniex.models.base import CrossbarModel
from geniex.window import Window

__all__ = [
    "HardwareConfig",
    "array_widths",
    "code_unit",
    "compute_dtype",
    "crossbars_per_array",
    "described",
    "input_offset",
    "input_streams",
    "largest_product",
    "slices_per_weight",
    "used_cols",
    "window",
]

ROUNDINGS = 12  # of one column's reading beside those of its sum: of v, g, products, floor and quotient


@dataclass(frozen=True)
class HardwareConfig:
    """The digital format of an analog accelerator. The physics of its crossbars is a `CrossbarModel`.

    Attributes:
        rows: rows of a tile.
        cols: columns of a tile.
        weights: number format of the weights.
        inputs: number format of the inputs.
        slice_bits: width of a weight digit, stored in one cell, 1 to 8; or the width of each digit, least significant
            first. A narrower digit uses the lower levels of the cells.
        dac: input converter.
        adc: output converter; None rounds to one product of levels and never clips.
        g_on: conductance of the largest weight digit, in siemens.
        g_off: conductance of weight digit 0, in siemens.
        floor: how the current of g_off is removed.
        mapping: how signed weights become conductances.
        accumulator: register of the sums; None holds every sum.
        stream_bits: width of an input digit, or of each one, like `slice_bits`, up to `dac.bits`; None is `dac.bits`.
        signed_inputs: how signed inputs become streams; None is the paper's way: two's complement where digits have 1
            bit, two passes where they are wider.
        pack_groups: whether a crossbar holds as many groups of a grouped convolution as fit, on rows and columns of
            their own.
    """

    rows: int = 64
    cols: int = 64
    weights: Number = field(default_factory=lambda: FixedPoint(bits=16, fraction_bits=13))
    inputs: Number = field(default_factory=FixedPoint)
    slice_bits: int | tuple[int, ...] = 4
    dac: Dac = field(default_factory=Dac)
    adc: Adc | None = field(default_factory=Adc)
    g_on: float = 1e-5
    g_off: float = 1e-5 / 6
    floor: FloorRemoval = field(default_factory=PaperFloor)
    mapping: Mapping = field(default_factory=DifferentialPair)
    accumulator: Accumulator | None = field(default_factory=Accumulator)
    stream_bits: int | tuple[int, ...] | None = None
    signed_inputs: InputCoding | None = None
    pack_groups: bool = False

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1 + self.floor.reserved_cols:
            raise ValueError(
                f"A tile needs at least 1 row and {1 + self.floor.reserved_cols} columns with "
                f"{type(self.floor).__name__}; got rows={self.rows}, cols={self.cols}."
            )
        if isinstance(self.inputs.step, tuple):
            raise ValueError("`inputs` must have one step for all channels: their products are summed before scaling.")
        for name, digits_of in (("slice_bits", array_widths), ("stream_bits", input_streams)):
            try:
                digits_of(self)
            except ValueError as error:
                raise ValueError(f"`{name}={getattr(self, name)}`: {error}") from error
        widest = max(stream.mask for stream in input_streams(self)).bit_length()
        if widest > self.dac.bits:
            raise ValueError(f"`stream_bits={self.stream_bits}` needs a DAC of {widest} bits; got {self.dac}.")
        window(self)


def array_widths(config: HardwareConfig) -> list[tuple[int, ...]]:
    """Widths of the digits of each array's words, least significant first."""
    every = split(config.weights.bits, config.slice_bits)
    one_bit = config.mapping.one_bit
    return [every[:1] if array in one_bit else every for array in range(config.mapping.arrays)]


def used_cols(config: HardwareConfig) -> int:
    """Columns of a crossbar that hold digits of weights."""
    return config.cols - config.floor.reserved_cols


def crossbars_per_array(outputs: int, config: HardwareConfig) -> list[int]:
    """Crossbars side by side that hold `outputs` columns of weights, of each array, blank ones too."""
    return [-(-len(widths) * outputs // used_cols(config)) for widths in array_widths(config)]


def described(config: HardwareConfig) -> dict[str, str]:
    """Field by field, as Python writes it."""
    return {each.name: repr(getattr(config, each.name)) for each in fields(config)}


def slices_per_weight(config: HardwareConfig) -> int:
    """Cells that a weight takes in the array where it takes the most."""
    return max(map(len, array_widths(config)))


def input_streams(config: HardwareConfig) -> list[Stream]:
    """Digits of the inputs, in the order of time."""
    width = config.dac.bits if config.stream_bits is None else config.stream_bits
    return _coding(config).streams(config.inputs.bits, width)


def input_offset(config: HardwareConfig) -> int:
    """What the streams hold too much of in every input."""
    return _coding(config).offset(config.inputs.bits)


def window(config: HardwareConfig) -> Window:
    """Voltages and conductances of the levels."""
    widest = max(split(config.weights.bits, config.slice_bits))
    return Window(config.dac.v_max, config.g_on, config.g_off, config.dac.bits, widest, config.dac.inl)


def largest_product(config: HardwareConfig) -> int:
    """Products of levels in a column whose rows and cells are all at their highest level."""
    levels = window(config)
    return config.rows * (2**levels.v_bits - 1) * (2**levels.g_bits - 1)


def code_unit(config: HardwareConfig) -> float:
    """Products of levels per code of the ADC, where it is the same for all columns."""
    adc = config.adc
    if adc is None or adc.full_scale is None:
        return 1.0
    if isinstance(adc.full_scale, WorstCase):
        return largest_product(config) / (2**adc.bits - 1)
    assert isinstance(adc.full_scale, int | float)
    return adc.full_scale / (2**adc.bits - 1) / window(config).product


def compute_dtype(model: CrossbarModel, config: HardwareConfig) -> torch.dtype:
    """A learned model's own dtype; else float32 where it resolves one product of levels in a full column.

    The sum over a column and that of its floor, added up in whatever order, are off by half a unit in the last place
    per row at worst.
    """
    for parameter in model.parameters():
        return parameter.dtype
    levels = window(config)
    largest = config.rows * (2**levels.v_bits - 1) * (config.g_on + config.g_off) / levels.g_step
    return torch.float32 if (config.rows + ROUNDINGS) * 2**-24 * largest < 0.5 else torch.float64


def _coding(config: HardwareConfig) -> InputCoding:
    if config.signed_inputs is not None:
        return config.signed_inputs
    width = config.dac.bits if config.stream_bits is None else config.stream_bits
    widest = width if isinstance(width, int) else max(width)
    return TwosComplementStreams() if widest == 1 else TwoPasses()

"""Number formats and converters as tables of a configuration file, and the objects that they build."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from torch import Generator

from geniex.coding import InputCoding, OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.configuration.sections import AMPERE, LIST, SCALE_NAME, WIDTH, Section
from geniex.converters import Adc, Dac, WorstCase
from geniex.digital import Accumulator, FixedPoint, Overflow
from geniex.mapping import DifferentialPair, Mapping, OffsetColumn, TwosComplement

__all__ = ["AccumulatorSection", "AdcSection", "InputSection", "WeightSection"]

MAPPINGS: dict[str, Mapping] = {
    "differential_pair": DifferentialPair(),
    "offset_column": OffsetColumn(),
    "twos_complement": TwosComplement(),
}
CODINGS: dict[str, InputCoding | None] = {
    "paper": None,
    "two_passes": TwoPasses(),
    "twos_complement": TwosComplementStreams(),
    "offset": OffsetInputs(),
}
FRACTION = "bits behind the point; the range is +-2^(bits - 1 - fraction_bits)"
OVERFLOW = "numbers beyond the range saturate, or raise an error"


def _width_branch(value: object) -> str:
    return LIST if isinstance(value, list | tuple) else WIDTH


def _scale_branch(value: object) -> str:
    return SCALE_NAME if isinstance(value, str) else AMPERE


Width = Annotated[int, Field(ge=1, le=8)]
Widths = Annotated[
    Annotated[Width, Tag(WIDTH)] | Annotated[tuple[Width, ...], Field(strict=False), Tag(LIST)],
    Discriminator(_width_branch),
]
FullScale = Annotated[
    Annotated[float, Field(gt=0), Tag(AMPERE)] | Annotated[Literal["worst_case"], Tag(SCALE_NAME)],
    Discriminator(_scale_branch),
]


class WeightSection(Section):
    """Number format of the weights: signed fixed point, cut into slices of one cell each."""

    bits: int = Field(default=16, ge=1, le=16, description="total width in bits, sign included")
    fraction_bits: int = Field(default=13, ge=-16, le=32, description=FRACTION)
    overflow: Overflow = Field(default="saturate", description=OVERFLOW)
    slice_bits: Widths = Field(
        default=4, description="bits per cell; or a list of the bits of each cell, least significant first"
    )
    mapping: Literal["differential_pair", "offset_column", "twos_complement"] = Field(
        default="differential_pair",
        description="signed weights as differential_pair (W+ and W-), offset_column or twos_complement (sign apart)",
    )

    def number(self) -> FixedPoint:
        """The format."""
        return FixedPoint(self.bits, self.fraction_bits, self.overflow)

    def build_mapping(self) -> Mapping:
        """Signed weights on cells."""
        return MAPPINGS[self.mapping]


class InputSection(Section):
    """Number format of the layers' inputs: signed fixed point, driven as streams of one digit each."""

    bits: int = Field(default=16, ge=1, le=16, description="total width in bits, sign included")
    fraction_bits: int = Field(default=12, ge=-16, le=32, description=FRACTION)
    overflow: Overflow = Field(default="saturate", description=OVERFLOW)
    stream_bits: Widths = Field(
        default=4,
        description="bits per stream, the width of the DAC; or a list of the bits of each stream, least significant "
        "first, the widest of which is the DAC's",
    )
    signed: Literal["paper", "two_passes", "twos_complement", "offset"] = Field(
        default="paper",
        description="signed inputs as two_passes (positive, then negative), twos_complement (sign bit apart), offset "
        "(half of the range is added), or as in the paper: twos_complement of 1-bit streams, else two_passes",
    )
    v_max: float = Field(default=0.25, gt=0, description="voltage of the largest input digit, in volt")
    dac_inl: tuple[float, ...] | None = Field(
        default=None,
        strict=False,
        description="deviation of each level of the DAC from the straight line, in levels, that of digit 0 first; "
        "left out: none",
    )

    @model_validator(mode="after")
    def _builds(self) -> "InputSection":
        self.dac()
        return self

    def number(self) -> FixedPoint:
        """The format."""
        return FixedPoint(self.bits, self.fraction_bits, self.overflow)

    def dac(self) -> Dac:
        """What drives word lines."""
        widest = self.stream_bits if isinstance(self.stream_bits, int) else max(self.stream_bits, default=1)
        return Dac(widest, self.v_max, self.dac_inl)

    def coding(self) -> InputCoding | None:
        """Signed inputs as streams."""
        return CODINGS[self.signed]

    def levels(self) -> list[float]:
        """Voltages of a stream's digits."""
        dac = self.dac()
        largest = 2**dac.bits - 1
        deviations = dac.inl or (0.0,) * (largest + 1)
        return [self.v_max * (level + deviation) / largest for level, deviation in enumerate(deviations)]


class AdcSection(Section):
    """Output converter of each column."""

    bits: int = Field(default=14, ge=1, le=32, description="resolution in bits")
    full_scale: FullScale | None = Field(
        default=None,
        description="current of the largest code, in ampere; worst_case is the largest that digits can make; left "
        "out, one code is one product of levels",
    )
    gain: float = Field(default=1.0, gt=0, description="of all converters; 1 has no error")
    offset: float = Field(default=0.0, description="of all converters, in codes")
    inl: tuple[float, ...] | None = Field(
        default=None,
        strict=False,
        description="deviations from the straight line, in codes, at points spread evenly over the codes; "
        "left out: none",
    )
    noise: float = Field(
        default=0.0, ge=0, description="standard deviation of every reading, in codes, drawn from exact.seed"
    )

    @model_validator(mode="after")
    def _builds(self) -> "AdcSection":
        self.build()
        return self

    def build(self) -> Adc:
        """The converter."""
        full_scale = WorstCase() if isinstance(self.full_scale, str) else self.full_scale
        generator = Generator() if self.noise else None
        return Adc(self.bits, full_scale, self.gain, self.offset, self.inl, self.noise, generator)


class AccumulatorSection(Section):
    """Register that sums the partial products of an output; it saturates."""

    bits: int = Field(default=32, ge=2, le=53, description="total width in bits, sign included")
    fraction_bits: int = Field(default=24, ge=-16, le=64, description="bits behind the point")

    def build(self) -> Accumulator:
        """The register."""
        return Accumulator(self.bits, self.fraction_bits)

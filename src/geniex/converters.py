"""Between numbers and currents: input converters, output converters, and the removal of the floor current.

Digit 0 is stored as g_off, not as 0 S, so that every column carries a floor current g_off sum(V) that means nothing.
It is removed before the ADC, in one of the ways below.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from geniex.models.randomness import RandomSource
from geniex.rounding import straight_through

__all__ = [
    "Adc",
    "ColumnScales",
    "Dac",
    "DigitalFloor",
    "DummyColumn",
    "FloorRemoval",
    "PaperFloor",
    "WorstCase",
    "clips",
    "inl_from_dnl",
    "read_out",
]


@dataclass(frozen=True)
class Dac:
    """Input converter of a row; it makes one stream at a time.

    Attributes:
        bits: width of the widest input digit (a stream).
        v_max: voltage of the largest digit, in volt.
        inl: deviation of each of the 2^bits levels from the straight line, in levels; None is a straight line.
    """

    bits: int = 4
    v_max: float = 0.25
    inl: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise ValueError(f"`Dac(bits=...)` must lie between 1 and 8; got {self.bits}.")
        if not 0 < self.v_max < math.inf:
            raise ValueError(f"`Dac(v_max=...)` must be positive and finite; got {self.v_max} V.")
        if self.inl is not None:
            self._check_levels(self.inl)

    def _check_levels(self, inl: tuple[float, ...]) -> None:
        if len(inl) != 2**self.bits or not all(map(math.isfinite, inl)):
            raise ValueError(f"`Dac(inl=...)` needs {2**self.bits} finite deviations, one per level; got {len(inl)}.")
        if inl[0] != 0:
            raise ValueError(f"`Dac(inl=...)` must begin with 0, since digit 0 drives no voltage; got {inl[0]}.")
        lowest = min(level + deviation for level, deviation in enumerate(inl))
        if lowest < 0:
            raise ValueError(f"`Dac(inl=...)` must leave every voltage at least 0; one level lies at {lowest:g}.")


@dataclass(frozen=True)
class WorstCase:
    """Full scale at the largest current that digits can make: every row and every cell at its highest level."""


@dataclass(frozen=True)
class ColumnScales:
    """Full scale of each column, as `calibrate` finds it on data.

    Attributes:
        amperes: of every row tile, of every crossbar in it, of every used column.
    """

    amperes: tuple[tuple[tuple[float, ...], ...], ...]

    def __post_init__(self) -> None:
        every = [x for tile in self.amperes for crossbar in tile for x in crossbar]
        wrong = [x for x in every if not 0 < x < math.inf]
        if wrong or not every:
            found = f"{wrong[0]} A" if wrong else "none"
            raise ValueError(f"`ColumnScales(amperes=...)` must be positive and finite; got {found}.")


FullScale = float | WorstCase | ColumnScales | None


@dataclass(frozen=True)
class Adc:
    """Output converter of a column: rounds to whole codes and clamps to 0 .. 2^bits - 1.

    A current of c codes is read as round(gain c + offset + inl(gain c + offset) + noise), clamped.

    Attributes:
        bits: resolution.
        full_scale: current of the largest code: in ampere, for all columns or each (`ColumnScales`); `WorstCase()`; or
            None, which makes one code one product of levels, as in the paper (exact up to 64 rows of 4-bit digits at
            14 bits).
        gain: of all converters, 1 where they have no error.
        offset: of all converters, in codes.
        inl: integral nonlinearity in codes, at points spread evenly from code 0 to the largest, linear between them;
            None has none. `inl_from_dnl` makes it of step errors.
        noise: standard deviation in codes, of normal numbers that are drawn for every reading.
        generator: what they are drawn from; kept as a `RandomSource`, and no part of what the converter is.
    """

    bits: int = 14
    full_scale: FullScale = None
    gain: float = 1.0
    offset: float = 0.0
    inl: tuple[float, ...] | None = None
    noise: float = 0.0
    generator: Generator | RandomSource | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise ValueError(f"`Adc(bits=...)` must lie between 1 and 32; got {self.bits}. Use `adc=None` for no ADC.")
        if isinstance(self.full_scale, int | float) and not 0 < self.full_scale < math.inf:
            raise ValueError(f"`Adc(full_scale=...)` must be positive and finite; got {self.full_scale} A.")
        if not 0 < self.gain < math.inf:
            raise ValueError(f"`Adc(gain=...)` must be positive and finite; got {self.gain}.")
        if not math.isfinite(self.offset):
            raise ValueError(f"`Adc(offset=...)` must be finite; got {self.offset} codes.")
        if self.inl is not None and (len(self.inl) < 2 or not all(map(math.isfinite, self.inl))):
            raise ValueError(f"`Adc(inl=...)` needs at least 2 finite deviations; got {self.inl}.")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"`Adc(noise=...)` must be at least 0 and finite; got {self.noise} codes.")
        if not isinstance(self.generator, RandomSource) and (self.noise or self.generator is not None):
            object.__setattr__(self, "generator", RandomSource(self.generator, "Adc"))

    @property
    def is_plain(self) -> bool:
        """Whether it has no error but rounding and clamping."""
        return (self.gain, self.offset, self.inl, self.noise) == (1.0, 0.0, None, 0.0)


def inl_from_dnl(dnl: Sequence[float]) -> tuple[float, ...]:
    """Integral nonlinearity at every code from the errors of the steps between codes, both in codes."""
    return (0.0, *itertools.accumulate(dnl))


def read_out(
    y: Float[Tensor, "*tile input col"], unit: float | Float[Tensor, "*tile 1 col"], adc: Adc | None
) -> Float[Tensor, "*tile input col"]:
    """Column currents as the ADC reads them, in products of levels before and after; gradients pass the rounding.

    Args:
        y: currents without floor, in products of levels.
        unit: products of levels per code.
        adc: the converter; None rounds to whole products and never clips.
    """
    if adc is None:
        return _rounded(y)
    code = _codes(y, unit, adc)
    if isinstance(adc.generator, RandomSource) and adc.noise:
        code = code + adc.noise * adc.generator.normal(code)
    return _rounded(code).clamp(0, 2**adc.bits - 1) * _like(unit, y)


def clips(
    y: Float[Tensor, "*tile input col"], unit: float | Float[Tensor, "*tile 1 col"], adc: Adc
) -> Bool[Tensor, "*tile input col"]:
    """Whether the ADC clamps a current, its noise left out; arguments as of `read_out`."""
    code = _codes(y, unit, adc).round()
    return (code < 0) | (code > 2**adc.bits - 1)


def _codes(y: Tensor, unit: float | Tensor, adc: Adc) -> Tensor:
    """Currents in codes as the ADC has them, neither rounded nor clamped."""
    code = y / _like(unit, y)
    return code if adc.is_plain else _with_errors(code, adc)


def _like(unit: float | Tensor, y: Tensor) -> float | Tensor:
    return unit.to(y.dtype) if isinstance(unit, Tensor) else unit


def _rounded(x: Tensor) -> Tensor:
    """Rounded, with the gradient of x."""
    return straight_through(x.round(), x)


def _with_errors(code: Tensor, adc: Adc) -> Tensor:
    code = code * adc.gain + adc.offset
    if adc.inl is None:
        return code
    inl = code.new_tensor(adc.inl)
    place = (code.detach() * ((len(inl) - 1) / (2**adc.bits - 1))).clamp(0, len(inl) - 1)
    left = place.floor().clamp(max=len(inl) - 2).long()
    return code + torch.lerp(inl[left], inl[left + 1], place - left)


class FloorRemoval(ABC):
    """How the current of g_off is taken off. `reserved_cols` columns at the end of each tile store digit 0 for it."""

    reserved_cols: ClassVar[int] = 0
    needs_ideal: ClassVar[bool] = False
    """Whether `ideal` is used; where not, it may be None."""
    blank_is_zero: ClassVar[bool] = False
    """Whether a column that stores digit 0 only gives exactly 0, whatever its current."""

    @abstractmethod
    def remove(
        self,
        i: Float[Tensor, "tile input col"],
        ideal: Float[Tensor, "tile input col"] | None,
        floor: Float[Tensor, "input 1"],
    ) -> Float[Tensor, "tile input used"]:
        """Currents of the used columns without floor. All in one unit, such as a product of levels.

        Args:
            i: measured column currents.
            ideal: what an ideal crossbar would give for the same digits, without floor.
            floor: g_off sum(V) of each read.
        """


@dataclass(frozen=True)
class PaperFloor(FloorRemoval):
    """As in the paper's simulator: (i_ideal - g_off sum V) i / i_ideal, the ratio applied to what is left.

    It knows the ideal current of the same read, which hardware does not. 0 where the ideal current is 0.
    """

    needs_ideal: ClassVar[bool] = True
    blank_is_zero: ClassVar[bool] = True

    def remove(self, i: Tensor, ideal: Tensor | None, floor: Tensor) -> Tensor:
        """See `FloorRemoval.remove`."""
        assert ideal is not None
        total = ideal + floor
        return ideal * torch.where(total > 0, i / total.clamp(min=torch.finfo(i.dtype).tiny), 1.0)


@dataclass(frozen=True)
class DummyColumn(FloorRemoval):
    """The last column of every tile stores digit 0 in all its cells; its measured current is subtracted."""

    reserved_cols: ClassVar[int] = 1

    def remove(self, i: Tensor, ideal: Tensor | None, floor: Tensor) -> Tensor:
        """See `FloorRemoval.remove`."""
        return i[..., :-1] - i[..., -1:]


@dataclass(frozen=True)
class DigitalFloor(FloorRemoval):
    """The exact number g_off sum(V), known to the digital side, is subtracted; its non-ideality stays in the result."""

    def remove(self, i: Tensor, ideal: Tensor | None, floor: Tensor) -> Tensor:
        """See `FloorRemoval.remove`."""
        return i - floor

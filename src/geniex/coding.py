"""Signed inputs on word lines that are driven in one direction only: as streams of non-negative digits.

x = sum over streams of place * digit, less a constant that some codings add to every input.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geniex.digital import shifts, split

__all__ = ["InputCoding", "OffsetInputs", "Stream", "TwoPasses", "TwosComplementStreams", "stream_digits"]

NO_LIMIT = -(2**31)


class Stream(NamedTuple):
    """One digit of every input: (max(sign x + offset, least) >> shift) & mask.

    Attributes:
        place: what a digit of 1 is worth.
        shift: bits to the right of the digit.
        mask: ones in the width of the digit.
        sign: 1 or -1.
        offset: added to every input.
        least: smallest word that has digits.
    """

    place: float
    shift: int
    mask: int
    sign: int = 1
    offset: int = 0
    least: int = NO_LIMIT


class InputCoding(ABC):
    """How signed integers become streams."""

    @abstractmethod
    def streams(self, bits: int, width: int | tuple[int, ...]) -> list[Stream]:
        """The streams, in the order of time.

        Args:
            bits: width of the integers, sign included.
            width: bits of every digit, or of each one, least significant first.

        Raises:
            ValueError: if digits of these widths do not make up a word.
        """

    @abstractmethod
    def offset(self, bits: int) -> int:
        """What the streams hold too much of in every input."""


@dataclass(frozen=True)
class TwoPasses(InputCoding):
    """Positive parts, then negative ones, which weigh negative; a pass that drives no row is not made."""

    def streams(self, bits: int, width: int | tuple[int, ...]) -> list[Stream]:
        """See `InputCoding.streams`."""
        positive = _streams(split(bits, width))
        return [
            stream._replace(place=sign * stream.place, sign=sign, least=0) for sign in (1, -1) for stream in positive
        ]

    def offset(self, bits: int) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class TwosComplementStreams(InputCoding):
    """One pass over the digits of the two's complement; the sign bit is a stream of its own, and weighs negative."""

    def streams(self, bits: int, width: int | tuple[int, ...]) -> list[Stream]:
        """See `InputCoding.streams`; unequal widths end with the sign bit's, 1."""
        *low, top = _streams(sign_apart(bits, width))
        return [*low, top._replace(place=-top.place)]

    def offset(self, bits: int) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class OffsetInputs(InputCoding):
    """x + 2^(bits - 1) in one pass; 2^(bits - 1) times the sum of a column's weights is subtracted digitally."""

    def streams(self, bits: int, width: int | tuple[int, ...]) -> list[Stream]:
        """See `InputCoding.streams`."""
        return [stream._replace(offset=self.offset(bits)) for stream in _streams(split(bits, width))]

    def offset(self, bits: int) -> int:
        """Half of the range."""
        return 2 ** (bits - 1)


def sign_apart(bits: int, width: int | tuple[int, ...]) -> tuple[int, ...]:
    """Widths of digits of which the last is the sign bit; ValueError if unequal ones end otherwise."""
    if isinstance(width, int):
        return (*split(bits - 1, width), 1)
    if width[-1:] != (1,):
        raise ValueError(f"In two's complement the last digit is the sign bit, of 1 bit; got digits of {width} bits.")
    return split(bits, width)


def stream_digits(q: Int[Tensor, "input row"], streams: list[Stream]) -> Float[Tensor, "input stream row"]:
    """The digits of all inputs, in float32."""
    digits = [(((s.sign * q + s.offset).clamp(min=s.least) >> s.shift) & s.mask).float() for s in streams]
    return torch.stack(digits, dim=1)


def _streams(widths: tuple[int, ...]) -> list[Stream]:
    return [Stream(2.0**shift, shift, 2**width - 1) for shift, width in zip(shifts(widths), widths, strict=True)]

"""Exact integer arithmetic around the crossbars: number formats, digits, tiles, accumulators. No physics.

Integers are held in floating tensors where they pass through matrix products; every value stays below the
dtype's exact range, so that nothing is rounded.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from geniex.rounding import straight_through

__all__ = [
    "Accumulator",
    "FixedPoint",
    "Number",
    "Overflow",
    "Scaled",
    "accumulate",
    "digits",
    "in_steps",
    "overflows",
    "places",
    "quantize",
    "shifts",
    "split",
    "tile",
]

Overflow = Literal["saturate", "raise"]
"""What becomes of numbers beyond a format: the nearest that it has, or ValueError with their count."""

WIDEST = 8  # bits of a digit


@dataclass(frozen=True)
class FixedPoint:
    """Signed fixed-point numbers as in the paper: an integer of `bits` bits over 2^fraction_bits, truncated toward 0.

    Attributes:
        bits: total width, sign included.
        fraction_bits: bits behind the point.
        overflow: what becomes of numbers beyond its range.
    """

    bits: int = 16
    fraction_bits: int = 12
    overflow: Overflow = "saturate"

    def __post_init__(self) -> None:
        _check_number(self)
        if not -16 <= self.fraction_bits <= 32:
            raise ValueError(f"`FixedPoint(fraction_bits=...)` must lie between -16 and 32; got {self.fraction_bits}.")

    @property
    def step(self) -> float:
        """Distance between neighbouring numbers."""
        return 2.0**-self.fraction_bits


@dataclass(frozen=True)
class Scaled:
    """Signed numbers as multiples of any step, rounded to the nearest; `calibrate` finds steps on data.

    Attributes:
        bits: total width, sign included.
        step: distance between neighbouring numbers; or one per output channel, for weights.
        overflow: what becomes of numbers beyond its range.
    """

    bits: int
    step: float | tuple[float, ...]
    overflow: Overflow = "saturate"

    def __post_init__(self) -> None:
        _check_number(self)
        steps = self.step if isinstance(self.step, tuple) else (self.step,)
        wrong = [step for step in steps if not 0 < step < math.inf]
        if wrong or not steps:
            raise ValueError(f"`Scaled(step=...)` must be positive and finite; got {wrong[0] if wrong else steps}.")


Number = FixedPoint | Scaled


@dataclass(frozen=True)
class Accumulator:
    """The register that sums all partial products of an output; its result truncates toward zero and saturates.

    Attributes:
        bits: total width, sign included.
        fraction_bits: bits behind the point.
    """

    bits: int = 32
    fraction_bits: int = 24

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 53:
            raise ValueError(f"`Accumulator(bits=...)` must lie between 2 and 53; got {self.bits}.")


def quantize(x: Shaped[Tensor, "..."], number: Number) -> Int[Tensor, "..."]:
    """Integers in units of the format's step: truncated or rounded, and saturated.

    Args:
        x: real numbers; with a step per output channel, these are its last dimension.
        number: the format.

    Raises:
        ValueError: if `x` is not floating, or not finite; if a number overflows a format that is to raise then; if
            there are not as many channels as steps.
    """
    if not x.is_floating_point():
        raise ValueError(f"A layer's inputs and weights must be floating numbers; got {x.dtype}. Cast with `.float()`.")
    if not torch.isfinite(x).all():
        raise ValueError(
            "A layer's inputs and weights must be finite; "
            f"{int((~torch.isfinite(x)).sum())} of {x.numel()} values are not."
        )
    whole, largest = _whole(x, number), 2 ** (number.bits - 1)
    if number.overflow == "raise":
        _refuse_overflow(whole, number)
    return whole.clamp(-largest, largest - 1).to(torch.int32)


def overflows(x: Float[Tensor, "..."], number: Number) -> Bool[Tensor, "..."]:
    """Whether real numbers lie beyond the format, after truncation or rounding."""
    return _beyond(_whole(x, number), number)


def in_steps(x: Float[Tensor, "..."], number: Number) -> Float[Tensor, "..."]:
    """Real numbers in units of the format's step, neither rounded nor limited."""
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    if isinstance(number, FixedPoint):
        return x * 2.0**number.fraction_bits
    if isinstance(number.step, tuple) and (x.dim() == 0 or x.shape[-1] != len(number.step)):
        raise ValueError(
            f"`Scaled(step=...)` has {len(number.step)} steps, one per output channel; got numbers of shape "
            f"{tuple(x.shape)}. Calibrate this layer again."
        )
    return x / torch.as_tensor(number.step, dtype=torch.float64, device=x.device).to(x.dtype)


def split(bits: int, width: int | tuple[int, ...]) -> tuple[int, ...]:
    """Widths of the digits of a word of `bits` bits, least significant first; of equal digits the last can be narrower.

    Raises:
        ValueError: if a width is not from 1 to 8, or unequal widths do not add up to `bits`.
    """
    if isinstance(width, int):
        _check_width(width)
        return tuple(min(width, bits - k) for k in range(0, bits, width))
    for one in width:
        _check_width(one)
    if sum(width) != bits:
        raise ValueError(f"Digits of {width} bits make up {sum(width)} bits, but the word has {bits}.")
    return width


def shifts(widths: tuple[int, ...]) -> list[int]:
    """Bits to the right of each digit."""
    return [sum(widths[:k]) for k in range(len(widths))]


def places(widths: tuple[int, ...]) -> list[float]:
    """What each digit is worth."""
    return [2.0**shift for shift in shifts(widths)]


def digits(q: Int[Tensor, "*shape"], widths: tuple[int, ...]) -> Int[Tensor, "digit *shape"]:
    """Digits of words, least significant first; of a negative word, those of its two's complement."""
    return torch.stack([(q >> shift) & (2**width - 1) for shift, width in zip(shifts(widths), widths, strict=True)])


def tile(x: Tensor, dim: int, size: int) -> Tensor:
    """Split dimension `dim` into (tile, size), the last tile filled with zeros."""
    dim = dim % x.dim()
    count = -(-x.shape[dim] // size)
    missing = count * size - x.shape[dim]
    if missing:
        x = F.pad(x, (*[0, 0] * (x.dim() - 1 - dim), 0, missing))
    return x.unflatten(dim, (count, size))


def accumulate(
    y: Float[Tensor, "..."], step: float | Float[Tensor, "..."], accumulator: Accumulator | None
) -> Float[Tensor, "..."]:
    """Real values of integer sums `y` in units of `step` as the accumulator holds them; None holds every sum.

    Gradients pass the truncation.
    """
    if accumulator is None:
        return y * step
    largest = 2.0 ** (accumulator.bits - 1)
    whole = y * (step * 2.0**accumulator.fraction_bits)
    kept = straight_through(whole.trunc(), whole).clamp(-largest, largest - 1)
    return kept * 2.0**-accumulator.fraction_bits


def _check_number(number: Number) -> None:
    name = type(number).__name__
    if not 1 <= number.bits <= 16:
        raise ValueError(f"`{name}(bits=...)` must lie between 1 and 16; got {number.bits}.")
    if number.overflow not in get_args(Overflow):
        raise ValueError(f"`{name}(overflow=...)` must be 'saturate' or 'raise'; got {number.overflow!r}.")


def _whole(x: Tensor, number: Number) -> Tensor:
    """Real numbers in units of the format's step, truncated or rounded, not limited."""
    whole = in_steps(x, number)
    return whole.trunc() if isinstance(number, FixedPoint) else whole.round()


def _beyond(whole: Tensor, number: Number) -> Tensor:
    largest = 2 ** (number.bits - 1)
    return (whole < -largest) | (whole > largest - 1)


def _check_width(width: int) -> None:
    if not 1 <= width <= WIDEST:
        raise ValueError(f"A digit has 1 to {WIDEST} bits; got {width}.")


def _refuse_overflow(whole: Tensor, number: Number) -> None:
    beyond = int(_beyond(whole, number).sum())
    if beyond:
        raise ValueError(
            f"{beyond} of {whole.numel()} numbers overflow {number}: the largest is {whole.abs().max().item():.6g} "
            f"steps, the format has {2 ** (number.bits - 1) - 1}. Widen the format, calibrate it, or let it saturate."
        )

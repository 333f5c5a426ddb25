"""Exact integer arithmetic around the crossbars: fixed point, digits, tiles, accumulators. No physics.

Integers are held in floating tensors where they pass through matrix products; every value stays below the
dtype's exact range, so that nothing is rounded.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Accumulator", "FixedPoint", "accumulate", "digits", "quantize", "streams", "tile"]


@dataclass(frozen=True)
class FixedPoint:
    """Signed fixed-point numbers: an integer of `bits` bits over 2^fraction_bits.

    Attributes:
        bits: total width, sign included.
        fraction_bits: bits behind the point.
    """

    bits: int = 16
    fraction_bits: int = 12

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise ValueError(f"`FixedPoint(bits=...)` must lie between 2 and 16; got {self.bits}.")
        if not -16 <= self.fraction_bits <= 32:
            raise ValueError(f"`FixedPoint(fraction_bits=...)` must lie between -16 and 32; got {self.fraction_bits}.")


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


def quantize(x: Shaped[Tensor, "..."], number: FixedPoint) -> Int[Tensor, "..."]:
    """Integers x 2^fraction_bits, truncated toward zero and saturated.

    Raises:
        ValueError: if `x` is not floating, or not finite.
    """
    if not x.is_floating_point():
        raise ValueError(f"A layer's inputs and weights must be floating numbers; got {x.dtype}. Cast with `.float()`.")
    if not torch.isfinite(x).all():
        raise ValueError(
            "A layer's inputs and weights must be finite; "
            f"{int((~torch.isfinite(x)).sum())} of {x.numel()} values are not."
        )
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    largest = 2 ** (number.bits - 1)
    return (x * 2.0**number.fraction_bits).trunc_().clamp_(-largest, largest - 1).to(torch.int32)


def digits(q: Int[Tensor, "*shape"], bits: int, width: int) -> Int[Tensor, "digit *shape"]:
    """Digits of `width` bits of non-negative integers below 2^bits, least significant first."""
    shift = torch.arange(0, bits, width, dtype=q.dtype, device=q.device).view(-1, *[1] * q.dim())
    return (q >> shift) & (2**width - 1)


def streams(
    q: Int[Tensor, "*shape"], bits: int, width: int
) -> tuple[Int[Tensor, "stream *shape"], Float[Tensor, " stream"]]:
    """Input digits in the order of time, and the weight of each: q = sum_s weight_s stream_s.

    Streams of one bit are two's complement, the sign bit's stream weighing negative. Wider ones need two passes, for
    the positive and the negative part; the second is left out where nothing is negative.
    """
    place = 2.0 ** torch.arange(0, bits, width, dtype=torch.float64, device=q.device)
    if width == 1:
        place[-1] = -place[-1]
        return digits(q & (2**bits - 1), bits, width), place
    positive = digits(q.clamp(min=0), bits, width)
    if not (q < 0).any():
        return positive, place
    return torch.cat([positive, digits((-q).clamp(min=0), bits, width)]), torch.cat([place, -place])


def tile(x: Tensor, dim: int, size: int) -> Tensor:
    """Split dimension `dim` into (tile, size), the last tile filled with zeros."""
    dim = dim % x.dim()
    count = -(-x.shape[dim] // size)
    missing = count * size - x.shape[dim]
    if missing:
        x = F.pad(x, (*[0, 0] * (x.dim() - 1 - dim), 0, missing))
    return x.unflatten(dim, (count, size))


def accumulate(y: Float[Tensor, "..."], fraction_bits: int, accumulator: Accumulator | None) -> Float[Tensor, "..."]:
    """Real values of integer sums `y` over 2^fraction_bits as the accumulator holds them; None holds every sum."""
    if accumulator is None:
        return y * 2.0**-fraction_bits
    largest = 2.0 ** (accumulator.bits - 1)
    kept = (y * 2.0 ** (accumulator.fraction_bits - fraction_bits)).trunc().clamp(-largest, largest - 1)
    return kept * 2.0**-accumulator.fraction_bits

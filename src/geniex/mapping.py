"""Signed weights on cells that conduct only positively."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["DifferentialPair", "Mapping", "OffsetColumn", "TwosComplement"]


class Mapping(ABC):
    """Signed integers on `arrays` arrays of non-negative integers, and their products back."""

    arrays: ClassVar[int]
    one_bit: ClassVar[tuple[int, ...]] = ()
    """Numbers of the arrays whose words have one bit, and so one slice."""

    @abstractmethod
    def encode(self, w: Int[Tensor, "row col"], bits: int) -> Int[Tensor, "array row col"]:
        """Non-negative integers below 2^bits for signed ones of `bits` bits; arrays never share a crossbar."""

    @abstractmethod
    def decode(
        self, y: Float[Tensor, "array input col"], x: Float[Tensor, "input row"], bits: int
    ) -> Float[Tensor, "input col"]:
        """Products x @ w from the products `y` = x @ encode(w) of each array; linear in `y`."""


@dataclass(frozen=True)
class DifferentialPair(Mapping):
    """W = W+ - W-: positive and negative magnitudes on two arrays."""

    arrays: ClassVar[int] = 2

    def encode(self, w: Int[Tensor, "row col"], bits: int) -> Int[Tensor, "array row col"]:
        """See `Mapping.encode`."""
        return torch.stack([w.clamp(min=0), (-w).clamp(min=0)])

    def decode(
        self,
        y: Float[Tensor, "array input col"],
        x: Float[Tensor, "input row"],
        bits: int,
    ) -> Float[Tensor, "input col"]:
        """See `Mapping.decode`."""
        return y[0] - y[1]


@dataclass(frozen=True)
class OffsetColumn(Mapping):
    """W = U - 2^(bits - 1): one array of shifted weights; the shift times sum(x) is subtracted digitally."""

    arrays: ClassVar[int] = 1

    def encode(self, w: Int[Tensor, "row col"], bits: int) -> Int[Tensor, "array row col"]:
        """See `Mapping.encode`."""
        return (w + 2 ** (bits - 1)).unsqueeze(0)

    def decode(
        self, y: Float[Tensor, "array input col"], x: Float[Tensor, "input row"], bits: int
    ) -> Float[Tensor, "input col"]:
        """See `Mapping.decode`."""
        return y[0] - 2.0 ** (bits - 1) * x.sum(-1, keepdim=True)


@dataclass(frozen=True)
class TwosComplement(Mapping):
    """W = L - 2^(bits - 1) S: slices of the lower bits on one array, sign bits on another, which weighs negative."""

    arrays: ClassVar[int] = 2
    one_bit: ClassVar[tuple[int, ...]] = (1,)

    def encode(self, w: Int[Tensor, "row col"], bits: int) -> Int[Tensor, "array row col"]:
        """See `Mapping.encode`."""
        return torch.stack([w & (2 ** (bits - 1) - 1), (w < 0).to(w.dtype)])

    def decode(
        self, y: Float[Tensor, "array input col"], x: Float[Tensor, "input row"], bits: int
    ) -> Float[Tensor, "input col"]:
        """See `Mapping.decode`."""
        return y[0] - 2.0 ** (bits - 1) * y[1]

"""Between numbers and currents: input converters, output converters, and the removal of the floor current.

Digit 0 is stored as g_off, not as 0 S, so that every column carries a floor current g_off sum(V) that means nothing.
It is removed before the ADC, in one of the ways below.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Adc", "Dac", "DigitalFloor", "DummyColumn", "FloorRemoval", "PaperFloor", "level_products"]


@dataclass(frozen=True)
class Dac:
    """Input converter of a row; it makes one stream at a time.

    Attributes:
        bits: width of an input digit (a stream).
        v_max: voltage of the largest digit, in volt.
    """

    bits: int = 4
    v_max: float = 0.25

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise ValueError(f"`Dac(bits=...)` must lie between 1 and 8; got {self.bits}.")
        if not 0 < self.v_max < math.inf:
            raise ValueError(f"`Dac(v_max=...)` must be positive and finite; got {self.v_max} V.")


@dataclass(frozen=True)
class Adc:
    """Output converter of a column: rounds to whole codes and clamps to 0 .. 2^bits - 1.

    Attributes:
        bits: resolution.
        full_scale: current of the largest code in ampere; None makes one code one product of levels, as in the paper
            (exact up to 64 rows of 4-bit digits at 14 bits).
    """

    bits: int = 14
    full_scale: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise ValueError(f"`Adc(bits=...)` must lie between 1 and 32; got {self.bits}. Use `adc=None` for no ADC.")
        if self.full_scale is not None and not 0 < self.full_scale < math.inf:
            raise ValueError(f"`Adc(full_scale=...)` must be positive and finite; got {self.full_scale} A.")


def level_products(i: Float[Tensor, "..."], product: float, adc: Adc | None) -> Float[Tensor, "..."]:
    """Column currents in units of one product of levels, as the ADC reads them.

    Args:
        i: currents without floor, in ampere.
        product: current of one level of voltage times one level of conductance, in ampere.
        adc: the converter; None rounds to whole products and never clips.
    """
    if adc is None:
        return (i / product).round_()
    code = product if adc.full_scale is None else adc.full_scale / (2**adc.bits - 1)
    codes = (i / code).round_().clamp_(0, 2**adc.bits - 1)
    return codes if code == product else codes * (code / product)


class FloorRemoval(ABC):
    """How the current of g_off is taken off. `reserved_cols` columns at the end of each tile store digit 0 for it."""

    reserved_cols: ClassVar[int] = 0

    @abstractmethod
    def remove(
        self,
        i: Float[Tensor, "tile input col"],
        v: Float[Tensor, "1 input row"],
        g: Float[Tensor, "tile row col"],
        g_off: float,
    ) -> Float[Tensor, "tile input used"]:
        """Currents of the used columns without floor, in ampere.

        Args:
            i: measured column currents in ampere.
            v: voltages of the same reads in volt.
            g: conductances of the tiles in siemens.
            g_off: conductance of digit 0 in siemens.
        """


@dataclass(frozen=True)
class PaperFloor(FloorRemoval):
    """As in the paper's simulator: (i_ideal - g_off sum V) i / i_ideal, the ratio applied to what is left.

    It knows the ideal current of the same read, which hardware does not. 0 where the ideal current is 0.
    """

    def remove(self, i: Tensor, v: Tensor, g: Tensor, g_off: float) -> Tensor:
        """See `FloorRemoval.remove`."""
        ideal = v @ g
        ratio = i / ideal.clamp(min=torch.finfo(i.dtype).tiny)  # 0 / tiny where no current flows
        return ideal.sub_(g_off * v.sum(-1, keepdim=True)).mul_(ratio)


@dataclass(frozen=True)
class DummyColumn(FloorRemoval):
    """The last column of every tile stores digit 0 in all its cells; its measured current is subtracted."""

    reserved_cols: ClassVar[int] = 1

    def remove(self, i: Tensor, v: Tensor, g: Tensor, g_off: float) -> Tensor:
        """See `FloorRemoval.remove`."""
        return i[..., :-1] - i[..., -1:]


@dataclass(frozen=True)
class DigitalFloor(FloorRemoval):
    """The exact number g_off sum(V), known to the digital side, is subtracted; its non-ideality stays in the result."""

    def remove(self, i: Tensor, v: Tensor, g: Tensor, g_off: float) -> Tensor:
        """See `FloorRemoval.remove`."""
        return i - g_off * v.sum(-1, keepdim=True)

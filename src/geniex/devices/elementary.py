"""Memory elements with a law of one line: resistors and cells that conduct by tunnelling or along a filament."""

from dataclasses import dataclass
from typing import no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.devices.base import DeviceModel, ScalarCell
from geniex.devices.functions import sinh_cosh

__all__ = ["Filament", "Ohmic", "Sinh"]


@dataclass(frozen=True)
class Ohmic(DeviceModel):
    """A resistor: I = g v."""

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return g * v

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return torch.broadcast_to(g, torch.broadcast_shapes(v.shape, g.shape))

    def scalar(self) -> ScalarCell:
        """The cell for compilation; see `DeviceModel.scalar`."""
        return ScalarCell(ohmic_cell, (0.0,))


@dataclass(frozen=True)
class Sinh(DeviceModel):
    """A filamentary or tunnelling cell, I = g v0 sinh(v / v0); GENIEx (arXiv 2003.06902), section 3.

    Attributes:
        v0: voltage in volt at which the curve bends: the current at v0 is 18 % above the ohmic one.
    """

    v0: float = 0.25

    def __post_init__(self) -> None:
        if not self.v0 > 0:
            raise ValueError(f"`Sinh(v0=...)` must be positive; got {self.v0} V. Use `Ohmic()` for a linear cell.")

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return g * (torch.sinh(v / self.v0) * self.v0)

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return g * torch.cosh(v / self.v0)

    def scalar(self) -> ScalarCell:
        """The cell for compilation; see `DeviceModel.scalar`."""
        return ScalarCell(sinh_cell, (self.v0,))


@dataclass(frozen=True)
class Filament(DeviceModel):
    """The cell of GENIEx (arXiv 2003.06902), section 3: I = i0 exp(-d / d0) sinh(v / v0), with the gap d as its state.

    As a function of its small-signal conductance g = i0 exp(-d / d0) / v0 it is `Sinh(v0)`.

    Attributes:
        i0: current scale without a gap, in ampere.
        d0: gap in metre over which the current falls to 1 / e.
        v0: voltage in volt at which the curve bends.
    """

    i0: float
    d0: float = 0.25e-9
    v0: float = 0.25

    def __post_init__(self) -> None:
        for name, unit in (("i0", "A"), ("d0", "m"), ("v0", "V")):
            if not getattr(self, name) > 0:
                raise ValueError(f"`Filament({name}=...)` must be positive; got {getattr(self, name)} {unit}.")

    def conductance(self, gap: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Small-signal conductance in siemens of cells with a gap in metre.

        Raises:
            ValueError: if a gap is negative.
        """
        if not (gap >= 0).all():
            raise ValueError(f"`gap` must be at least 0 m; the smallest is {gap.min().item():g} m.")
        return self.i0 / self.v0 * torch.exp(-gap / self.d0)

    def gap(self, g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Gap in metre of cells with a small-signal conductance in siemens.

        Raises:
            ValueError: if a conductance is not positive, or above that of no gap, i0 / v0.
        """
        largest = self.i0 / self.v0
        if not ((g > 0) & (g <= largest)).all():
            raise ValueError(
                f"`g` must lie above 0 and at most at i0 / v0 = {largest:g} S, where the gap closes; "
                f"got {g.min().item():g} to {g.max().item():g} S."
            )
        return self.d0 * torch.log(largest / g)

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return Sinh(self.v0).current(v, g)

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return Sinh(self.v0).slope(v, g)

    def scalar(self) -> ScalarCell:
        """The cell for compilation; see `DeviceModel.scalar`."""
        return Sinh(self.v0).scalar()


@no_type_check
def ohmic_cell(v, g, p):
    """Current and slope of `Ohmic`; no parameters are read."""
    return g * v, g


@no_type_check
def sinh_cell(v, g, p):
    """Current and slope of `Sinh`; p[0] is v0."""
    sinh, cosh = sinh_cosh(v / p[0])
    return g * (p[0] * sinh), g * cosh

"""I-V curves of memory cells: the current of one cell as a function of its voltage and state.

The state `g` is the memory element's small-signal conductance at 0 V in siemens. Elements in series with it
(an access transistor, a selector) change the current, never the meaning of `g`. Every device is passive: no current
at 0 V, and never less current at a higher voltage. Dynamics (writing, drift) are not modelled here.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["DeviceModel", "Ohmic", "Sinh"]


class DeviceModel(ABC):
    """A cell's I-V curve. Subclasses are frozen dataclasses that define `current`, and `slope` where they know it."""

    @abstractmethod
    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere, elementwise, differentiable, nondecreasing in `v`, zero at `v` = 0.

        Args:
            v: voltage over the cell in volt, of either sign.
            g: conductance of the memory element in siemens, at least 0.
        """

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Derivative of `current` with respect to `v` in siemens; by automatic differentiation unless overridden."""
        with torch.inference_mode(False), torch.enable_grad():
            v = torch.broadcast_to(v.detach(), torch.broadcast_shapes(v.shape, g.shape)).clone().requires_grad_()
            return torch.autograd.grad(self.current(v, g.detach().clone()).sum(), v)[0]


@dataclass(frozen=True)
class Ohmic(DeviceModel):
    """A resistor: I = g v."""

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return g * v

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return torch.broadcast_to(g, torch.broadcast_shapes(v.shape, g.shape))


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

"""What a cell is to everything else: its current as a function of its voltage and state.

The state `g` is the memory element's small-signal conductance at 0 V in siemens. Elements in series with it
(an access transistor, a selector) change the current, never the meaning of `g`. Every device is passive: no current
at 0 V, and never less current at a higher voltage. Dynamics (writing, drift) are not modelled here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["DeviceModel", "ScalarCell"]


class ScalarCell(NamedTuple):
    """A cell as a function of plain numbers, which the solver for CPUs compiles.

    Attributes:
        function: (v, g, p) -> (current, slope), of the kind that numba compiles: numbers, `math`, loops, branches, and
            functions of `geniex.devices.functions`. `p` holds the parameters: p[0], p[1] ...
        parameters: numbers, the same for all cells; or a tuple of them for each row of the crossbar.
        quick: for a `function` with a loop or branches: (v, g, p) -> (current, slope, whether they hold) without any,
            which runs on many cells at once. Where it does not hold, `function` is called.
    """

    function: Callable[..., Any]
    parameters: tuple[float, ...] | tuple[tuple[float, ...], ...]
    quick: Callable[..., Any] | None = None


class DeviceModel(ABC):
    """A cell's I-V curve. Subclasses are frozen dataclasses that define `current`, and the rest where they know it."""

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

    def scalar(self) -> ScalarCell | None:
        """The cell for compilation. None, unless overridden: then circuits are solved at the speed of torch."""
        return None

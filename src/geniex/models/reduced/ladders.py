"""Word lines on their own: what each cell conducts while all bit lines are at one potential.

Then the rows know nothing of each other, and a row whose bit lines are all at c is the row driven at V - c with its bit
lines at 0 V: a few exact solves per input level, for all rows at once, are tables of every cell's current.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel
from geniex.models.reduced.lines import word_line

__all__ = ["Ladders"]

RTOL = 1e-12
SLOPE_STEP = 1e-4  # of the drive: central differences err by 1e-8 of the slope


@dataclass(frozen=True)
class Ladders:
    """The word lines of one kind of crossbar.

    Attributes:
        spec: geometry and parasitics; those of the bit lines are left out.
        device: the cells.
    """

    spec: CrossbarSpec
    device: DeviceModel

    def cell_voltages(
        self, drive: Float[Tensor, "crossbar case"], g: Float[Tensor, "crossbar row col"]
    ) -> Float[Tensor, "crossbar case row col"]:
        """Voltage over each cell, in volt, with all rows driven at `drive` volt; differentiable in `g` (siemens).

        Raises:
            RuntimeError: if a circuit does not converge.
        """
        if torch.is_grad_enabled() and g.requires_grad:
            return _CellVoltages.apply(drive, g, self)  # pyright: ignore[reportReturnType]
        return self.solve(drive, g)

    def solve(self, drive: Tensor, g: Tensor) -> Tensor:
        """`cell_voltages` without gradients."""
        alone = dataclasses.replace(self.spec, r_sink=0.0, r_col=0.0, sensed_ends=1)
        solution = NewtonKrylov(alone, self.device, RTOL).solve(drive[..., None].expand(-1, -1, self.spec.rows), g)
        if not solution.converged.all():
            raise RuntimeError(
                f"{int((~solution.converged).sum())} of {solution.converged.numel()} word lines did not converge: "
                f"the worst residual is {solution.residual.max().item():.3g} V. Lower `v_levels`, or use `Circuit`."
            )
        return solution.u

    def current(self, u: Tensor, g: Tensor) -> Tensor:
        """Cell currents in ampere at cell voltages `u` (crossbar, case, row, col)."""
        return self.device.current(u, g.unsqueeze(-3))

    def slope(self, u: Tensor, g: Tensor) -> Tensor:
        """Small-signal conductances in siemens; by differences, so that they have gradients for every device."""
        step = SLOPE_STEP * u.detach().abs().amax().clamp(min=1e-3)
        return (self.current(u + step, g) - self.current(u - step, g)) / (2 * step)


class _CellVoltages(torch.autograd.Function):
    """u + K f(u; g) = V, with gradients by the implicit function theorem: dL/dg = -df/dg (K^-1 + D)^-1 dL/du."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, g: Tensor, ladders: Ladders) -> Tensor:
        u = ladders.solve(drive, g)
        ctx.save_for_backward(u, g)
        ctx.ladders = ladders
        return u

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad_u,) = grad_outputs
        u, g = ctx.saved_tensors
        ladders: Ladders = ctx.ladders
        weight = -word_line(ladders.spec).potentials(ladders.slope(u, g), grad_u)
        with torch.enable_grad():
            leaf = g.detach().clone().requires_grad_()
            (grad_g,) = torch.autograd.grad(ladders.current(u, leaf), leaf, weight)
        return None, grad_g, None

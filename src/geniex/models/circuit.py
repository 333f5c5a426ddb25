"""The exact nonlinear circuit: every read solves Kirchhoff's laws."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.rules import Solved
from geniex.circuit.solution import Solution
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel
from geniex.models.base import CrossbarModel, Read, check_conductances, check_voltages
from geniex.models.guard import OperatingRange

__all__ = ["Circuit"]


class Circuit(CrossbarModel):
    """The crossbar `spec` with cells `device`, solved to `rtol`, with gradients with respect to `v` and `g`."""

    def __init__(self, spec: CrossbarSpec, device: DeviceModel, rtol: float | None = None) -> None:
        """Describe the circuit.

        Args:
            spec: geometry and parasitics.
            device: the cells.
            rtol: largest residual as a share of the drive; None is 1e-10 in float64 and 2e-6 in float32.
        """
        super().__init__()
        self.solver = NewtonKrylov(spec, device, rtol)

    @property
    def operating_range(self) -> OperatingRange:
        """Any voltage and conductance on crossbars of one size."""
        return OperatingRange(self.solver.spec.rows, self.solver.spec.cols)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Keep `g`; see `CrossbarModel.program`. A read raises RuntimeError if a circuit does not converge."""
        check_conductances(g, self.solver.spec)

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            if torch.is_grad_enabled() and (v.requires_grad or g.requires_grad):
                return _Solve.apply(v, g, self.solver)  # pyright: ignore[reportReturnType]
            solved = self.solver.currents(v, g)
            _require_convergence(solved, self.solver, v.dtype)
            return solved.i.view(*torch.broadcast_shapes(v.shape[:-2], g.shape[:-2]), v.shape[-2], g.shape[-1])

        return read

    def solve(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Solution:
        """The whole operating point; leaves the judgement of `Solution.converged` to the caller. No gradients."""
        check_conductances(g, self.solver.spec)
        check_voltages(v, g)
        return self.solver.solve(v, g)


class _Solve(torch.autograd.Function):
    """Currents by iteration, gradients by the implicit function theorem."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, g: Tensor, solver: NewtonKrylov) -> Tensor:
        solution = solver.solve(v, g)
        _require_convergence(solution, solver, v.dtype)
        ctx.save_for_backward(solution.u, v, g)
        ctx.solver = solver
        return solution.i

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad_i,) = grad_outputs
        u, v, g = ctx.saved_tensors
        grad_v, grad_g = ctx.solver.gradients(u, g, grad_i)
        return grad_v.sum_to_size(v.shape), grad_g, None


def _require_convergence(solved: Solution | Solved, solver: NewtonKrylov, dtype: torch.dtype) -> None:
    failed = int((~solved.converged).sum())
    if failed:
        worst = max(solved.residual.flatten().tolist(), key=lambda r: math.inf if math.isnan(r) else r)
        raise RuntimeError(
            f"{failed} of {solved.converged.numel()} circuits did not converge: the worst residual is {worst:.3g} V, "
            f"the tolerance {solver.tolerance(dtype):.3g} of the largest input. "
            "Solve in float64, or pass a larger `rtol` to `Circuit`."
        )

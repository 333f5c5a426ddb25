"""The exact nonlinear solver: Newton's method on the cell voltages, each step by conjugate gradients.

The circuit is one equation per cell, F(u) = u + Z f(u) - V = 0, with `f` the device and `Z` the wires. A Newton step
solves (1 + Z D) du = -F, D = f'(u) >= 0. With s = sqrt(D) the operator is similar to 1 + s Z s, which is symmetric with
eigenvalues between 1 and 1 + rho, rho = max(Z D 1): conjugate gradients need a few steps. They stop at a share of
1 / (1 + rho), because what they leave is multiplied by Z s: a looser stop diverges at low R_on with strong drivers.

Two solvers do this: `kernels.CompiledSolver` on a CPU, for cells that give a scalar function, and `batched.TorchSolver`
for all else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.batched import TorchSolver
from geniex.circuit.rules import Rules, Solved
from geniex.circuit.solution import Solution
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel

if TYPE_CHECKING:
    from geniex.circuit.kernels import CompiledSolver

__all__ = ["NewtonKrylov"]


@dataclass(frozen=True)
class NewtonKrylov:
    """Solver of one kind of crossbar.

    Attributes:
        spec: geometry and parasitics.
        device: the cells.
        rtol: largest residual as a share of the drive, the largest input of a circuit; None is 1e-10 in float64 and
            2e-6 in float32, or what rounding allows in a stiff circuit.
        max_steps: Newton steps after which a circuit counts as not converged.
    """

    spec: CrossbarSpec
    device: DeviceModel
    rtol: float | None = None
    max_steps: int = 200

    def __post_init__(self) -> None:
        if self.rtol is not None and not 0 < self.rtol < 1:
            raise ValueError(f"`rtol` must lie between 0 and 1; got {self.rtol}.")
        if self.max_steps < 1:
            raise ValueError(f"`max_steps` must be at least 1; got {self.max_steps}.")

    def solve(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Solution:
        """Operating points of every input on every crossbar; leading dimensions broadcast as in matmul.

        Never raises for numerics: `Solution.converged` says which circuits reached the tolerance.

        Args:
            v: word-line voltages in volt.
            g: conductances in siemens.
        """
        batch = _batch(v, g)
        parts = (part.unflatten(0, batch) for part in self._run(v, g, voltages=True))
        return Solution(*parts, v=v, g=g, spec=self.spec, device=self.device)

    def currents(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Solved:
        """Column currents of the same circuits in one batch dimension; cell voltages are not kept."""
        return self._run(v, g, voltages=False)

    def gradients(
        self,
        u: Float[Tensor, "*batch row col"],
        g: Float[Tensor, "*#tile row col"],
        grad_i: Float[Tensor, "*batch col"],
    ) -> tuple[Float[Tensor, "*batch row"], Float[Tensor, "*#tile row col"]]:
        """Gradients with respect to `v` and `g` of a loss whose gradient with respect to the currents is `grad_i`.

        By the implicit function theorem: with w = (1 + Z D)^-1 grad_i, dL/dV_i = sum_j D_ij w_ij and
        dL/dg = w df/dg. One linear solve, to rounding.

        Args:
            u: cell voltages of the solution, in volt.
            g: conductances in siemens.
            grad_i: gradient of the loss with respect to the column currents.
        """
        crossbars, which = _crossbars(u.shape[:-2], g)
        cells = u.flatten(0, -3)
        source = grad_i.expand(u.shape[:-2] + u.shape[-1:]).flatten(0, -2)
        grad_v, weights = self.solver(u).adjoint(cells, crossbars, which, source)
        grad_g = torch.zeros_like(crossbars)
        for at, weight in weights:
            grad_g.index_add_(0, which[at], _state_gradient(self.device, cells[at], crossbars[which[at]], weight))
        return grad_v.view(u.shape[:-1]), grad_g.view(g.shape)

    def solver(self, like: Tensor) -> "TorchSolver | CompiledSolver":
        """The solver for tensors of the dtype and on the device of `like`."""
        if like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and self.device.scalar():
            from geniex.circuit.kernels import CompiledSolver  # numba takes a second to import

            return CompiledSolver(self.spec, self.device)
        return TorchSolver(self.spec, self.device)

    def tolerance(self, dtype: torch.dtype) -> float:
        """The residual asked for, as a share of the drive."""
        return Rules(self.rtol).share(dtype)

    def _run(self, v: Tensor, g: Tensor, voltages: bool) -> Solved:
        batch = _batch(v, g)
        crossbars, which = _crossbars(batch, g.detach())
        rows = v.detach().expand(*batch, -1).reshape(-1, self.spec.rows)
        return self.solver(v).solve(rows, crossbars, which, Rules(self.rtol, self.max_steps, voltages))


def _batch(v: Tensor, g: Tensor) -> tuple[int, ...]:
    """Dimensions of the circuits."""
    return (*torch.broadcast_shapes(v.shape[:-2], g.shape[:-2]), v.shape[-2])


def _crossbars(batch: tuple[int, ...], g: Tensor) -> tuple[Tensor, Tensor]:
    """The crossbars `g` in one dimension, and the index of each circuit's."""
    flat = g.reshape(-1, *g.shape[-2:])
    return flat, torch.arange(len(flat), device=g.device).view(*g.shape[:-2], 1).expand(batch).reshape(-1)


def _state_gradient(device: DeviceModel, u: Tensor, g: Tensor, weight: Tensor) -> Tensor:
    """`weight` times the derivative of the cell currents with respect to `g`."""
    with torch.inference_mode(False), torch.enable_grad():
        g = g.clone().requires_grad_()
        return torch.autograd.grad(device.current(u.clone(), g), g, weight.clone())[0]

"""The exact nonlinear solver: Newton's method on the cell voltages, each step by conjugate gradients.

The circuit is one equation per cell, F(u) = u + Z f(u) - V = 0, with `f` the device and `Z` the wires. A Newton step
solves (1 + Z D) du = -F, D = f'(u) > 0. With s = sqrt(D) the operator is similar to 1 + s Z s, which is symmetric with
eigenvalues between 1 and 1 + rho, rho = max(Z D 1): conjugate gradients need a few steps. They stop at
1e-2 / (1 + rho), because what they leave is multiplied by Z s: a looser stop diverges at low R_on with strong drivers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec, Solution
from geniex.circuit.wires import wire_loss
from geniex.devices import DeviceModel

__all__ = ["NewtonKrylov"]

INNER_STOP = 1e-2  # of conjugate gradients, before the division by 1 + rho
INNER_FLOOR = 1e-8  # a step that fails is first solved more tightly, down to here; only then is it halved
CHUNK_CELLS = {"cpu": 2**17, "cuda": 2**25}  # cells solved at once: cache-sized on a CPU, chip-filling on a GPU


@dataclass(frozen=True)
class NewtonKrylov:
    """Solver of one kind of crossbar.

    Attributes:
        spec: geometry and parasitics.
        device: the cells.
        rtol: largest residual as a share of the drive, the largest input of a circuit; None is 1e-10 in float64
            and 2e-6 in float32.
        max_steps: Newton steps after which a circuit counts as not converged.
    """

    spec: CrossbarSpec
    device: DeviceModel
    rtol: float | None = None
    max_steps: int = 50

    def __post_init__(self) -> None:
        if self.rtol is not None and not 0 < self.rtol < 1:
            raise ValueError(f"`rtol` must lie between 0 and 1; got {self.rtol}.")
        if self.max_steps < 1:
            raise ValueError(f"`max_steps` must be at least 1; got {self.max_steps}.")

    def tolerance(self, dtype: torch.dtype) -> float:
        """The residual asked for, as a share of the drive."""
        if self.rtol is not None:
            return self.rtol
        return 1e-10 if dtype == torch.float64 else 2e-6

    def solve(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Solution:
        """Operating points of every input on every crossbar; leading dimensions broadcast as in matmul.

        Never raises for numerics: `Solution.converged` says which circuits reached the tolerance.

        Args:
            v: word-line voltages in volt.
            g: conductances in siemens.
        """
        batch = (*torch.broadcast_shapes(v.shape[:-2], g.shape[:-2]), v.shape[-2])
        parts = zip(*((p.i, p.u, p.residual, p.steps, p.converged) for p in self.chunks(v, g)), strict=True)
        return Solution(*(torch.cat(part).unflatten(0, batch) for part in parts))

    @torch.no_grad()
    def chunks(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Iterator[Solution]:
        """The same operating points, flattened to one batch dimension, a chunk at a time: bounded memory."""
        for _, v_part, g_part in self._split(v, g):
            yield self._solve_chunk(v_part, g_part)

    @torch.no_grad()
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
        stop = 1e-12 if u.dtype == torch.float64 else 1e-6
        cells, source = u.flatten(0, -3), grad_i.expand(u.shape[:-2] + u.shape[-1:]).flatten(0, -2)
        grad_g, grad_v = torch.zeros_like(g.flatten(0, -3) if g.dim() > 2 else g[None]), []
        for at, crossbar, g_part in self._split_crossbars(u.shape[:-2], g):
            slope = self.device.slope(cells[at], g_part)
            weight = self.damp(slope, source[at].unsqueeze(-2).expand_as(slope), stop)
            grad_v.append((slope * weight).sum(-1))
            grad_g.index_add_(0, crossbar, _state_gradient(self.device, cells[at], g_part, weight))
        return torch.cat(grad_v).view(u.shape[:-1]), grad_g.view(g.shape)

    def damp(
        self, slope: Float[Tensor, "batch row col"], x: Float[Tensor, "batch row col"], stop: float | Tensor
    ) -> Float[Tensor, "batch row col"]:
        """(1 + Z D)^-1 x with D the cells' slopes: what wires leave of a small source `x` in series with each cell.

        The Newton step is `damp` of -F. By the implicit function theorem the gradient of the currents needs `damp` too:
        the operator of the adjoint is the same one.

        Args:
            slope: slopes of the cells in siemens.
            x: voltages in volt.
            stop: conjugate gradients stop at this share of the initial residual, divided by 1 + rho.
        """
        s = slope.sqrt()
        rho = wire_loss(self.spec, slope).amax((-2, -1))
        r = s * x
        p, lost = r, torch.zeros_like(r)
        rr = _dot(r, r)
        target = rr * (stop / (1 + rho)).square()
        for _ in range(10 * self.spec.rows * self.spec.cols):
            active = rr > target
            if not active.any():
                break
            q = wire_loss(self.spec, s * p)
            ap = torch.addcmul(p, s, q)
            alpha = torch.where(active, rr / _dot(p, ap), 0)[:, None, None]
            lost = torch.addcmul(lost, alpha, q)
            r = torch.addcmul(r, alpha, ap, value=-1)
            rr_next = _dot(r, r)
            p = torch.addcmul(r, torch.where(active, rr_next / rr, 0)[:, None, None], p)
            rr = torch.where(active, rr_next, rr)
        return x - lost

    def _split(self, v: Tensor, g: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Parts of the flattened batch: where, voltages (batch, row), conductances (batch, row, col)."""
        batch = (*torch.broadcast_shapes(v.shape[:-2], g.shape[:-2]), v.shape[-2])
        v = v.expand(*batch, -1).reshape(-1, self.spec.rows)
        for at, _, g_part in self._split_crossbars(batch, g):
            yield at, v[at], g_part

    def _split_crossbars(self, batch: tuple[int, ...], g: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Parts of the flattened batch: where, index of each circuit's crossbar in `g`, its conductances."""
        flat = g.reshape(-1, *g.shape[-2:])
        crossbar = torch.arange(len(flat), device=g.device).view(*g.shape[:-2], 1).expand(batch).reshape(-1)
        chunk = max(1, CHUNK_CELLS.get(g.device.type, 2**20) // (self.spec.rows * self.spec.cols))
        for start in range(0, max(len(crossbar), 1), chunk):
            at = slice(start, start + chunk)
            yield at, crossbar[at], flat[crossbar[at]]

    def _solve_chunk(self, v: Tensor, g: Tensor) -> Solution:
        """Operating points of circuits v (batch, row), g (batch, row, col)."""
        u = v.unsqueeze(-1).expand_as(g).clone()
        mismatch = self._mismatch(u, v, g)
        tolerance = self.tolerance(v.dtype) * v.abs().amax(-1)
        steps = torch.zeros(len(v), dtype=torch.int64, device=v.device)
        inner, scale = torch.full_like(tolerance, INNER_STOP), torch.ones_like(tolerance)
        for _ in range(self.max_steps):
            active = (_worst(mismatch) > tolerance) & (scale > 1e-3)
            if not active.any():
                break
            at = slice(None) if active.all() else active.nonzero().squeeze(-1)
            step = self.damp(self.device.slope(u[at], g[at]), mismatch[at], inner[at])
            u_next = torch.addcmul(u[at], scale[at][:, None, None], step, value=-1)
            mismatch_next = self._mismatch(u_next, v[at], g[at])
            better = _dot(mismatch_next, mismatch_next) < _dot(mismatch[at], mismatch[at])
            keep = better[:, None, None]
            u[at] = torch.where(keep, u_next, u[at])
            mismatch[at] = torch.where(keep, mismatch_next, mismatch[at])
            scale[at] = torch.where(better, 1.0, torch.where(inner[at] > INNER_FLOOR, scale[at], scale[at] / 2))
            inner[at] = torch.where(better, inner[at], (inner[at] * 1e-3).clamp(min=INNER_FLOOR))
            steps[at] += 1
        residual = _worst(mismatch)
        return Solution(self.device.current(u, g).sum(-2), u, residual, steps, residual <= tolerance)

    def _mismatch(self, u: Tensor, v: Tensor, g: Tensor) -> Tensor:
        """F(u) in volt."""
        return u + wire_loss(self.spec, self.device.current(u, g)) - v.unsqueeze(-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def _worst(f: Tensor) -> Tensor:
    return f.abs().amax((-2, -1))


def _state_gradient(device: DeviceModel, u: Tensor, g: Tensor, weight: Tensor) -> Tensor:
    """`weight` times the derivative of the cell currents with respect to `g`."""
    with torch.inference_mode(False), torch.enable_grad():
        g = g.clone().requires_grad_()
        return torch.autograd.grad(device.current(u.clone(), g), g, weight.clone())[0]

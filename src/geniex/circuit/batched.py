"""The solver on torch tensors: many circuits at once, on any device, with cells of any kind.

Newton's method on the cell voltages as in `geniex.circuit.newton`. Where a step does not halve the mismatch, the
circuit is stiff: then every cell is put behind the resistance `lump` that it sees of the wires, and the step is taken
in w = u + lump I(u), which cannot overshoot; `geniex.circuit.kernels.stiff` says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geniex.circuit.rules import Rules, Solved
from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import lumped_resistance, wire_loss
from geniex.devices import DeviceModel

__all__ = ["TorchSolver"]

INNER_STOP = 1e-2  # of conjugate gradients, before the division by 1 + rho
INNER_FLOOR = 1e-12  # a step that fails is solved more tightly, down to here
SMALLEST_SHARE = 1e-6  # of a step
CHUNK_CELLS = {"cpu": 2**17, "cuda": 2**25}  # cells solved at once: cache-sized on a CPU, chip-filling on a GPU


@dataclass(frozen=True)
class TorchSolver:
    """Solver of one kind of crossbar.

    Attributes:
        spec: geometry and parasitics.
        device: the cells.
    """

    spec: CrossbarSpec
    device: DeviceModel

    @torch.no_grad()
    def solve(
        self,
        v: Float[Tensor, "circuit row"],
        g: Float[Tensor, "crossbar row col"],
        which: Int[Tensor, " circuit"],
        rules: Rules,
    ) -> Solved:
        """Operating points of circuits `v`, each on the crossbar that `which` names.

        Never raises for numerics. What does not converge in float32 is solved in float64.

        Args:
            v: word-line voltages in volt.
            g: conductances in siemens.
            which: index of each circuit's crossbar.
            rules: when to stop, and what to return.
        """
        parts = []
        for at in self._chunks(which):
            part = self._solve_chunk(v[at], g[which[at]], rules)
            parts.append(part if rules.voltages else part._replace(u=part.u[:0]))
        return Solved(*(torch.cat(part) for part in zip(*parts, strict=True)))

    @torch.no_grad()
    def adjoint(
        self,
        u: Float[Tensor, "circuit row col"],
        g: Float[Tensor, "crossbar row col"],
        which: Int[Tensor, " circuit"],
        grad_i: Float[Tensor, "circuit col"],
    ) -> tuple[Float[Tensor, "circuit row"], Iterator[tuple[slice, Tensor]]]:
        """See `NewtonKrylov.gradients`: gradients with respect to `v`, and w by parts of the batch."""
        stop = torch.full((len(u),), 1e-12 if u.dtype == torch.float64 else 1e-6, dtype=u.dtype, device=u.device)
        grad_v, weights = torch.empty_like(u[..., 0]), []
        for at in self._chunks(which):
            slope = self.device.slope(u[at], g[which[at]])
            weight = self.damp(slope.sqrt(), grad_i[at].unsqueeze(-2).expand_as(slope), stop[at])
            grad_v[at] = (slope * weight).sum(-1)
            weights.append((at, weight))
        return grad_v, iter(weights)

    def damp(
        self,
        s: Float[Tensor, "batch row col"],
        x: Float[Tensor, "batch row col"],
        stop: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch row col"]:
        """(1 + Z D)^-1 x with D the cells' slopes: what wires leave of a small source `x` in series with each cell.

        The Newton step is `damp` of -F. By the implicit function theorem the gradient of the currents needs `damp` too:
        the operator of the adjoint is the same one.

        Args:
            s: square roots of the slopes D, in siemens.
            x: voltages in volt.
            stop: conjugate gradients stop at this share of the initial residual, divided by 1 + rho.
        """
        r = s * x
        p, lost = r.clone(), torch.zeros_like(r)
        rr = _dot(r, r)
        rho = wire_loss(self.spec, s * s).amax((-2, -1))
        target = rr * (stop / (1 + rho)).square()
        for _ in range(10 * self.spec.rows * self.spec.cols):
            active = rr > target
            if not active.any():
                break
            current = s * p
            q = wire_loss(self.spec, current)
            alpha = torch.where(active, rr / (_dot(p, p) + _dot(current, q)), 0)[:, None, None]
            lost.addcmul_(alpha, q)
            r.addcmul_(alpha, q.mul_(s).add_(p), value=-1)
            rr_next = _dot(r, r)
            p.mul_(torch.where(active, rr_next / rr, 0)[:, None, None]).add_(r)
            rr = torch.where(active, rr_next, rr)
        return x - lost

    def _chunks(self, which: Tensor) -> Iterator[slice]:
        chunk = max(1, CHUNK_CELLS.get(which.device.type, 2**20) // (self.spec.rows * self.spec.cols))
        for start in range(0, max(len(which), 1), chunk):
            yield slice(start, start + chunk)

    def _solve_chunk(self, v: Tensor, g: Tensor, rules: Rules) -> Solved:
        """Operating points of circuits v (batch, row), g (batch, row, col)."""
        search = _Search(self, v, g, rules)
        solved = search.run()
        failed = ~solved.converged
        if v.dtype == torch.float64 or not failed.any():
            return solved
        again = _Search(self, v[failed].double(), g[failed].double(), rules).run()
        for whole, part in zip(solved, again, strict=True):
            whole[failed] = part.to(whole.dtype)
        return solved


class _Search:
    """Newton's method on a batch of circuits, each with a step length and an inner tolerance of its own."""

    def __init__(self, solver: TorchSolver, v: Tensor, g: Tensor, rules: Rules) -> None:
        self.solver, self.v, self.g, self.rules = solver, v.unsqueeze(-1), g, rules
        self.lump = lumped_resistance(solver.spec)
        self.drive = v.abs().amax(-1)
        self.span = (v.clamp(min=0).amax(-1) - v.clamp(max=0).amin(-1))[:, None, None]
        self.u, self.f = self._start()
        self.worst = _worst(self.f)
        self.inner, self.share = torch.full_like(self.worst, INNER_STOP), torch.ones_like(self.worst)
        self.stiff, self.rho = torch.zeros_like(self.worst, dtype=torch.bool), torch.zeros_like(self.worst)
        self.steps = torch.zeros_like(self.worst, dtype=torch.int64)

    def run(self) -> Solved:
        """Step until every circuit has converged or can go no further."""
        share = self.rules.share(self.v.dtype)
        for _ in range(self.rules.max_steps):
            active = ~(self.worst <= share * self.drive) & (self.share > SMALLEST_SHARE)
            if not active.any():
                break
            self._step(slice(None) if active.all() else active.nonzero().squeeze(-1))
        rho = wire_loss(self.solver.spec, self.solver.device.slope(self.u, self.g)).amax((-2, -1))
        converged = self.worst <= self.rules.tolerance(self.v.dtype, rho) * self.drive
        current = self.solver.device.current(self.u, self.g).sum(-2)
        return Solved(current, self.u, self.worst.double(), self.steps, converged)

    def _start(self) -> tuple[Tensor, Tensor]:
        """The better of two: each cell alone with its `lump`; and what the wires leave if these currents flow."""
        alone = self._settle(self.v.expand_as(self.g), self.v.expand_as(self.g), self.g, self.span, 1e-2)
        ahead = self.v - wire_loss(self.solver.spec, self.solver.device.current(alone, self.g))
        f_alone, f_ahead = (self._mismatch(u, slice(None)) for u in (alone, ahead))
        better = (_worst(f_ahead) < _worst(f_alone))[:, None, None]
        return torch.where(better, ahead, alone), torch.where(better, f_ahead, f_alone)

    def _step(self, at: Tensor | slice) -> None:
        """One Newton step of circuits `at`."""
        u, before, bent = self.u[at], self.worst[at], self.stiff[at]
        s = self.solver.device.slope(u, self.g[at]).sqrt()
        step = self.solver.damp(s, self.f[at], self.inner[at]).neg_()
        del s
        if bent.any():
            step[bent] = self._bend(step[bent], torch.arange(len(self.u), device=bent.device)[at][bent])
        f_next = self._mismatch(u + step, at)
        worst = _worst(f_next)
        better = worst < torch.where(bent, 1.0, 0.5) * before
        keep = better[:, None, None]
        self.f[at] = torch.where(keep, f_next, self.f[at])
        self.u[at] = torch.where(keep, step.add_(u), u)
        self.worst[at] = torch.where(better, worst, before)
        failed = bent & ~better
        self.share[at] = torch.where(failed, self.share[at] / 4, 1.0)
        self.inner[at] = torch.where(failed, (self.inner[at] * 1e-2).clamp(min=INNER_FLOOR), self.inner[at])
        self.stiff[at] = bent | ~better
        self.steps[at] += 1

    def _bend(self, step: Tensor, at: Tensor) -> Tensor:
        """What becomes of steps of stiff circuits `at` that are taken in w = u + lump I(u)."""
        u, g = self.u[at], self.g[at]
        w = u + self.lump * self.solver.device.current(u, g)
        w = w + self.share[at][:, None, None] * (1 + self.lump * self.solver.device.slope(u, g)) * step
        return self._settle(w, u, g, self.span[at], 1e-15) - u

    def _settle(self, w: Tensor, u: Tensor, g: Tensor, span: Tensor, stop: float) -> Tensor:
        """The cell voltages u + lump I(u) = w, to `stop` of `span`: Newton's method inside a bracket."""
        low, high = torch.maximum(w.clamp(max=0), -span), torch.minimum(w.clamp(min=0), span)
        u = torch.minimum(torch.maximum(u, low), high)
        for _ in range(120):
            excess = u + self.lump * self.solver.device.current(u, g) - w
            low, high = torch.where(excess < 0, u, low), torch.where(excess > 0, u, high)
            new = u - excess / (1 + self.lump * self.solver.device.slope(u, g))
            new = torch.where((new > low) & (new < high), new, (low + high) / 2)
            new = torch.where(excess == 0, u, new)
            moved, u = (new - u).abs(), new
            if not (moved > stop * span).any():
                break
        return u

    def _mismatch(self, u: Tensor, at: Tensor | slice) -> Tensor:
        """F(u) in volt."""
        return u + wire_loss(self.solver.spec, self.solver.device.current(u, self.g[at])) - self.v[at]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def _worst(f: Tensor) -> Tensor:
    return f.abs().amax((-2, -1))

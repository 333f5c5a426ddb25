"""What `ReducedOrder` writes down per programmed crossbar: the physics of its word lines, factored into matrices.

The derivation is in docs/reduced_order.md; the names here are those of its equations.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from torch import Tensor

from geniex.circuit.wires import word_line_resistance
from geniex.models.reduced.ladders import Ladders
from geniex.models.reduced.lines import Line, bit_line, word_line

__all__ = [
    "Basis",
    "Expansion",
    "Feedback",
    "Order",
    "Tables",
    "basis",
    "expansion",
    "feedback",
    "mean",
    "tables_of",
    "tabulate",
]

AT_REST = 0.5  # share of the rows that a typical input leaves at 0 V
NEGLIGIBLE = 1e-5
RIDGE = 1e-10
TINY = 1e-300


class Order(NamedTuple):
    """How far the expansion goes.

    Attributes:
        currents: number of functions of the input that represent the cell currents.
        slopes: the same for how they answer to the bit line's potential; 0 leaves the typical answer.
        curvatures: the same for the second order of that answer; 0 leaves it out.
    """

    currents: int
    slopes: int
    curvatures: int


class Basis(NamedTuple):
    """Input levels, and interpolation between them.

    Attributes:
        levels: (level,) volt, ascending, with 0.
        cubics: (power, interval, level): the weight of each level in the coefficients of the cubic on each interval.
        typical: (level,) share of the rows at each level in a typical input.
    """

    levels: Tensor
    cubics: Tensor
    typical: Tensor


class Expansion(NamedTuple):
    """Each cell's current T0 - T1 c + T2 c^2 in the potential c of the bit lines. All (crossbar, level, row, col).

    Attributes:
        t0: ampere.
        t1: siemens.
        t2: ampere per square volt.
        slope: of the cell at c = 0, in siemens.
    """

    t0: Tensor
    t1: Tensor
    t2: Tensor
    slope: Tensor


class Tables(NamedTuple):
    """One matrix product per group of functions of the input, and what joins their results; per crossbar.

    Attributes:
        cubics: (crossbar, interval, power, function) coefficients of the functions of the input, highest power first.
        currents: (crossbar, function x row, 2 col) gives S0 in ampere and P0 in volt.
        slopes: (crossbar, function x row, 2 col + 1) gives S1 in siemens, P1, and the share of the coupling.
        curvatures: (crossbar, function x row, col) gives S2.
        coupling: (crossbar, col, col) siemens, from the potentials of all columns to their currents.
        share: (crossbar,) constant part of the share of the coupling.
    """

    cubics: Tensor
    currents: Tensor
    slopes: Tensor
    curvatures: Tensor
    coupling: Tensor
    share: Tensor


def basis(levels: Tensor) -> Basis:
    """Levels with 0 V among them, splines through them, and how often a typical input has each."""
    levels = torch.unique(torch.cat([levels.double().cpu(), torch.zeros(1, dtype=torch.float64)]))
    cubics = CubicSpline(levels.numpy(), np.eye(len(levels)), axis=0).c
    typical = torch.full_like(levels, (1 - AT_REST) / len(levels))
    typical[levels == 0] += AT_REST
    return Basis(levels, torch.from_numpy(cubics), typical)


@dataclass(frozen=True)
class Feedback:
    """Answers to bit-line potentials x p. All (crossbar, row, col)."""

    profile: Tensor  # p: potential along the bit lines per volt of mean
    gain: Tensor  # omega: what of a current injected into a cell reaches the column current, after feedback
    rise: Tensor  # psi: the potential x per ampere injected


def tabulate(ladders: Ladders, base: Basis, g: Float[Tensor, "crossbar row col"], order: Order) -> Tables:
    """Tables of crossbars `g` (siemens, float64); differentiable in `g`."""
    base = Basis(*(x.to(g.device) for x in base))
    return tables_of(expansion(ladders, base, g), ladders, base, order)


def tables_of(expanded: Expansion, ladders: Ladders, base: Basis, order: Order) -> Tables:
    """Tables of crossbars whose cell currents are expanded already."""
    t0, t1, t2, slope = expanded
    typical_slope = mean(base.typical, t1)
    back = feedback(bit_line(ladders.spec), typical_slope, mean(base.typical, t0.abs()))
    rows = _Rows(ladders, slope, base.typical)
    along_gain, along_rise = (rows.coupling(weight, back.profile) for weight in (back.gain, back.rise))
    identity = torch.eye(t0.shape[-1], dtype=t0.dtype, device=t0.device)
    coupling = torch.linalg.solve(identity - along_rise, along_gain, left=False)
    root = base.typical.sqrt()
    even, scale = torch.ones_like(root), typical_slope.detach()
    functions, factors = zip(
        _factor(t0, even, scale * base.levels.abs().max(), order.currents),
        _factor(typical_slope[:, None] - t1, root, scale, order.slopes),
        _factor(t2, root, scale / base.levels.abs().max(), order.curvatures),
        strict=True,
    )
    functions = (functions[0].masked_fill((base.levels == 0)[:, None], 0.0), *functions[1:])  # no voltage, no current
    first, second = back.gain * back.profile, back.rise * back.profile
    share = rows.share(slope, back.gain)
    varying, constant = _affine(share, functions[1], root)
    return Tables(
        cubics=torch.einsum("pkl,clf->ckpf", base.cubics, torch.cat(functions, -1)),
        currents=_stack(factors[0], [back.gain, back.rise]),
        slopes=torch.cat([_stack(factors[1], [first, second]), varying], -1),
        curvatures=_stack(factors[2], [first * back.profile]),
        coupling=coupling.mT,
        share=constant,
    )


def expansion(ladders: Ladders, base: Basis, g: Tensor) -> Expansion:
    """The parabola through three potentials of the bit lines, as far apart as typical ones."""
    levels = base.levels.expand(len(g), -1)
    u = ladders.cell_voltages(levels, g)
    t0, slope = ladders.current(u, g), ladders.slope(u, g)
    half = _typical_potential(ladders, base, t0.detach(), slope.detach())[:, None]
    signed = bool(base.levels[0] < 0)
    lower, upper = (half, -half) if signed else (-half, -2 * half)
    i1, i2 = (ladders.current(ladders.cell_voltages(levels + shift, g), g) for shift in (lower, upper))
    h = half[..., None, None]
    if signed:  # i1 at c = -h, i2 at c = h
        return Expansion(t0, (i1 - i2) / (2 * h), (i1 + i2 - 2 * t0) / (2 * h**2), slope)
    return Expansion(t0, (3 * t0 - 4 * i1 + i2) / (2 * h), (i2 - 2 * i1 + t0) / (2 * h**2), slope)


def _typical_potential(ladders: Ladders, base: Basis, t0: Tensor, slope: Tensor) -> Tensor:
    """(crossbar,) volt: half the highest potential of a bit line in a typical read, or up to all of it.

    It is a power of 2 of the largest input: one that followed `g` would need gradients.
    """
    d = mean(base.typical, slope)
    own = d * (1 - word_line(ladders.spec).potentials(d, d))
    potential = _from_sink(bit_line(ladders.spec), own, mean(base.typical, t0.abs()))
    drive = base.levels.abs().max()
    share = (potential.flatten(1).amax(-1) / drive).clamp(2.0**-6, 0.5)
    return drive * torch.exp2(share.log2().ceil() - 1)


def feedback(line: Line, slope: Tensor, current: Tensor) -> Feedback:
    """With bit-line resistances K and typical slopes D: omega = (1 + K D)^-1 1, p ~ (1 + K D)^-1 K I."""
    profile = _from_sink(line, slope, current)
    profile = profile / profile.mean(-2, keepdim=True).clamp(min=TINY)
    lost = _from_sink(line, slope, slope)
    return Feedback(profile, 1 - lost, lost / (slope * profile).sum(-2, keepdim=True).clamp(min=TINY))


def _from_sink(line: Line, conductance: Tensor, current: Tensor) -> Tensor:
    """Potentials of bit lines (crossbar, row, col), whose first node is at the last row."""
    return line.potentials(conductance.mT.flip(-1), current.mT.flip(-1)).flip(-1).mT


class _Rows:
    """How word lines couple columns: column l, raised by 1 V, draws less from row i, which gives column j more.

    With D the slopes of row i's cells, d I_j / d c_l = D_j Z_jl D_l, Z = (K^-1 + D)^-1 = a_j b_l for j <= l.
    """

    def __init__(self, ladders: Ladders, slope: Tensor, typical: Tensor) -> None:
        self.d = mean(typical, slope)
        line = word_line(ladders.spec)
        self.a, self.b = line.coupling(self.d)
        to_others = line.potentials(self.d, self.d) - self.a * self.b * self.d
        self.others = self.d * to_others.clamp(min=0.0)  # of a single column, rounding of either sign
        self.resistance = word_line_resistance(ladders.spec, self.d)

    def coupling(self, weight: Tensor, profile: Tensor) -> Tensor:
        """(crossbar, col j, col l): the weighted current of column j per volt x_l, column j's own subtracted."""
        right, left = weight * self.d, self.d * profile
        above = torch.triu((right * self.a).mT @ (left * self.b), 1)
        below = torch.tril((right * self.b).mT @ (left * self.a), -1)
        return above + below - torch.diag_embed((weight * profile * self.others).sum(-2))

    def share(self, slope: Tensor, gain: Tensor) -> Tensor:
        """(crossbar, level, row): what a row at each level adds to the strength of the coupling, of 1 in all.

        With all slopes of a row h times the typical ones, D Z D becomes h^2 (1 + beta) / (1 + h beta) of itself, beta
        the row's conductance times the resistance that its cells share.
        """
        strength = (gain * self.others).sum(-1)
        h = (slope / self.d.clamp(min=TINY).unsqueeze(-3)).mean(-1)
        shared = (self.d @ self.resistance * self.d).sum(-1)
        beta = (shared / self.d.sum(-1).clamp(min=TINY)).unsqueeze(-2)
        grown = h.square() * (1 + beta) / (1 + h * beta)
        return grown * (strength / strength.sum(-1, keepdim=True).clamp(min=TINY)).unsqueeze(-2)


def mean(weights: Tensor, table: Tensor) -> Tensor:
    """(crossbar, row, col) of a table (crossbar, level, row, col), by a weight of each level."""
    return torch.einsum("l,clij->cij", weights, table)


def _factor(table: Tensor, weights: Tensor, scale: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Functions of the level (crossbar, level, rank) and factors (crossbar, rank, row, col) whose product is `table`.

    The best ones by weighted least squares; none for what is rounding beside `scale`.
    """
    weighted = (table * weights[:, None, None]).flatten(2)
    functions = _leading(weighted @ weighted.mT, rank, NEGLIGIBLE**2 * scale.square().sum((-2, -1)))
    return functions / weights[:, None], (functions.mT @ weighted).unflatten(-1, table.shape[2:])


def _leading(matrix: Tensor, rank: int, least: Tensor) -> Tensor:
    """Leading eigenvectors (crossbar, level, rank) of symmetric matrices; 0 for eigenvalues up to `least`.

    Their gradient, by first-order perturbation, takes only differences of leading to other eigenvalues: their span is
    all that counts.
    """
    fixed = matrix.detach()
    values, vectors = torch.linalg.eigh(fixed)
    others = values.shape[-1] - rank
    kept, leading = values[:, None, others:], vectors[..., others:]
    significant = kept > least[:, None, None]
    rest = vectors[..., :others]
    gaps = torch.where(significant, kept - values[:, :others, None], 1.0)
    turned = rest @ (rest.mT @ (matrix - fixed) @ leading / gaps)
    return (leading + turned) * significant


def _stack(factors: Tensor, weights: list[Tensor]) -> Tensor:
    """(crossbar, function x row, weights x col): the factors under each weight (crossbar, row, col)."""
    return torch.cat([factors * weight.unsqueeze(1) for weight in weights], -1).flatten(1, 2)


def _affine(share: Tensor, functions: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The share (crossbar, level, row) as a sum over functions of the level, and a constant: least squares."""
    columns = torch.cat([functions, torch.ones_like(share[..., :1])], -1) * weights[:, None]
    normal = columns.mT @ columns
    ridge = RIDGE * torch.eye(normal.shape[-1], dtype=normal.dtype, device=normal.device)  # functions may be none
    solution = torch.linalg.solve(normal + ridge, columns.mT @ (share * weights[:, None]))
    return solution[:, :-1].flatten(1)[..., None], solution[:, -1].sum(-1)

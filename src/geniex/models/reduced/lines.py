"""One wire with cells along it, as linear algebra: potentials, and what a cell does to another, in closed form.

A line is a chain of nodes, one segment of wire apart, with a driver at its first node and perhaps another at its last.
With small-signal conductances D from the nodes to a common potential, Kirchhoff's laws are (K^-1 + D) phi = i with
a tridiagonal inverse of the wire's resistances K. Elimination from end to end, as an equivalent source and resistance,
needs no inverse of a resistance: zero ohm is exact.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec

__all__ = ["Line", "bit_line", "word_line"]

SMALLEST = 1e-12  # ohm: stands for none where a conductance is asked for
FAINTEST = 1e-150  # share of a potential that reaches a distant node, below which it counts as none


@dataclass(frozen=True)
class Line:
    """A chain of nodes. All tensors of its methods have the nodes as their last dimension.

    Attributes:
        first: resistance to ground at the first node, in ohm.
        segment: resistance between neighbouring nodes, in ohm.
        last: resistance to ground at the last node, in ohm; None where that end is open.
    """

    first: float
    segment: float
    last: float | None = None

    def potentials(
        self, conductance: Float[Tensor, "*line node"], current: Float[Tensor, "*#line node"]
    ) -> Float[Tensor, "*line node"]:
        """Potentials phi = (K^-1 + D)^-1 i in volt, for conductances D to ground (siemens) and currents i (ampere)."""
        nodes = zip(conductance.unbind(-1), torch.broadcast_to(current, conductance.shape).unbind(-1), strict=True)
        source, resistance = torch.zeros_like(conductance[..., 0]), torch.full_like(conductance[..., 0], self.first)
        sources, resistances = [], []
        for d, i in nodes:
            share = 1 / (1 + resistance * d)
            source, resistance = (source + resistance * i) * share, resistance * share
            sources.append(source)
            resistances.append(resistance)
            resistance = resistance + self.segment
        phi = sources[-1]
        if self.last is not None:
            phi = phi * self.last / (resistances[-1] + self.last).clamp(min=SMALLEST)
        found = [phi]
        for source, resistance in zip(sources[-2::-1], resistances[-2::-1], strict=True):
            if self.segment > 0:
                phi = (source * self.segment + phi * resistance) / (resistance + self.segment)
            found.append(phi)
        return torch.stack(found[::-1], dim=-1)

    def coupling(
        self, conductance: Float[Tensor, "*line node"]
    ) -> tuple[Float[Tensor, "*line node"], Float[Tensor, "*line node"]]:
        """Vectors a (ohm) and b with (K^-1 + D)^-1_jl = a_j b_l for j <= l: the inverse of a tridiagonal matrix.

        F. R. Gantmacher, M. G. Krein, Oscillation Matrices and Kernels, chapter 2: a Green's matrix.
        """
        d = conductance.unbind(-1)
        before = [torch.full_like(d[0], self.first)]
        for node in d[:-1]:
            before.append(before[-1] / (1 + before[-1] * node) + self.segment)
        after = [torch.full_like(d[0], 0.0 if self.last is None else 1 / max(self.last, SMALLEST))]
        share = [torch.ones_like(d[0])]
        for node in d[:0:-1]:
            behind = node + after[-1]
            share.append(1 / (1 + self.segment * behind))
            after.append(behind * share[-1])
        reach = torch.stack([torch.ones_like(d[0]), *share[:0:-1]], -1).cumprod(-1).clamp(min=FAINTEST)
        left = torch.stack(before, -1)
        own = left / (1 + left * (conductance + torch.stack(after[::-1], -1)))
        return own / reach, reach


def word_line(spec: CrossbarSpec) -> Line:
    """A word line, driven at its first column."""
    return Line(spec.r_source, spec.r_row, spec.r_source if spec.driven_ends == 2 else None)


def bit_line(spec: CrossbarSpec) -> Line:
    """A bit line, its nodes counted from the sense amplifier behind the last row."""
    return Line(spec.r_sink, spec.r_col, spec.r_sink if spec.sensed_ends == 2 else None)

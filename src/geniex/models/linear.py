"""Wires and drivers with ohmic cells: the analytical model that knows the linear non-idealities only.

The circuit is linear, so that the currents are i = M v with one transfer matrix per crossbar. It is found by
elimination, row by row from the far end of the bit lines, in resistances, so that zero ohm is exact.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.models.base import CrossbarModel, OperatingRange, Read, check_conductances, check_voltages

__all__ = ["LinearCircuit"]

CHUNK_CROSSBARS = 64


class LinearCircuit(CrossbarModel):
    """The crossbar `spec` with ohmic cells, exactly: `program` finds the transfer matrix, a read is one matmul."""

    def __init__(self, spec: CrossbarSpec) -> None:
        """Describe the circuit by its geometry and parasitics."""
        super().__init__()
        self.spec = spec

    @property
    def operating_range(self) -> OperatingRange:
        """Any voltage and conductance on crossbars of one size."""
        return OperatingRange(self.spec.rows, self.spec.cols)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Find the transfer matrices; see `CrossbarModel.program`. Differentiable with respect to `g`."""
        check_conductances(g, self.spec)
        flat = g.reshape(-1, *g.shape[-2:])
        transfer = torch.cat([_transfer(self.spec, part) for part in flat.split(CHUNK_CROSSBARS)]).view(g.shape)

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            return v @ transfer

        return read


def _transfer(spec: CrossbarSpec, g: Float[Tensor, "batch row col"]) -> Float[Tensor, "batch row col"]:
    """Column current per volt on each row, in siemens.

    Up to and including row `i` the bit lines carry J = sum_k H_k v_k - B c, with `c` their potentials at that row. A
    row adds A (v_i 1 - c), A being its word line's; a wire segment turns (H, B) into W (H, B), W = (1 + r_col B)^-1;
    the sense amplifiers close the recursion with c = r_sink J. The products of W that reach each H are formed on the
    way back.
    """
    eye = torch.eye(spec.cols, dtype=g.dtype, device=g.device)
    fall, node = _word_lines(spec, g)
    below = _word_line(g[:, 0], fall[:, 0], node[:, 0])
    segments, driven = [], [below.sum(-1, keepdim=True)]
    for row in range(1, spec.rows):
        line = _word_line(g[:, row], fall[:, row], node[:, row])
        driven.append(line.sum(-1, keepdim=True))
        segments.append(_inverse(eye + spec.r_col * below))
        below = segments[-1] @ below + line
    reach = _inverse(eye + spec.r_sink * below)
    columns = [reach @ driven[-1]]
    for segment, drive in zip(segments[::-1], driven[-2::-1], strict=True):
        reach = reach @ segment
        columns.append(reach @ drive)
    return torch.cat(columns[::-1], dim=-1).mT


def _word_lines(
    spec: CrossbarSpec, g: Float[Tensor, "batch row col"]
) -> tuple[Float[Tensor, "batch row col"], Float[Tensor, "batch row col"]]:
    """What `_word_line` needs of each node: the logarithm of its fall from the driver, and its own N.

    `left` is the resistance that a node sees towards the driver, `right` the conductance that it sees away from it.
    """
    left, right = [torch.full_like(g[..., 0], spec.r_source)], [g[..., -1]]
    for col in range(spec.cols - 1):
        left.append(spec.r_row + left[-1] / (1 + g[..., col] * left[-1]))
        right.append(g[..., -2 - col] + right[-1] / (1 + spec.r_row * right[-1]))
    resistance, conductance = torch.stack(left, dim=-1), torch.stack(right[::-1], dim=-1)
    fall = torch.log1p(spec.r_row * conductance).cumsum(-1)  # a logarithm: products over resistive lines underflow
    return fall, resistance / (1 + resistance * conductance)


def _word_line(
    g: Float[Tensor, "batch col"], fall: Float[Tensor, "batch col"], node: Float[Tensor, "batch col"]
) -> Float[Tensor, "batch col col"]:
    """Cell currents of a word line per volt between its source and each bit line, A = D - D N D with D its cells.

    N is the potential at one node per ampere into another; it falls off from the left one to the right one.
    """
    col = torch.arange(g.shape[-1], device=g.device)
    left_one = torch.where(col[:, None] >= col, node.unsqueeze(-2), node.unsqueeze(-1))
    falls = torch.exp(-(fall.unsqueeze(-1) - fall.unsqueeze(-2)).abs())
    return torch.diag_embed(g) - (g.unsqueeze(-1) * g.unsqueeze(-2)) * (falls * left_one)


def _inverse(a: Float[Tensor, "batch col col"]) -> Float[Tensor, "batch col col"]:
    """Of symmetric matrices with eigenvalues of at least 1."""
    return torch.cholesky_inverse(torch.linalg.cholesky(a))

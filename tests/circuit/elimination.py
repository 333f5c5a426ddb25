"""The transfer matrix of a crossbar of ohmic cells by elimination, row by row from the far end of the bit lines.

An independent check of the iterative solver: it shares neither unknowns nor algebra with it. In resistances, so that
zero ohm is exact; differentiable. Word lines are driven from one end and bit lines sensed at one.
"""

import torch
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec


def transfer(spec: CrossbarSpec, g: Tensor) -> Tensor:
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


def _word_lines(spec: CrossbarSpec, g: Tensor) -> tuple[Tensor, Tensor]:
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


def _word_line(g: Tensor, fall: Tensor, node: Tensor) -> Tensor:
    """Cell currents of a word line per volt between its source and each bit line, A = D - D N D with D its cells.

    N is the potential at one node per ampere into another; it falls off from the left one to the right one.
    """
    col = torch.arange(g.shape[-1], device=g.device)
    left_one = torch.where(col[:, None] >= col, node.unsqueeze(-2), node.unsqueeze(-1))
    falls = torch.exp(-(fall.unsqueeze(-1) - fall.unsqueeze(-2)).abs())
    return torch.diag_embed(g) - (g.unsqueeze(-1) * g.unsqueeze(-2)) * (falls * left_one)


def _inverse(a: Tensor) -> Tensor:
    """Of symmetric matrices with eigenvalues of at least 1."""
    return torch.cholesky_inverse(torch.linalg.cholesky(a))

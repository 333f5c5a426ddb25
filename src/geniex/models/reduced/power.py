"""Power that a crossbar draws from its drivers, by the tables of the reduced-order model.

A row that is driven at V gives its cells sum_j (T0 - T1 c + T2 c^2), with c_j = p_j x_j the potentials of the bit
lines, which a read of the columns knows; docs/reduced_order.md has the names. No current is lost between drivers and
sense amplifiers, so that what is left of the error is seen in the sum over all rows, which is that over all columns:
the rows share it out.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.models.reduced.lines import bit_line
from geniex.models.reduced.model import ReducedOrder
from geniex.models.reduced.reading import functions_of, terms
from geniex.models.reduced.tables import Basis, Expansion, Tables, expansion, feedback, mean, tables_of

__all__ = ["power_of"]

CROSSBARS_AT_ONCE = 16
RANKS = (6, 3, 2)  # functions of the level that stand for all levels: of own, first and second
VALUES_AT_ONCE = 2**22  # of functions of the inputs


class _Rows(NamedTuple):
    """Currents of the rows of crossbars, by functions of what each is driven at.

    Attributes:
        own: (crossbar, row x function) ampere with all bit lines at 0 V.
        first: (crossbar, row x function, col) siemens: what a volt of x takes away.
        second: (crossbar, row x function, col) ampere per square volt.
        cubics: (interval, power, function) of the functions, in this order.
        ranks: how many functions each has.
    """

    own: Tensor
    first: Tensor
    second: Tensor
    cubics: Tensor
    ranks: list[int]


def power_of(
    model: ReducedOrder, g: Float[Tensor, "crossbar row col"]
) -> Callable[[Float[Tensor, "input row"]], Float[Tensor, "crossbar input"]]:
    """What turns inputs in volt into the power that each crossbar draws, in watt and float64.

    Args:
        model: knows the circuit and the input levels.
        g: conductances in siemens.
    """
    base = Basis(*(part.to(g.device) for part in model.basis))
    columns, tables = [], []
    for some in g.double().split(CROSSBARS_AT_ONCE):
        expanded = expansion(model.ladders, base, some)
        columns += [Tables(*one) for one in zip(*tables_of(expanded, model.ladders, base, model.terms), strict=True)]
        tables.append(_levels(model, base, expanded))
    rows, levels = _rows([torch.cat(part) for part in zip(*tables, strict=True)], base), base.levels
    at_once = max(1, VALUES_AT_ONCE // (g.shape[-2] * sum(RANKS)))

    def power(v: Tensor) -> Tensor:
        parts = []
        for some in v.double().split(at_once):
            f = functions_of(some, levels, rows.cubics)
            read = [terms(some, one, levels, model.terms) for one in columns]
            x, sent = torch.stack([one.x for one in read]), torch.stack([one.current.sum(-1) for one in read])
            flow, drawn = (_sums(part, rows, x) for part in (f, f * some.unsqueeze(-1)))
            parts.append(drawn * torch.where(flow == 0, 1.0, sent / torch.where(flow == 0, 1.0, flow)))
        return torch.cat(parts, -1)

    return power


def _rows(tables: list[Tensor], base: Basis) -> _Rows:
    ranks = [min(rank, len(base.levels)) for rank in RANKS]
    found = [_factored(table, rank) for table, rank in zip(tables, ranks, strict=True)]
    own, first, second = (factor.flatten(1, 2) for _, factor in found)
    functions = torch.cat([function for function, _ in found], -1)
    return _Rows(own, first, second, torch.einsum("pkl,lf->kpf", base.cubics, functions), ranks)


def _levels(model: ReducedOrder, base: Basis, expanded: Expansion) -> tuple[Tensor, Tensor, Tensor]:
    """Own (crossbar, level, row) currents of rows, and first and second order (crossbar, level, row, col) in x."""
    t0, t1, t2, _ = expanded
    profile = feedback(bit_line(model.spec), mean(base.typical, t1), mean(base.typical, t0.abs())).profile[:, None]
    return t0.sum(-1), t1 * profile, t2 * profile.square()


def _factored(table: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Functions (level, function) and factors (crossbar, row, function, *) whose product a table is, nearly."""
    flat = table.transpose(0, 1).flatten(1)
    functions = torch.linalg.eigh(flat @ flat.mT).eigenvectors[:, -rank:]
    return functions, torch.einsum("lf,clr...->crf...", functions, table)


def _sums(f: Tensor, rows: _Rows, x: Tensor) -> Tensor:
    """(crossbar, input) sums over all rows of their currents, where `f` (input, row, function) is the functions.

    Args:
        f: times any weight of the rows.
        rows: of the crossbars.
        x: potentials of the columns (crossbar, input, col).
    """
    own, first, second = (part.flatten(1) for part in f.split(rows.ranks, -1))
    bent = (first.float() @ rows.first.float()).double() - (second.float() @ rows.second.float()).double() * x
    return rows.own @ own.mT - (bent * x).sum(-1)

"""A read of the reduced-order model: functions of the inputs, one matrix product for each group, and a fixed point.

The formula in torch, for gradients, float64 and GPUs; `kernels` does the same in passes over data that stay in cache.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.models.reduced.tables import Order, Tables

__all__ = ["Terms", "functions_of", "read", "terms"]


def functions_of(
    v: Float[Tensor, "*input row"], levels: Float[Tensor, " level"], cubics: Float[Tensor, "interval power function"]
) -> Float[Tensor, "*input row function"]:
    """The functions of the input, interpolated between levels: at a level they are those of the exact ladder."""
    interval = (torch.bucketize(v.detach().contiguous(), levels, right=True) - 1).clamp(0, len(cubics) - 1)
    x = (v - levels[interval])[..., None]
    cubic, square, linear, constant = cubics[interval].unbind(-2)
    return ((cubic * x + square) * x + linear) * x + constant


class Terms(NamedTuple):
    """What a read is made of; the names are those of docs/reduced_order.md. All (input, col), but for `share`.

    Attributes:
        s0: ampere.
        s1: siemens.
        s2: ampere per square volt.
        p0: volt.
        p1: no unit.
        x: the potential of each column, in volt.
        share: (input, 1) strength of the coupling.
        coupled: ampere that a column gets through the others.
    """

    s0: Tensor
    s1: Tensor
    s2: Tensor
    p0: Tensor
    p1: Tensor
    x: Tensor
    share: Tensor
    coupled: Tensor

    @property
    def current(self) -> Tensor:
        """Column currents in ampere."""
        return self.s0 + (self.s1 + self.s2 * self.x) * self.x + self.coupled


def terms(v: Float[Tensor, "input row"], tables: Tables, levels: Float[Tensor, " level"], order: Order) -> Terms:
    """The terms of a read of one crossbar, whose tables have no leading dimension."""
    currents, slopes, curvatures = (
        f.mT.flatten(-2) for f in functions_of(v, levels, tables.cubics).split(list(order), dim=-1)
    )
    s0, p0 = (currents @ tables.currents).chunk(2, -1)
    varying = slopes @ tables.slopes
    s1, p1 = varying[..., :-1].chunk(2, -1)
    x = p0 / (1 - p1)
    share = varying[..., -1:] + tables.share
    return Terms(s0, s1, curvatures @ tables.curvatures, p0, p1, x, share, (share * x) @ tables.coupling)


def read(v: Float[Tensor, "input row"], tables: Tables, levels: Float[Tensor, " level"], order: Order) -> Tensor:
    """Column currents (input, col) in ampere of one crossbar, whose tables have no leading dimension."""
    return terms(v, tables, levels, order).current

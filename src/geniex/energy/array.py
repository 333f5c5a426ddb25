"""Power that crossbars draw from their drivers: P = sum_k V_k I_k over the rows, the sense amplifiers being at ground.

`Circuit` has the currents of the rows, and `LinearCircuit` and `ReducedOrder` find them (docs/energy.md says how well).
Of a model that gives column currents alone, the sum of the row currents is known, since no current is lost between
drivers and sense amplifiers; how it is shared out among the rows is approximated. A model of your own does better by
`array_power.register`.
"""

from collections.abc import Callable
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.models.base import CrossbarModel, in_own_precision
from geniex.models.circuit import Circuit
from geniex.models.effects.base import Wrapper
from geniex.models.geniex import Geniex
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder
from geniex.models.reduced.power import power_of

__all__ = ["Power", "array_power"]

Power = Callable[[Float[Tensor, "input row"]], Float[Tensor, "crossbar input"]]
"""Inputs in volt, shared by the crossbars, to the power that each draws, in watt, in float64."""

CELLS_AT_ONCE = 2**22  # cells of circuits whose operating points are held together


@singledispatch
def array_power(model: CrossbarModel, g: Float[Tensor, "crossbar row col"]) -> Power:
    """Prepare the power of crossbars that are written already.

    Column currents alone are known: rows share their sum as those of ideal crossbars would.

    Args:
        model: of the crossbars.
        g: their conductances in siemens.
    """
    return _shared_out(model, g, lambda v: v)


@array_power.register
def _(model: Wrapper, g: Tensor) -> Power:
    """Noise of reads has no mean: power is that of the model inside."""
    return array_power(model.model, g)


@array_power.register
def _(model: Ideal, g: Tensor) -> Power:
    rows = g.double().sum(-1)
    return lambda v: rows @ v.double().square().mT


@array_power.register
def _(model: LinearCircuit, g: Tensor) -> Power:
    """Exact: row currents are linear in the inputs."""
    unit = torch.eye(model.spec.rows, dtype=torch.float64, device=g.device)
    parts = g.double().split(max(1, CELLS_AT_ONCE // (unit.numel() * model.spec.cols)))
    conducted = torch.cat([model.circuit.solve(unit, part).cell_currents.sum(-1) for part in parts])

    def power(v: Tensor) -> Tensor:
        v = v.double()
        return ((v @ conducted) * v).sum(-1)

    return power


@array_power.register
def _(model: Circuit, g: Tensor) -> Power:
    """Exact; RuntimeError if a circuit does not converge."""
    crossbars = g.double()

    def power(v: Tensor) -> Tensor:
        parts = v.double().split(max(1, CELLS_AT_ONCE // g[0].numel()))
        return torch.stack([torch.cat([_solved(model, part, one) for part in parts]) for one in crossbars])

    return power


@array_power.register
def _(model: ReducedOrder, g: Tensor) -> Power:
    return power_of(model, g)


@array_power.register
def _(model: Geniex, g: Tensor) -> Power:
    """Rows share the sum of the column currents by the curve of the reference current."""
    return _shared_out(model, g, model.effective)


def _shared_out(model: CrossbarModel, g: Tensor, curve: Callable[[Tensor], Tensor]) -> Power:
    """Row k has a share of V-dependent `curve`(V_k) times the sum of its conductances."""
    rows = g.double().sum(-1)

    def power(v: Tensor) -> Tensor:
        total = in_own_precision(model, v.unsqueeze(0), g).double().sum(-1)
        v = v.double()
        flow = curve(v)
        sent, drawn = rows @ flow.mT, rows @ (v * flow).mT
        return torch.where(sent == 0, 0.0, total * drawn / torch.where(sent == 0, 1.0, sent))

    return power


def _solved(model: Circuit, v: Tensor, g: Tensor) -> Tensor:
    solution = model.solve(v, g)
    if not solution.converged.all():
        raise RuntimeError(
            f"{int((~solution.converged).sum())} of {len(v)} circuits did not converge: their power is not known. "
            "Pass a larger `rtol` to `Circuit`."
        )
    return solution.power

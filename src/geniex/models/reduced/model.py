"""The crossbar by its physics, written down once per programmed crossbar, read in a few matrix products: no training.

Word lines are solved exactly for each input level; the bit lines' feedback on them is a scalar fixed point per column;
and the columns' influence on each other one matrix. docs/reduced_order.md derives it.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel
from geniex.models.base import CrossbarModel, Read, check_conductances, check_voltages
from geniex.models.guard import OperatingRange
from geniex.models.reduced.ladders import Ladders
from geniex.models.reduced.reading import read as read_one
from geniex.models.reduced.tables import Order, Tables, basis, tabulate
from geniex.threads import available, in_order

if TYPE_CHECKING:
    from geniex.models.reduced.kernels import CompiledRead

__all__ = ["ReducedOrder"]

ORDERS = {1: Order(2, 0, 0), 2: Order(2, 1, 0), 3: Order(2, 1, 1), 4: Order(3, 2, 2)}
CELLS_AT_ONCE = 2**16  # crossbar cells programmed together


class ReducedOrder(CrossbarModel):
    """The crossbar `spec` with cells `device`: hundreds of times closer to `Circuit` than `LinearCircuit` is."""

    def __init__(
        self,
        spec: CrossbarSpec,
        device: DeviceModel,
        v_levels: Float[Tensor, " level"] | Sequence[float],
        order: int = 3,
    ) -> None:
        """Describe the circuit and its inputs.

        Args:
            spec: geometry and parasitics.
            device: the cells.
            v_levels: input voltages in volt that are tabulated, of either sign; a read takes these, and interpolates
                smoothly between them. 0 V is always one of them.
            order: 1 to 4; see docs/reduced_order.md for what each costs and how far it errs.

        Raises:
            ValueError: if there is no level but 0 V, a level is not finite, or the order is unknown.
        """
        super().__init__()
        levels = torch.as_tensor(v_levels, dtype=torch.float64)
        if levels.dim() != 1 or not levels.isfinite().all() or not (levels != 0).any():
            raise ValueError(f"`v_levels` must be finite voltages, not all of them 0; got {v_levels}.")
        if order not in ORDERS:
            raise ValueError(f"`order` must be one of {', '.join(map(str, ORDERS))}; got {order!r}.")
        self.spec, self.device, self.order = spec, device, order
        self.ladders, self.basis = Ladders(spec, device), basis(levels)
        self.terms = Order(*(min(functions, len(self.basis.levels)) for functions in ORDERS[order]))

    @property
    def operating_range(self) -> OperatingRange:
        """Voltages between the lowest and the highest level, any conductance, crossbars of one size."""
        low, high = self.basis.levels[[0, -1]].tolist()
        return OperatingRange(self.spec.rows, self.spec.cols, low, high)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Tabulate the word lines; see `CrossbarModel.program`. A read raises ValueError for `v` out of range."""
        check_conductances(g, self.spec)
        order, levels = self.terms, self.basis.levels.to(g)
        flat = g.reshape(-1, self.spec.rows, self.spec.cols).double()
        crossbars = [Tables(*(table.to(g.dtype) for table in tables)) for tables in self._tables(flat)]
        which = torch.arange(len(flat)).view(g.shape[:-2])
        bounds = self.operating_range
        compiled = functools.cache(lambda: _compiled(crossbars, levels, order))

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            self.guard.check_voltages(v, bounds)
            tile = torch.broadcast_shapes(v.shape[:-2], g.shape[:-2])
            taken = which.expand(tile).flatten().tolist()
            inputs = v.expand(*tile, *v.shape[-2:]).reshape(len(taken), *v.shape[-2:])
            if not taken:
                i = v.new_empty(0)
            elif _can_be_compiled(v, g):
                i = compiled()(inputs, taken)
            else:
                pairs = zip(inputs, taken, strict=True)
                i = torch.stack([read_one(one, crossbars[k], levels, order) for one, k in pairs])
            return i.view(*tile, v.shape[-2], self.spec.cols)

        return read

    def _tables(self, g: Float[Tensor, "crossbar row col"]) -> Iterator[Tables]:
        """Tables of each crossbar; some crossbars together fill a core, and each core has its own."""
        parts = g.split(max(1, CELLS_AT_ONCE // g[0].numel())) if len(g) else ()
        threads = min(available(), len(parts)) if g.device.type == "cpu" else 1
        if threads > 1 and not (torch.is_grad_enabled() and g.requires_grad):
            done = in_order(parts, torch.no_grad()(self._tabulate), threads, threads)
        else:
            done = map(self._tabulate, parts)
        for tables in done:
            yield from (Tables(*one) for one in zip(*(table.unbind() for table in tables), strict=True))

    def _tabulate(self, g: Float[Tensor, "crossbar row col"]) -> Tables:
        return tabulate(self.ladders, self.basis, g, self.terms)


def _can_be_compiled(v: Tensor, g: Tensor) -> bool:
    with_gradients = torch.is_grad_enabled() and (v.requires_grad or g.requires_grad)
    return v.device.type == "cpu" and v.dtype == torch.float32 and not with_gradients


def _compiled(crossbars: list[Tables], levels: Tensor, order: Order) -> "CompiledRead":
    from geniex.models.reduced.kernels import CompiledRead  # numba takes a second to import

    with torch.no_grad():
        return CompiledRead(crossbars, levels, order)

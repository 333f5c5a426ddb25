"""Wires and drivers with ohmic cells: the analytical model that knows the linear non-idealities only.

The circuit is linear, so that the currents are i = M v with one transfer matrix per crossbar: the currents of unit
inputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic
from geniex.models.base import CrossbarModel, Read, check_conductances, check_voltages
from geniex.models.circuit import Circuit
from geniex.models.guard import OperatingRange
from geniex.products import SharedInputs

__all__ = ["LinearCircuit"]


class LinearCircuit(CrossbarModel):
    """The crossbar `spec` with ohmic cells, exactly: `program` finds the transfer matrix, a read is one matmul."""

    def __init__(self, spec: CrossbarSpec) -> None:
        """Describe the circuit by its geometry and parasitics."""
        super().__init__()
        self.spec = spec
        self.circuit = Circuit(spec, Ohmic())

    @property
    def operating_range(self) -> OperatingRange:
        """Any voltage and conductance on crossbars of one size."""
        return OperatingRange(self.spec.rows, self.spec.cols)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Solve one unit input per row, in float64; see `CrossbarModel.program`. Differentiable with respect to `g`."""
        check_conductances(g, self.spec)
        unit = torch.eye(self.spec.rows, dtype=torch.float64, device=g.device)
        product = SharedInputs(self.circuit(unit, g.double()).to(g.dtype))

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            return product(v)

        return read

"""What solving a batch of crossbars returns: operating points, and everything that follows from them."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import bit_line_resistance
from geniex.devices import DeviceModel

__all__ = ["Solution"]


@dataclass(frozen=True)
class Solution:
    """Operating points of a batch of crossbars, and how well each was solved.

    Attributes:
        i: column currents into the sense amplifiers, in ampere.
        u: voltage over each cell, in volt.
        residual: largest violation of Kirchhoff's laws in each circuit, in volt.
        steps: Newton steps that each circuit took.
        converged: whether the residual reached the tolerance.
        v: the word-line voltages that were solved for, in volt.
        g: the conductances, in siemens.
        spec: geometry and parasitics.
        device: the cells.
    """

    i: Float[Tensor, "*batch input col"]
    u: Float[Tensor, "*batch input row col"]
    residual: Float[Tensor, "*batch input"]
    steps: Int[Tensor, "*batch input"]
    converged: Bool[Tensor, "*batch input"]
    v: Float[Tensor, "*#batch input row"]
    g: Float[Tensor, "*#batch row col"]
    spec: CrossbarSpec
    device: DeviceModel

    @property
    def cell_currents(self) -> Float[Tensor, "*batch input row col"]:
        """Current of each cell from word line to bit line, in ampere."""
        return self.device.current(self.u, self.g.unsqueeze(-3))

    @property
    def bit_lines(self) -> Float[Tensor, "*batch input row col"]:
        """Potential of the bit line at each cell, in volt."""
        return bit_line_resistance(self.spec, self.u) @ self.cell_currents

    @property
    def word_lines(self) -> Float[Tensor, "*batch input row col"]:
        """Potential of the word line at each cell, in volt."""
        return self.u + self.bit_lines

    @property
    def cell_power(self) -> Float[Tensor, "*batch input row col"]:
        """Power that each cell turns into heat, in watt."""
        return self.u * self.cell_currents

    @property
    def power(self) -> Float[Tensor, "*batch input"]:
        """Power that the drivers' sources deliver to cells, wires, drivers and sense amplifiers, in watt."""
        return (self.v * self.cell_currents.sum(-1)).sum(-1)

"""The elements of one cell in a SPICE deck, for each kind of device.

`cell_lines` knows the devices of geniex. A device of your own takes a few lines, with no edit to the library:

    @geniex.circuit.spice.cell_lines.register
    def _(device: Cubic, cell: Cell) -> list[str]:
        u = cell.voltage
        return [cell.source(f"{cell.number(cell.g)}*({u}+{cell.number(device.k)}*{u}*{u}*{u})")]

Temperature, noise and capacitances are left out: the decks ask for operating points.
"""

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Literal

import torch

from geniex.devices import DeviceModel, Filament, Ohmic, Selector, SeriesAccess, Sinh, Tabulated, Transistor1T1R

__all__ = ["Cell", "Simulator", "cell_lines", "number"]

Simulator = Literal["ngspice", "hspice"]


def number(x: float) -> str:
    """The shortest text that reads back as `x`: at most 17 digits."""
    return repr(float(x))


@dataclass(frozen=True)
class Cell:
    """One cell, or a part of one, between its two nodes.

    Attributes:
        name: ends the names of all its elements; `3_5` in row 3, column 5.
        row: its word line, counted from 0.
        word: its node at the word line.
        bit: its node at the bit line.
        g: conductance of the memory element in siemens.
        simulator: the language of the deck.
    """

    name: str
    row: int
    word: str
    bit: str
    g: float
    simulator: Simulator

    @property
    def voltage(self) -> str:
        """The voltage over the cell, in an expression."""
        return f"v({self.word},{self.bit})"

    def number(self, x: float) -> str:
        """`x` in an expression. ngspice keeps 11 digits of a number there: it gets a longer one as a sum."""
        head = f"{x:.10e}"
        if self.simulator == "hspice" or float(head) == x:
            return number(x)
        return f"({head}{x - float(head):+.10e})"

    def source(self, current: str) -> str:
        """An element whose current from word line to bit line is an expression, in ampere."""
        if self.simulator == "ngspice":
            return f"B_{self.name} {self.word} {self.bit} i={current}"
        return f"G_{self.name} {self.word} {self.bit} CUR='{current}'"

    def resistor(self, ohm: float) -> str:
        """A resistor from word line to bit line; `ohm` is above 0."""
        return f"R_{self.name} {self.word} {self.bit} {number(ohm)}"

    def in_series(self) -> tuple["Cell", "Cell"]:
        """The cell as two in series: one at the word line, one at the bit line, and a node `m_...` between them."""
        middle = f"m_{self.name}"
        return replace(self, name=f"{self.name}_w", bit=middle), replace(self, name=f"{self.name}_b", word=middle)


@singledispatch
def cell_lines(device: DeviceModel, cell: Cell) -> list[str]:
    """The lines of a deck for one cell. A line that several cells share, such as a `.model`, is written once.

    Args:
        device: the I-V curve; register a function for each class of your own.
        cell: where the cell is, its conductance, and how elements are written.
    """
    kind = type(device).__name__
    raise TypeError(
        f"No SPICE elements are known for cells of class {kind}. Register a function that writes them: "
        f"`@geniex.circuit.spice.cell_lines.register` on `def lines(device: {kind}, cell: Cell) -> list[str]`."
    )


@cell_lines.register
def _(device: Ohmic, cell: Cell) -> list[str]:
    # A conductance, not a resistor of 1/g: g = 0 is an open cell.
    return [f"G_{cell.name} {cell.word} {cell.bit} {cell.word} {cell.bit} {number(cell.g)}"]


@cell_lines.register
def _(device: Sinh, cell: Cell) -> list[str]:
    return [_sinh(cell, cell.g * device.v0, device.v0)]


@cell_lines.register
def _(device: Filament, cell: Cell) -> list[str]:
    return [_sinh(cell, cell.g * device.v0, device.v0)]


@cell_lines.register
def _(device: SeriesAccess, cell: Cell) -> list[str]:
    if device.resistance == 0:
        return cell_lines(device.device, cell)
    access, memory = cell.in_series()
    return [access.resistor(device.resistance), *cell_lines(device.device, memory)]


@cell_lines.register
def _(device: Selector, cell: Cell) -> list[str]:
    selector, memory = cell.in_series()
    return [_sinh(selector, device.i0, device.v0), *cell_lines(device.device, memory)]


@cell_lines.register
def _(device: Transistor1T1R, cell: Cell) -> list[str]:
    # A level-1 NMOS at the bit line. Its source and drain swap by themselves; its gate stays above the bit line.
    memory, channel = cell.in_series()
    v_gate = device.v_gate[cell.row] if isinstance(device.v_gate, tuple) else device.v_gate
    model = f"nmos_{device.v_threshold}_{device.k}_{device.channel_modulation}".replace(".", "p").replace("-", "m")
    return [
        *cell_lines(device.device, memory),
        f"V_{channel.name} gate_{cell.name} {cell.bit} {number(v_gate)}",
        f"M_{channel.name} {channel.word} gate_{cell.name} {cell.bit} {cell.bit} {model} w=1e-4 l=1e-4",
        # No body effect and no junctions, whatever the defaults of a simulator: the channel alone conducts.
        f".model {model} nmos level=1 vto={number(device.v_threshold)} kp={number(device.k)} "
        f"lambda={number(device.channel_modulation)} gamma=0 is=0",
    ]


@cell_lines.register
def _(device: Tabulated, cell: Cell) -> list[str]:
    """The cubics between the voltages of the table as conditions within conditions, its linear ends outermost.

    Currents and slopes at those voltages determine the cubics exactly. The origin belongs to every table, and a table
    from 0 V on stands for its odd continuation.
    """
    odd = {-v for v in device.voltages} if device.voltages[0] >= 0 else set()
    at = sorted({0.0, *device.voltages, *odd})
    knots, g = torch.tensor(at, dtype=torch.float64), torch.full((len(at),), cell.g, dtype=torch.float64)
    i, slope = device.current(knots, g).tolist(), device.slope(knots, g).tolist()
    text = _polynomial(cell, at[-1], [i[-1], slope[-1]])
    for k in reversed(range(len(at) - 1)):
        step = at[k + 1] - at[k]
        chord = (i[k + 1] - i[k]) / step
        square, cube = (3 * chord - 2 * slope[k] - slope[k + 1]) / step, (slope[k] + slope[k + 1] - 2 * chord) / step**2
        piece = _polynomial(cell, at[k], [i[k], slope[k], square, cube])
        text = f"(({cell.voltage}<({cell.number(at[k + 1])})) ? {piece} : {text})"
    below = _polynomial(cell, at[0], [i[0], slope[0]])
    return [cell.source(f"(({cell.voltage}<({cell.number(at[0])})) ? {below} : {text})")]


def _sinh(cell: Cell, scale: float, v0: float) -> str:
    return cell.source(f"{cell.number(scale)}*sinh({cell.voltage}/{cell.number(v0)})")


def _polynomial(cell: Cell, at: float, coefficients: list[float]) -> str:
    """A polynomial in the distance of the cell's voltage from `at`, lowest power first."""
    *lower, text = [f"({cell.number(coefficient)})" for coefficient in coefficients]
    for coefficient in reversed(lower):
        text = f"({coefficient}+({cell.voltage}-({cell.number(at)}))*{text})"
    return text

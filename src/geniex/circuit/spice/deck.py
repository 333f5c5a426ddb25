"""A crossbar as a SPICE deck: word lines, bit lines, cells, and an operating point for every input.

Nodes: `in_3` drives word line 3; `w_3_5` and `b_3_5` are the two sides of the cell in row 3, column 5; `out_5` is the
virtual ground behind the last row of bit line 5, and `top_5` the one before its first row where both ends are sensed.
0 ohm joins nodes into one, exactly.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from textwrap import shorten
from typing import get_args

from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.spice.cells import Cell, Simulator, cell_lines, number
from geniex.devices import DeviceModel

__all__ = ["deck", "sense_amplifiers"]

# KLU, where it is built in, keeps the order of the first operating point for all: pivrel has it choose a sound one.
NGSPICE_OPTIONS = [
    ".options reltol=1e-10 vntol=1e-13 abstol=1e-17 gmin=1e-24 pivrel=0.1 itl1=500 itl2=500 numdgt=15 klu"
]
HSPICE_OPTIONS = [
    ".OPTION RELV=1e-9 ABSV=1e-12 RELI=1e-9 ABSI=1e-15 GMIN=1e-24 GMINDC=1e-24 ITL1=500 ITL2=500",
    ".OPTION POST=2 PROBE INGOLD=2 NUMDGT=10",
]
HSPICE_LINE = 1000  # characters; HSPICE reads 1024


def deck(
    spec: CrossbarSpec,
    device: DeviceModel,
    v: Float[Tensor, "*input row"],
    g: Float[Tensor, "row col"],
    simulator: Simulator = "ngspice",
) -> str:
    """The deck of one crossbar, which prints the currents of its sense amplifiers for every input.

    Several inputs are one sweep, in which each operating point starts from the one before.

    Args:
        spec: geometry and parasitics.
        device: the cells; `cell_lines` says how to add a class of your own.
        v: word-line voltages in volt, (row,) or (input, row).
        g: conductances in siemens.
        simulator: `ngspice` or `hspice`.
    """
    v = v[None] if v.dim() == 1 else v
    _check(spec, v, g, simulator)
    drivers, analysis = _ngspice(spec, v.tolist()) if simulator == "ngspice" else _hspice(spec, v.tolist())
    sections = {
        "Inputs": drivers,
        "Word lines": (line for row in range(spec.rows) for line in _word_line(spec, row).resistors()),
        "Bit lines": (line for col in range(spec.cols) for line in _bit_line(spec, col).resistors()),
        "Sense amplifiers": (f"V_{node} {node} 0 0" for node in sense_amplifiers(spec)),
        "Cells": dict.fromkeys(_cells(spec, device, g, simulator)),  # a line that cells share comes once
        "Analysis": analysis,
    }
    lines = [
        *_title(spec, device, len(v)),
        *(line for name, part in sections.items() for line in ("", f"* {name}", *part)),
    ]
    if simulator == "hspice":
        lines = [_folded(line) for line in lines]
    return "\n".join([*lines, ".end", ""])


def sense_amplifiers(spec: CrossbarSpec) -> list[str]:
    """Nodes at 0 V whose sources carry the column currents: `out_5`, and `top_5` where both ends are sensed."""
    lines = (_bit_line(spec, col).nodes for col in range(spec.cols))
    return [node for nodes in lines for node in dict.fromkeys((nodes[0], nodes[-1])) if not node.startswith("b_")]


def _check(spec: CrossbarSpec, v: Tensor, g: Tensor, simulator: str) -> None:
    if simulator not in get_args(Simulator):
        raise ValueError(f"`simulator` must be one of {', '.join(get_args(Simulator))}; got {simulator!r}.")
    if v.dim() != 2 or v.shape[0] < 1 or v.shape[1] != spec.rows:
        raise ValueError(f"`v` must be ({spec.rows},) or (input, {spec.rows}) with an input; got {tuple(v.shape)}.")
    if tuple(g.shape) != (spec.rows, spec.cols):
        raise ValueError(f"`g` must be ({spec.rows}, {spec.cols}), one crossbar; got {tuple(g.shape)}.")
    for name, x in (("v", v), ("g", g)):
        if not x.isfinite().all():
            raise ValueError(f"`{name}` must be finite; {int((~x.isfinite()).sum())} of {x.numel()} values are not.")


def _title(spec: CrossbarSpec, device: DeviceModel, inputs: int) -> list[str]:
    cells = shorten(ascii(device), 80)
    both = " and b_0_COL to 0 V at top_COL" if spec.sensed_ends == 2 else ""
    return [
        f"* Crossbar of {spec.rows} x {spec.cols} cells {cells}; inputs: {inputs}; SI units; written by geniex",
        f"* Word line ROW: in_ROW through {spec.r_source} ohm to w_ROW_0"
        f"{f' and w_ROW_{spec.cols - 1}' if spec.driven_ends == 2 else ''}, {spec.r_row} ohm from cell to cell",
        f"* Bit line COL: b_{spec.rows - 1}_COL through {spec.r_sink} ohm to 0 V at out_COL{both}, "
        f"{spec.r_col} ohm from cell to cell",
        f"* Current of column COL: i(V_out_COL){' + i(V_top_COL)' if spec.sensed_ends == 2 else ''}. "
        "0 ohm joins nodes: a name may stand for several.",
    ]


@dataclass(frozen=True)
class _Line:
    """A word line or a bit line: a chain of nodes with a resistor between neighbours.

    Attributes:
        name: `w_3` or `b_5`.
        nodes: names in the deck; nodes that 0 ohm joins have the same one.
        ohms: resistances between neighbours.
    """

    name: str
    nodes: list[str]
    ohms: list[float]

    def resistors(self) -> Iterator[str]:
        """The wires, drivers and sense amplifiers that are left between different nodes."""
        for k, ((a, b), ohm) in enumerate(zip(pairwise(self.nodes), self.ohms, strict=True)):
            if a != b:
                yield f"R_{self.name}_{k} {a} {b} {number(ohm)}"


def _word_line(spec: CrossbarSpec, row: int) -> _Line:
    """From the driver to the last column, and on to the driver's other end where there is one."""
    cells, far = [f"w_{row}_{col}" for col in range(spec.cols)], spec.driven_ends - 1
    ohms = [spec.r_source, *[spec.r_row] * (spec.cols - 1), *[spec.r_source] * far]
    return _Line(f"w_{row}", _joined([f"in_{row}", *cells, *[f"in_{row}"] * far], ohms), ohms)


def _bit_line(spec: CrossbarSpec, col: int) -> _Line:
    """From the sense amplifier behind the last row up to row 0, and to the one before it where there is one."""
    cells, far = [f"b_{row}_{col}" for row in reversed(range(spec.rows))], spec.sensed_ends - 1
    ohms = [spec.r_sink, *[spec.r_col] * (spec.rows - 1), *[spec.r_sink] * far]
    return _Line(f"b_{col}", _joined([f"out_{col}", *cells, *[f"top_{col}"] * far], ohms), ohms)


def _joined(nodes: list[str], ohms: list[float]) -> list[str]:
    """The nodes, those joined by 0 ohm under one name: that of a source where there is one, else of the first."""
    runs = [[nodes[0]]]
    for node, ohm in zip(nodes[1:], ohms, strict=True):
        if ohm == 0:
            runs[-1].append(node)
        else:
            runs.append([node])
    return [min(run, key=lambda node: node.startswith(("w_", "b_"))) for run in runs for _ in run]


def _cells(spec: CrossbarSpec, device: DeviceModel, g: Tensor, simulator: Simulator) -> Iterator[str]:
    bit_lines = [_bit_line(spec, col).nodes for col in range(spec.cols)]
    for row, siemens in enumerate(g.tolist()):
        word_line = _word_line(spec, row).nodes
        for col, bit_line in enumerate(bit_lines):
            cell = Cell(f"{row}_{col}", row, word_line[1 + col], bit_line[spec.rows - row], siemens[col], simulator)
            yield from cell_lines(device, cell)


def _ngspice(spec: CrossbarSpec, inputs: list[list[float]]) -> tuple[list[str], list[str]]:
    """Drivers, and the analysis. Several inputs are looked up by a swept voltage, which is their number."""
    currents = [f"i(V_{node})" for node in sense_amplifiers(spec)]
    if len(inputs) == 1:
        drivers, sweep = [f"V_in_{row} in_{row} 0 {number(volt)}" for row, volt in enumerate(inputs[0])], ".op"
    else:
        drivers, sweep = ["V_input input 0 0"], f".dc V_input 0 {len(inputs) - 1} 1"
        for row, volts in enumerate(zip(*inputs, strict=True)):
            table = (f"{k}, {number(volt)}" for k, volt in enumerate(volts))
            drivers.append(_listed(f"B_in_{row} in_{row} 0 v=pwl(v(input),", table, ",") + ")")
    return drivers, [*NGSPICE_OPTIONS, sweep, _listed(".save", currents), _listed(f".print {sweep[1:3]}", currents)]


def _hspice(spec: CrossbarSpec, inputs: list[list[float]]) -> tuple[list[str], list[str]]:
    """Drivers, and the analysis: a sweep over the rows of a table."""
    volts = [f"volt_{row}" for row in range(spec.rows)]
    drivers = [f".PARAM {volt}=0" for volt in volts]
    drivers += [f"V_in_{row} in_{row} 0 DC '{volt}'" for row, volt in enumerate(volts)]
    table = (_listed("+", map(number, v)) for v in inputs)
    currents = [f"I(V_{node})" for node in sense_amplifiers(spec)]
    return drivers, [
        *HSPICE_OPTIONS,
        _listed(".DATA inputs", volts),
        *table,
        ".ENDDATA",
        ".DC DATA=inputs",
        _listed(".PRINT DC", currents),
    ]


def _listed(start: str, items: Iterable[str], separator: str = "") -> str:
    """A statement with a list, 8 items on a line."""
    listed = [*items]
    lines = (f"{separator} ".join(listed[k : k + 8]) for k in range(0, len(listed), 8))
    return f"{start} " + f"{separator}\n+ ".join(lines)


def _folded(line: str) -> str:
    r"""A long expression on several lines: `\\` continues quoted text, and no line begins with an operator."""
    if len(line) <= HSPICE_LINE or "'" not in line:
        return line
    head, *parts = line.split(" (")
    lines = [head]
    for part in parts:
        if len(lines[-1]) + len(part) < HSPICE_LINE:
            lines[-1] += f" ({part}"
        else:
            lines.append(f"({part}")
    return " \\\\\n".join(lines)

"""Measured I-V curves of memory cells, as files of comma-separated values have them.

A file is a header and one row per reading. Every quantity has a unit in the header, `voltage (mV)`, `I [uA]` or `g_uS`;
nothing is guessed. Lines that start with `#` are comments. Time, temperature and the like are not used here: what the
columns do not say about a reading, nobody knows.
"""

import csv
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geniex.hints import nearest

__all__ = ["Array", "Curve", "read_curves"]

Array = np.ndarray[Any, np.dtype[np.float64]]
NOISE = 0.01
"""Share of a curve's largest current below which a current may oppose its voltage, or flow at 0 V."""
REPEATED = 1e-4
"""Share of a curve's largest voltage below which two voltages are the same."""
FEWEST = 4
"""Voltages other than 0 V that a curve needs."""


class Quantity(NamedTuple):
    """A column: its names, and its units in SI ones."""

    names: tuple[str, ...]
    units: dict[str, float]


QUANTITIES = {
    "voltage": Quantity(("voltage", "v", "bias"), {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "kV": 1e3}),
    "current": Quantity(("current", "i"), {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12}),
    "state": Quantity(("state", "level"), {}),
    "conductance": Quantity(("conductance", "g"), {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}),
    "resistance": Quantity(("resistance", "r"), {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6}),
    "gap": Quantity(("gap", "d"), {"m": 1.0, "nm": 1e-9}),
}
HEADER = re.compile(r"(?P<name>.+?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|_(?P<suffix>[^_\s]+))?")


@dataclass(frozen=True, eq=False)
class Curve:
    """Current against voltage of one cell in one state.

    Readings at the same voltage are averaged, those at 0 V left out.

    Attributes:
        name: of the state, as the file says it.
        v: voltages in volt, rising, each once, none 0.
        i: mean current at each, in ampere.
        spread: root-mean-square deviation of the readings at each voltage from their mean, in ampere.
        repeated: whether any voltage was read more than once.
        conductance: of the state in siemens, if the file says it.
        gap: of the filament in metre, if the file says it.
    """

    name: str
    v: Array
    i: Array
    spread: Array
    repeated: bool
    conductance: float | None = None
    gap: float | None = None

    @property
    def scale(self) -> Array:
        """What errors are relative to, in ampere: |i|, and 1 % of the largest lest readings near 0 V rule."""
        return np.abs(self.i) + NOISE * np.abs(self.i).max()

    @property
    def hysteresis(self) -> float | None:
        """Root mean square over voltages of `spread` relative to `scale`; None if no voltage was read twice."""
        return float(np.sqrt(np.mean((self.spread / self.scale) ** 2))) if self.repeated else None


class Reading(NamedTuple):
    """One row of a file, in SI units."""

    line: int
    values: dict[str, float]
    state: str


def read_curves(path: str | os.PathLike[str]) -> list[Curve]:
    """Curves of a file by state, in the order of their conductance where known, else as they come.

    Columns `voltage` and `current`; `state`, or else `conductance` or `resistance`, or else `gap` tells the states
    apart; without any of them the file is one curve.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the column or the line that cannot be used, and what would be.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        groups: dict[str, list[Reading]] = {}
        for reading in _readings(path.read_text(encoding="utf-8-sig")):
            groups.setdefault(reading.state, []).append(reading)
        curves = [_curve(name, readings) for name, readings in groups.items()]
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from error
    return sorted(curves, key=lambda curve: curve.conductance or 0.0)


def _readings(text: str) -> list[Reading]:
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) < 2:
        raise ValueError("it has no readings; it needs a line of names and units, and a line for each reading.")
    separator = _separator(lines[0][1])
    columns = _columns(next(csv.reader([lines[0][1]], delimiter=separator)))
    readings = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
        if len(cells) != len(columns):
            raise ValueError(f"line {number} has {len(cells)} values, but there are {len(columns)} columns.")
        row = dict(zip(columns, cells, strict=True))
        values = {name: _number(row[name], name, number) * scale for name, scale in columns.items() if name != "state"}
        if "resistance" in values:
            values["conductance"] = 1 / values.pop("resistance")
        readings.append(Reading(number, values, _state(row, values)))
    return readings


def _state(row: Mapping[str, str], values: Mapping[str, float]) -> str:
    """What tells a reading's state from others; the same for all where nothing does."""
    if "state" in row:
        return row["state"]
    if "conductance" in values:
        return f"{values['conductance']:.6g} S"
    return f"{values['gap']:.6g} m" if "gap" in values else "1"


def _separator(header: str) -> str:
    found = [separator for separator in (",", ";", "\t") if separator in header]
    if len(found) != 1:
        words = "several of them" if found else "none"
        raise ValueError(f"its columns must be separated by commas, semicolons or tabs; the header has {words}.")
    return found[0]


def _columns(header: Sequence[str]) -> dict[str, float]:
    """Quantities by column, with the factors that make their values SI."""
    columns: dict[str, float] = {}
    for title in header:
        quantity, factor = _column(title.strip())
        if quantity in columns:
            raise ValueError(f"two columns are the {quantity}; the second is {title.strip()!r}. Leave one.")
        columns[quantity] = factor
    for quantity in ("voltage", "current"):
        if quantity not in columns:
            units = ", ".join(QUANTITIES[quantity].units)
            raise ValueError(f"it has no column of the {quantity}; name it `{quantity} (unit)`, in one of {units}.")
    if {"conductance", "resistance"} <= columns.keys():
        raise ValueError("it has columns of both conductance and resistance. Leave one.")
    return columns


def _column(title: str) -> tuple[str, float]:
    match = HEADER.fullmatch(title)
    name = match["name"].casefold() if match else ""
    quantity = next((quantity for quantity, known in QUANTITIES.items() if name in known.names), None)
    if match is None or quantity is None:
        raise ValueError(f"the column {title!r} is not known; remove or rename it.{nearest(name, list(QUANTITIES))}")
    unit = next((match[form] for form in ("round", "square", "suffix") if match[form] is not None), "").strip()
    return quantity, _factor(title, quantity, unit)


def _factor(title: str, quantity: str, unit: str) -> float:
    units = QUANTITIES[quantity].units
    if not units:
        if unit:
            raise ValueError(f"the column {title!r} holds names of states, which have no unit.")
        return 1.0
    spelled = unit.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    spelled = spelled.replace("\N{OHM SIGN}", "ohm").replace("\N{GREEK CAPITAL LETTER OMEGA}", "ohm")
    if spelled not in units:
        found = f"the unit {unit!r}" if unit else "no unit"
        raise ValueError(
            f"the column {title!r} has {found}; the {quantity} is in one of {', '.join(units)}, "
            f"as in `{quantity} ({next(iter(units))})`."
        )
    return units[spelled]


def _number(text: str, quantity: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        comma = " Write decimals with a point." if "," in text else ""
        raise ValueError(f"the {quantity} in line {line} must be a number; got {text!r}.{comma}") from None
    if not math.isfinite(value):
        raise ValueError(f"the {quantity} in line {line} must be finite; got {text}. Remove the line.")
    if quantity in ("conductance", "resistance") and value <= 0:
        raise ValueError(f"the {quantity} in line {line} must be positive; got {text}.")
    if quantity == "gap" and value < 0:
        raise ValueError(f"the gap in line {line} must be at least 0; got {text}.")
    return value


def _curve(name: str, readings: list[Reading]) -> Curve:
    """Readings of one state, checked and averaged."""
    v, i = (np.array([reading.values[key] for reading in readings]) for key in ("voltage", "current"))
    _check_passive(name, v, i, [reading.line for reading in readings])
    v, i, spread, repeated = _averaged(v[v != 0], i[v != 0])
    if len(v) < FEWEST:
        raise ValueError(
            f"state {name} has readings at {len(v)} voltages other than 0 V; at least {FEWEST} are needed. "
            "Measure more, or remove its lines."
        )
    one = {key: _only(name, key, readings) for key in ("conductance", "gap") if key in readings[0].values}
    return Curve(name, v, i, spread, repeated, **one)


def _check_passive(name: str, v: Array, i: Array, lines: list[int]) -> None:
    largest = np.abs(i).max()
    if largest == 0:
        raise ValueError(f"all currents of state {name} are 0 A. Remove its lines, or check the unit of the current.")
    opposed = np.flatnonzero(np.where(v == 0, np.abs(i), -i * np.sign(v)) > NOISE * largest)
    if len(opposed):
        where, first = ", ".join(str(lines[n]) for n in opposed[:8]), opposed[0]
        raise ValueError(
            f"the current of state {name} opposes the voltage, or flows at 0 V, in {len(opposed)} of {len(v)} lines: "
            f"{where}{', ...' if len(opposed) > 8 else ''} (line {lines[first]}: {v[first]:g} V, {i[first]:g} A). "
            "A cell only consumes power. Remove the lines, or change the sign of the current if that is counted the "
            f"other way; up to {100 * NOISE:g} % of the largest current is taken for noise."
        )


def _averaged(v: Array, i: Array) -> tuple[Array, Array, Array, bool]:
    """Distinct voltages, mean currents, deviations from them, and whether any voltage was read more than once."""
    order = np.argsort(v, kind="stable")
    v, i = v[order], i[order]
    new = np.diff(v, prepend=-np.inf) > REPEATED * np.abs(v).max(initial=0)
    group = np.cumsum(new) - 1
    count = np.bincount(group)
    v_mean, i_mean = (np.bincount(group, x) / count for x in (v, i))
    spread = np.sqrt(np.bincount(group, (i - i_mean[group]) ** 2) / count)
    return v_mean, i_mean, spread, bool((count > 1).any())


def _only(name: str, key: str, readings: list[Reading]) -> float:
    """The one value of a quantity in all readings of a state."""
    first = readings[0].values[key]
    for reading in readings:
        if not math.isclose(reading.values[key], first, rel_tol=1e-9):
            raise ValueError(
                f"state {name} has two values of the {key}, {first:g} in line {readings[0].line} and "
                f"{reading.values[key]:g} in line {reading.line}. Give each its own state."
            )
    return first

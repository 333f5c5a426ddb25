"""The picture of cost against error: `python -m benchmarks.frontier` after `python -m benchmarks read`.

A point is a model: the time of a read in units of the bare matrix product's, and the error of its NF.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from studies.pictures import drawing, write

from geniex.report.palette import looks

__all__ = ["draw", "main"]

RANGES = (0.8, 800), (4e-5, 60)
KINDS = {
    "Ideal": "ideal",
    "LinearCircuit": "linear",
    "ReducedOrder": "reduced",
    "Geniex": "geniex",
    "Circuit": "circuit",
}
LABELS = {
    "Ideal": "ideal",
    "LinearCircuit": "linear with wires",
    "Geniex": "GENIEx network",
    "Circuit": "exact, in float32",
}
PLACES = {  # of a label beside its point, in points, and how the text stands there
    "Ideal": ((9, -1), "left", "center"),
    "LinearCircuit": ((9, -1), "left", "center"),
    "Geniex": ((9, 0), "left", "center"),
    "Circuit": ((0, 10), "center", "bottom"),
    "ReducedOrder1": ((8, 3), "left", "center"),
    "ReducedOrder2": ((-8, 0), "right", "center"),
    "ReducedOrder3": ((-3, -8), "center", "top"),
    "ReducedOrder4": ((8, 0), "left", "center"),
}
MARKERS = {"ideal": "D", "linear": "^", "geniex": "o", "reduced": "o", "circuit": "P"}


def main(
    rows: Annotated[Path, typer.Argument(help="What `python -m benchmarks read` wrote.")] = Path("runs/bench.json"),
    picture: Annotated[Path, typer.Argument(help="The picture: .svg or .png.")] = Path("docs/read_cost.svg"),
) -> None:
    """Draw the rows of a benchmark of reads."""
    draw(json.loads(rows.read_text())["read"], picture)


def draw(rows: Sequence[dict[str, Any]], picture: Path) -> None:
    """One panel per voltage."""
    volts = sorted({row["V"] for row in rows})
    with drawing():
        figure = Figure(figsize=(1 + 4.4 * len(volts), 4.4), layout="constrained")
        panels = figure.subplots(1, len(volts), sharex=True, sharey=True, squeeze=False)[0]
        for panel, v_max in zip(panels, volts, strict=True):
            _panel(panel, [row for row in rows if row["V"] == v_max])
            panel.set_title(f"inputs up to {v_max:g} V", loc="left", fontsize=10.5, fontweight="bold")
        panels[0].set_ylabel("error of NF against the exact circuit, RMSE (%)")
        figure.supxlabel("time of a read, in units of the bare matrix product's", fontsize=9.5)
        write(figure, picture)


def _panel(panel: Axes, rows: Sequence[dict[str, Any]]) -> None:
    panel.set(xscale="log", yscale="log", xlim=RANGES[0], ylim=RANGES[1])
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    panel.yaxis.set_major_locator(LogLocator(numticks=12))
    panel.yaxis.set_minor_locator(NullLocator())
    reduced = [row for row in rows if row["model"].startswith("ReducedOrder")]
    colour = looks(KINDS.values())["reduced"].colour
    panel.plot(*_places(reduced), color=colour, linewidth=1.6, zorder=2)
    for row in rows:
        _point(panel, row)
    x, y = (math.sqrt(math.prod(values)) for values in _places(reduced[:2]))
    panel.annotate("reduced order", (x, y), (-8, 0), textcoords="offset points", ha="right", va="center", color=colour)


def _point(panel: Axes, row: dict[str, Any]) -> None:
    name, _, rest = row["model"].partition(", ")
    look, place = looks(KINDS.values())[KINDS[name]], (row["x ideal"], row["NF error, %"])
    panel.plot(
        *place, MARKERS[KINDS[name]], color=look.colour, markersize=8, markeredgecolor="white", markeredgewidth=1.2
    )
    order = rest.removeprefix("order ") if name == "ReducedOrder" else ""
    offset, across, along = PLACES[name + order]
    panel.annotate(
        order or LABELS[name],
        place,
        offset,
        textcoords="offset points",
        ha=across,
        va=along,
        color=look.colour,
        fontweight="bold" if order else "normal",
    )


def _places(rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[float]]:
    return [row["x ideal"] for row in rows], [row["NF error, %"] for row in rows]


if __name__ == "__main__":
    typer.run(main)

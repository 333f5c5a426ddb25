"""The picture of curves.json: the error on unseen crossbars while a network learns, one panel per question."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from studies.pictures import FAINT, INK, drawing, write

from geniex.report.palette import looks

__all__ = ["draw"]

BASE = "reference current, 0.25 V", "curve of the cell"
PANELS = {  # the axis, and what the shipped recipe has on it; none where the base is among the cases
    "reference current, 0.25 V": None,
    "reference current, 0.5 V": None,
    "hidden units": "500",
    "distinct crossbars": "new in each step",
    "network-like share": "0.5",
    "inputs per crossbar": "3",
}
APART = 1.12  # factor between the heights of two labels


def draw(cases: Sequence[dict[str, Any]], picture: Path) -> None:
    """Write the picture; panels of which there is no case yet stay empty."""
    base = next((case for case in cases if (case["axis"], case["name"]) == BASE), None)
    with drawing():
        figure = Figure(figsize=(12.5, 6.6), layout="constrained")
        panels = figure.subplots(2, 3, sharex=True).flat
        for panel, (axis, of_base) in zip(panels, PANELS.items(), strict=True):
            mine = [case for case in cases if case["axis"] == axis]
            if of_base and base:
                mine.append(base | {"name": of_base})
            _panel(panel, axis, mine)
        figure.supxlabel("steps of 128 crossbars", fontsize=9)
        figure.supylabel("error of NF on unseen crossbars, RMSE (%)", fontsize=9)
        write(figure, picture)


def _panel(panel: Axes, axis: str, cases: Sequence[dict[str, Any]]) -> None:
    panel.set_title(axis, loc="left", fontweight="bold", fontsize=9.5)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    panel.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: f"{y:g}" if f"{y:.0e}"[0] in "25" else ""))
    panel.xaxis.set_minor_locator(NullLocator())
    others = list(looks(["a", "b", "c", "d"]).values())[-4:]
    least = 0.0
    for place, case in enumerate(sorted(cases, key=lambda case: case["curve"][-1][2])):
        steps, _, unseen = zip(*case["curve"], strict=True)
        shipped = case["name"] in (BASE[1], PANELS[axis])
        colour = looks(())["geniex"].colour if shipped else others[place % 4].colour
        panel.plot(steps, unseen, color=colour, lw=2 if shipped else 1.2)
        least = max(unseen[-1], least * APART)
        panel.annotate(
            f" {case['name']}", (steps[-1], least), color=colour if not shipped else INK, fontsize=8, va="center"
        )
    linear = cases[0]["unseen"]["linear"] if cases else 1.0
    panel.axhline(linear, color=FAINT, lw=0.8, ls=":")
    panel.text(0, linear, " linear model", color=FAINT, va="bottom", fontsize=8)
    last = max((case["curve"][-1][0] for case in cases), default=1)
    panel.set(xlim=(0, 1.4 * last), xticks=[0, last // 3, 2 * last // 3, last])

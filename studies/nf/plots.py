"""The pictures of README.md, made of results.json alone: NF and the models' errors by axis, ranges of f_R."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter
from studies.nf.setups import NOMINAL
from studies.nf.tables import called
from studies.pictures import DASHES, FAINT, INK, MARKERS, drawing, write

from geniex.report.palette import EXACT_FILL, EXACT_LINE, looks

__all__ = ["draw_plots", "nf_by_axis", "ranges_of_f"]

AXES = {  # label, unit of the label in SI, ticks, nominal value
    "size": ("rows and columns", 1, (16, 32, 64, 128), 64),
    "r_on": (r"R$_\mathrm{on}$ (kΩ)", 1e3, (50, 100, 200, 300), 100),
    "on_off": ("on/off ratio", 1, (2, 4, 6, 8, 10), 6),
    "v_max": ("voltage of the largest digit (V)", 1, (0.1, 0.25, 0.4, 0.5), 0.25),
}
LOGARITHMIC = ("size", "r_on")
IDEAL = r"I$_\mathrm{ideal}$"
SMALL: dict[str, Any] = {"va": "center", "fontsize": 7.5}
CELLS_ALONE_AT_250MV = 0.851  # (V/V0)/sinh(V/V0) at V = V0
Rows = Sequence[dict[str, Any]]


def draw_plots(results: dict[str, Any], folder: Path) -> None:
    """Write both pictures as SVG into `folder`; the same results make the same files."""
    with drawing():
        for name, figure in (
            ("nf_by_axis", nf_by_axis(results["sweep"])),
            ("ranges_of_f", ranges_of_f(results["ranges"])),
        ):
            write(figure, folder / f"{name}.svg")


def nf_by_axis(points: Rows) -> Figure:
    """Percentiles of NF above, errors of the models below, one column of panels per axis."""
    figure = Figure(figsize=(12.5, 6.6), layout="constrained")
    panels = figure.subplots(2, len(AXES), sharex="col", sharey="row")
    for axis, (upper, lower) in zip(AXES, panels.T, strict=True):
        mine = [point for point in points if point["axis"] == axis]
        _axis(upper, lower, axis)
        x = [point["value"] / AXES[axis][1] for point in mine]
        _percentiles(upper, x, [point["measured"] for point in mine])
        _errors(lower, x, [point["measured"]["errors"] for point in mine])
    panels[0, 0].set_ylabel(rf"NF = ({IDEAL} $-$ I) / {IDEAL}")
    panels[0, 0].yaxis.set_major_formatter(PercentFormatter(decimals=0))
    panels[1, 0].set_ylabel("error of NF against the exact circuit, RMSE")
    panels[1, 0].set_yscale("log")
    panels[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}%"))
    panels[1, 0].yaxis.set_minor_locator(NullLocator())
    _label_lines(panels)
    return figure


def ranges_of_f(found: Rows) -> Figure:
    """One group of bars per published range: published, two samplings on the nominal crossbar, the closest of all."""
    names = list(dict.fromkeys(one["name"] for one in found))
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    panel = figure.subplots()
    colours = [look.colour for look in list(looks(["project", "ResNet-20", "closest"]).values())[-3:]]
    for row, name in enumerate(names):
        mine = [one for one in found if one["name"] == name]
        nominal = {one["sampling"]: one for one in mine if (one["drivers"], one["v_max"]) == (NOMINAL, 0.25)}
        closest = min(mine, key=lambda one: one["off"])
        _published(panel, row - 0.28, mine[0]["published"])
        shown = [nominal["project"], nominal["ResNet-20"]]
        shown += [closest] if closest not in shown else []
        for place, one in enumerate(shown):
            _range(panel, row - 0.05 + 0.2 * place, one, colours[place])
        place = shown.index(closest)
        words = f" closest: {called(closest)}" if place == 2 else " closest"
        panel.text(closest["full"][1] + 0.005, row - 0.05 + 0.2 * place, words, color=colours[place], **SMALL)
    _legend(panel, colours)
    bottom = len(names) - 0.3
    panel.vlines(CELLS_ALONE_AT_250MV, -0.55, bottom, color=INK, lw=0.8, ls=":", zorder=0.5)
    panel.vlines(1, -0.55, bottom, color=FAINT, lw=0.8, zorder=0.5)
    panel.text(CELLS_ALONE_AT_250MV, bottom - 0.11, " cells without wires, 0.25 V", **SMALL)
    panel.set(ylim=(bottom, -1.2), xlim=(0.69, 1.76), yticks=range(len(names)), yticklabels=names)
    panel.set_xlabel(rf"f$_\mathrm{{R}}$ = {IDEAL} / I")
    panel.xaxis.set_major_locator(FixedLocator([0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]))
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)
    return figure


def _axis(upper: Axes, lower: Axes, axis: str) -> None:
    label, _, ticks, nominal = AXES[axis]
    if axis in LOGARITHMIC:
        lower.set_xscale("log")
    lower.xaxis.set_major_locator(FixedLocator(ticks))
    lower.xaxis.set_minor_locator(NullLocator())
    lower.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    lower.set_xlabel(label)
    for panel in (upper, lower):
        panel.axvline(nominal, color=FAINT, lw=0.8, ls=":")
    upper.axhline(0, color=FAINT, lw=0.8)


def _percentiles(panel: Axes, x: Sequence[float], measured: Rows) -> None:
    nf = {key: [m["nf"][key] for m in measured] for key in ("p1", "p25", "median", "p75", "p99")}
    panel.fill_between(x, nf["p1"], nf["p99"], color=EXACT_FILL, lw=0)
    panel.fill_between(x, nf["p25"], nf["p75"], color=EXACT_LINE, lw=0)
    panel.plot(x, nf["median"], color=INK, lw=2)
    for key, look in (("nf_wires", looks(())["linear"]), ("nf_cells", looks(["cells"])["cells"])):
        panel.plot(x, [m[key] for m in measured], color=look.colour, lw=1.6, ls=DASHES[look.dash])


def _errors(panel: Axes, x: Sequence[float], errors: Rows) -> None:
    for name in ("ideal", "linear", "reduced"):
        look, rmse = looks(())[name], [e[name]["rmse"] for e in errors]
        panel.plot(x, rmse, color=look.colour, lw=1.6, ls=DASHES[look.dash], marker=MARKERS[look.marker], ms=5)


def _label_lines(panels: Any) -> None:
    """Names beside the lines, where they are far apart: in the panels of the voltage."""
    linear, cells = looks(())["linear"].colour, looks(["cells"])["cells"].colour
    upper, lower = panels[0, -1], panels[1, -1]
    for y, text, colour in (
        (19.5, "99th percentile", FAINT),
        (12.0, "wires alone\n(linear model)", linear),
        (-5.5, "median, middle half\nof the columns", INK),
        (-26.3, "1st percentile", FAINT),
        (-35.0, "cells alone\n(no wires)", cells),
    ):
        upper.text(0.52, y, text, color=colour, va="center", fontsize=8)
    for y, name in ((12.0, "ideal"), (24, "linear"), (0.016, "reduced order")):
        lower.text(0.52, y, name, color=looks(())[name.split()[0]].colour, va="center", fontsize=8)
    panels[0, 0].text(64, panels[0, 0].get_ylim()[1], " nominal", color=FAINT, va="top", fontsize=8)


def _published(panel: Axes, y: float, ends: Sequence[float]) -> None:
    low, high = ends
    panel.barh(y, high - low, left=low, height=0.2, color=EXACT_LINE)
    for x, align, text in ((low - 0.005, "right", low), (high + 0.005, "left", high)):
        panel.text(x, y, f"{text:.2f}", ha=align, color=INK, bbox={"fc": "white", "ec": "none", "pad": 1}, **SMALL)


def _range(panel: Axes, y: float, one: dict[str, Any], colour: str) -> None:
    """A thin line from the smallest to the largest, a thick one from the 1st to the 99th percentile."""
    for ends, width in ((one["full"], 1.2), (one["central"], 4.5)):
        panel.plot(ends, (y, y), color=colour, lw=width, solid_capstyle="butt")


def _legend(panel: Axes, colours: Sequence[str]) -> None:
    words = (
        (0.70, EXACT_LINE, "published"),
        (0.83, colours[0], "nominal, 0.25 V, project's digits"),
        (1.12, colours[1], "nominal, 0.25 V, ResNet-20's reads"),
        (1.43, colours[2], "another assumption"),
    )
    for x, colour, text in words:
        panel.plot((x, x + 0.025), (-0.9, -0.9), color=colour, lw=5, solid_capstyle="butt")
        panel.text(x + 0.033, -0.9, text, va="center", fontsize=8)

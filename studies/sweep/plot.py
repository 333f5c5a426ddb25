"""The picture of README.md, made of sweep.parquet alone: accuracy under each model along every axis.

.venv/bin/python -m studies.sweep.plot
"""

from pathlib import Path
from typing import Any

import polars
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from studies.frames import Point, points_of
from studies.pictures import DASHES, MARKERS, drawing, write

from geniex.report.palette import looks

__all__ = ["HERE", "accuracy_by_axis", "draw"]

HERE = Path(__file__).parent
AXES = {  # label, and a value as text
    "crossbar.rows, crossbar.cols": ("rows and columns", "{:.0f}"),
    "cell.r_on": (r"R$_\mathrm{on}$ (kΩ)", "{:.0f}"),
    "cell.on_off": ("on/off ratio", "{:.0f}"),
    "inputs.v_max": ("voltage of the largest digit (V)", "{:g}"),
    "weights.slice_bits": ("bits of a slice", "{:.0f}"),
    "inputs.stream_bits": ("bits of a stream", "{:.0f}"),
}
SCALES = {"cell.r_on": 1e3}
COLUMNS = 3


def draw(table: polars.DataFrame, picture: Path) -> None:
    """Write the picture; the same table makes the same file."""
    with drawing():
        write(accuracy_by_axis(table), picture)


def accuracy_by_axis(table: polars.DataFrame) -> Figure:
    """A panel per axis, of the points that differ from the first one in it alone; whiskers are 95 % intervals."""
    points = points_of(table)
    nominal, models = points[0][0], list(dict.fromkeys(model for _, rows in points for model in rows))
    figure = Figure(figsize=(10.5, 6.2), layout="constrained")
    panels = figure.subplots(-(-len(AXES) // COLUMNS), COLUMNS, sharey=True)
    for panel, (axis, (label, text)) in zip(panels.flat, AXES.items(), strict=True):
        others = {name: value for name, value in nominal.items() if name != axis}
        along = sorted((point for point in points if others.items() <= point[0].items()), key=lambda p: p[0][axis])
        _panel(panel, along, axis, models)
        panel.set_xlabel(label)
        panel.set_xticks(range(len(along)), [text.format(p[0][axis] / SCALES.get(axis, 1)) for p in along])
    for panel in panels[:, 0]:
        panel.set_ylabel("top-1 accuracy")
    panels[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0, 0].set_ylim(bottom=0)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(models), frameon=False
    )
    return figure


def _panel(panel: Axes, along: list[Point], axis: str, models: list[str]) -> None:
    for model in models:
        places = [place for place, (_, rows) in enumerate(along) if model in rows]
        results: list[dict[str, Any]] = [along[place][1][model] for place in places]
        top1 = [result["top1"] for result in results]
        ends = [[r["top1"] - r["low"] for r in results], [r["high"] - r["top1"] for r in results]]
        look = looks([model])[model]
        marks: dict[str, Any] = {
            "marker": MARKERS.get(look.marker, "o"),
            "color": look.colour,
            "ls": DASHES.get(look.dash, "-"),
        }
        panel.errorbar(places, top1, yerr=ends, label=model, ms=5, lw=1.4, capsize=2, elinewidth=0.8, **marks)


if __name__ == "__main__":
    draw(polars.read_parquet(HERE / "sweep.parquet"), HERE / "sweep.svg")

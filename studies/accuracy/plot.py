"""The picture of README.md, made of results.json alone: accuracy above, what is lost against digital below.

.venv/bin/python -m studies.accuracy.plot
"""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from studies.accuracy.cases import CASES, HERE, read
from studies.accuracy.summary import difference
from studies.pictures import FAINT, MARKERS, drawing, write

from geniex.report.palette import looks

__all__ = ["accuracy_and_loss", "draw"]


def draw(results: dict[str, Any], picture: Path) -> None:
    """Write the picture; the same results make the same file."""
    with drawing():
        write(accuracy_and_loss(results), picture)


def accuracy_and_loss(results: dict[str, Any]) -> Figure:
    """One column of panels per case that has a result; whiskers are 95 % intervals."""
    shown = {name: case.title for name, case in CASES.items() if name in results}
    figure = Figure(figsize=(3.4 * len(shown) + 0.4, 5.6), layout="constrained")
    panels = figure.subplots(2, len(shown), sharex="col", sharey="row", squeeze=False)
    for name, (upper, lower) in zip(shown, panels.T, strict=True):
        result = results[name]
        upper.set_title(f"{shown[name]}\n{sum(result['images']):,} images", loc="left", fontsize=9.5)
        _accuracies(upper, result)
        _losses(lower, result)
    panels[0, 0].set_ylabel("top-1 accuracy")
    panels[0, 0].set_ylim(bottom=0)
    panels[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[1, 0].set_ylabel("lost against digital, points")
    return figure


def _accuracies(panel: Axes, result: dict[str, Any]) -> None:
    for place, model in enumerate(result["models"]):
        top1 = model["top1"]
        _point(panel, (place, top1), (top1 - model["low"], model["high"] - top1), model["name"])
        panel.annotate(
            f"{100 * top1:.1f}", (place, top1), (8, 6), textcoords="offset points", va="center", fontsize=7.5
        )
        if model["name"] == "digital":
            panel.axhline(top1, color=FAINT, lw=0.8, ls=":")


def _losses(panel: Axes, result: dict[str, Any]) -> None:
    names = [model["name"] for model in result["models"]]
    panel.axhline(0, color=FAINT, lw=0.8, ls=":")
    panel.set_xticks(range(len(names)), names)
    panel.set_xlim(-0.5, len(names) - 0.2)
    for place, name in enumerate(names if "digital" in names else ()):
        if name == "digital":
            continue
        gained, margin = (100 * share for share in difference(result, name, "digital"))
        _point(panel, (place, -gained), (margin, margin), name)
        label = f"{round(-gained, 1) + 0.0:.1f}"  # + 0 makes 0 of -0
        panel.annotate(label, (place, -gained), (8, 6), textcoords="offset points", va="center", fontsize=7.5)


def _point(panel: Axes, place: tuple[float, float], whiskers: tuple[float, float], name: str) -> None:
    look = looks([name])[name]
    ends = [[whiskers[0]], [whiskers[1]]]
    panel.errorbar(*place, yerr=ends, fmt=MARKERS.get(look.marker, "o"), color=look.colour, ms=6, lw=1.4, capsize=3)


if __name__ == "__main__":
    draw(read(HERE / "results.json"), HERE / "accuracy.svg")

"""How static pictures look: those of studies and of the docs. The same numbers give the same file, byte for byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["DASHES", "FAINT", "GRID", "INK", "MARKERS", "drawing", "write"]

INK, FAINT, GRID = "#2b3138", "#8a929b", "#e9ecef"
# plotly's names of the looks of models (geniex.report.palette) in matplotlib's words
MARKERS = {"square": "s", "diamond": "D", "triangle-up": "^", "circle": "o", "x": "X", "cross": "P"}
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdashdot": "-."}
STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "geniex",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Figures made inside have this look."""
    with mpl.rc_context(STYLE):
        yield


def write(figure: Figure, path: Path) -> None:
    """Write .svg or .png."""
    figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)

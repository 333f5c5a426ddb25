"""All axes of a study side by side: a line per point, coloured by its accuracy."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from geniex.report.formats import percent
from geniex.report.plots import INK, safe, style
from geniex.report.values import Scale

__all__ = ["all_axes"]

PAPER = "rgba(255, 255, 255, 0.85)"
COLOURS = 24  # lines of one colour are one trace: a browser draws few traces fast
ACCURACY = "top-1 (%)"


def all_axes(points: Sequence[tuple[str, Mapping[str, Any], float]], names: Mapping[str, str]) -> go.Figure:
    """A line per point across all axes and its accuracy, by which it is coloured: the darker, the more accurate.

    Args:
        points: label, values by axis, and accuracy as a share.
        names: of the axes.
    """
    scales = [Scale([values[axis] for _, values, _ in points]) for axis in names]
    accuracy = Scale([round(100 * top1, 1) for *_, top1 in points])
    titles = [*map(safe, names.values()), ACCURACY]
    lines = []
    for label, values, top1 in sorted(points, key=lambda point: point[2]):
        places = [scale.place(values[axis]) for scale, axis in zip(scales, names, strict=True)]
        lines.append((f"{safe(label)}: {percent(top1)} %", [*places, accuracy.place(round(100 * top1, 1))]))
    figure = go.Figure()
    for level, alike in groupby(lines, key=lambda line: round(COLOURS * line[1][-1])):
        figure.add_trace(_lines(list(alike), titles, level / COLOURS))
    for title, scale in zip(titles, [*scales, accuracy], strict=True):
        _upright(figure, title, scale)
    style(figure, "", None, height=420)
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_yaxes(visible=False, range=[-0.05, 1.05])
    figure.update_xaxes(type="category", side="top", showgrid=False, range=[-0.4, len(titles) - 0.9])
    return figure


def _lines(lines: Sequence[tuple[str, list[float]]], titles: list[str], share: float) -> go.Scatter:
    """Lines of one colour, with a gap between one and the next."""
    x: list[str | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for text, places in lines:
        x += [None, *titles] if x else titles
        y += [None, *places] if y else places
        texts += [text] * (len(x) - len(texts))
    (colour,) = sample_colorscale("Viridis", [1 - 0.9 * share])
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": 1.5},
        customdata=texts,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _upright(figure: go.Figure, title: str, scale: Scale) -> None:
    """An axis with its marks."""
    for place, text in scale.marks:
        figure.add_annotation(
            x=title, y=place, text=text, showarrow=False, xanchor="right", xshift=-4, font_size=12, bgcolor=PAPER
        )
    figure.add_shape(type="line", x0=title, x1=title, y0=0, y1=1, line={"color": INK, "width": 1}, layer="below")

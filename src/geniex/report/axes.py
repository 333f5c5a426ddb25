"""Figures of a study in plotly: accuracy along an axis, over all axes at once, and against energy."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from geniex.report.formats import percent, quantity
from geniex.report.palette import Look
from geniex.report.plots import INK, safe, style
from geniex.report.points import StudyPoint, StudyResult

__all__ = ["accuracy_along_axis", "all_axes", "front", "pareto"]

PAPER = "rgba(255, 255, 255, 0.85)"
MARKS = 8  # of an axis: more values are marked at its ends alone
DECADE = 10.0  # values further apart than this have a logarithmic axis


def accuracy_along_axis(name: str, along: Sequence[tuple[Any, StudyPoint]], looks: Mapping[str, Look]) -> go.Figure:
    """Top-1 accuracy in percent against the values of an axis, a line with 95 % intervals per model.

    Args:
        name: of the axis.
        along: values and points; several points can have the same value, which are markers then.
        looks: by model.
    """
    values = _sorted({json.dumps(value): value for value, _ in along}.values())
    numeric = all(_is_number(value) for value in values)
    lines = len(values) == len(along)
    figure = go.Figure()
    models = dict.fromkeys(model for _, point in along for model in point.results)
    for model in models:
        found = [(value, point.label, point.results[model]) for value, point in along if model in point.results]
        found.sort(key=lambda each: [json.dumps(v) for v in values].index(json.dumps(each[0])))
        figure.add_trace(_series(model, found, looks[model], numeric, lines))
    style(figure, safe(name), "top-1 accuracy (%)", height=360)
    if numeric:
        wide = min(values) > 0 and max(values) / min(values) >= DECADE
        figure.update_xaxes(
            tickvals=values, ticktext=[f"{value:g}" for value in values], type="log" if wide else "linear"
        )
        if not lines or len(values) > 8:
            figure.update_xaxes(tickvals=None, ticktext=None)
    else:
        figure.update_xaxes(type="category")
    figure.update_yaxes(rangemode="tozero")
    return figure


def all_axes(points: Sequence[tuple[str, Mapping[str, Any], float]], names: Mapping[str, str]) -> go.Figure:
    """A line per point across all axes and its accuracy, by which it is coloured.

    Args:
        points: label, values by axis, and accuracy as a share.
        names: of the axes.
    """
    scales = [_Scale([values[axis] for _, values, _ in points]) for axis in names]
    accuracy = _Scale([100 * top1 for *_, top1 in points])
    titles = [*map(safe, names.values()), "top-1 (%)"]
    figure = go.Figure()
    for label, values, top1 in sorted(points, key=lambda point: point[2]):
        places = [scale.place(values[axis]) for scale, axis in zip(scales, names, strict=True)]
        last = accuracy.place(100 * top1)
        (colour,) = sample_colorscale("Viridis", [1 - 0.9 * last])
        figure.add_trace(
            go.Scatter(
                x=titles,
                y=[*places, last],
                mode="lines",
                line={"color": colour, "width": 1.5},
                hovertemplate=f"{safe(label)}: {percent(top1)} %<extra></extra>",
            )
        )
    for title, scale in zip(titles, [*scales, accuracy], strict=True):
        for place, text in scale.marks:
            figure.add_annotation(
                x=title, y=place, text=text, showarrow=False, xanchor="right", xshift=-4, font_size=11, bgcolor=PAPER
            )
        figure.add_shape(type="line", x0=title, x1=title, y0=0, y1=1, line={"color": INK, "width": 1}, layer="below")
    style(figure, "", None, height=420)
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_yaxes(visible=False, range=[-0.05, 1.05])
    figure.update_xaxes(type="category", side="top", showgrid=False, range=[-0.4, len(titles) - 0.9])
    return figure


def pareto(found: Mapping[str, Sequence[tuple[str, float, StudyResult]]], looks: Mapping[str, Look]) -> go.Figure:
    """Accuracy in percent against joule per image, a marker per point and model, and a line through each front.

    Args:
        found: labels, joule per image and results, by model.
        looks: by model.
    """
    figure = go.Figure()
    for model, points in found.items():
        look = looks[model]
        figure.add_trace(
            go.Scatter(
                x=[energy for _, energy, _ in points],
                y=[100 * result.top1 for *_, result in points],
                name=safe(model),
                mode="markers",
                marker={"color": look.colour, "symbol": look.marker, "size": 9},
                customdata=[f"{safe(label)}: {percent(r.top1)} %, {quantity(e, 'J')}" for label, e, r in points],
                hovertemplate="%{customdata}<extra></extra>",
                legendgroup=model,
            )
        )
        best = front([(energy, result.top1) for _, energy, result in points])
        figure.add_trace(
            go.Scatter(
                x=[energy for energy, _ in best],
                y=[100 * top1 for _, top1 in best],
                mode="lines",
                line={"color": look.colour, "width": 1, "shape": "hv"},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=model,
            )
        )
    style(figure, "energy per image on crossbars", "top-1 accuracy (%)", height=420)
    ticks = _round_ticks([energy for points in found.values() for _, energy, _ in points])
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[quantity(tick, "J", 1) for tick in ticks])
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (energy, accuracy), those that no other one beats in both, by rising energy."""
    best: list[tuple[float, float]] = []
    for energy, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((energy, accuracy))
    return best


def _series(
    model: str, found: Sequence[tuple[Any, str, StudyResult]], look: Look, numeric: bool, lines: bool
) -> go.Scatter:
    """Accuracies of one model."""
    results = [result for *_, result in found]
    return go.Scatter(
        x=[value if numeric else _text(value) for value, *_ in found],
        y=[100 * result.top1 for result in results],
        name=safe(model),
        mode="lines+markers" if lines else "markers",
        line={"color": look.colour, "dash": look.dash, "width": 2},
        marker={"color": look.colour, "symbol": look.marker, "size": 8, "line": {"color": "#ffffff", "width": 1}},
        error_y={
            "type": "data",
            "array": [100 * (result.high - result.top1) for result in results],
            "arrayminus": [100 * (result.top1 - result.low) for result in results],
            "color": look.colour,
            "thickness": 1,
            "width": 3,
        },
        customdata=[f"{safe(label)}, {safe(model)}: {percent(result.top1)} %" for _, label, result in found],
        hovertemplate="%{customdata}<extra></extra>",
    )


class _Scale:
    """An axis from 0 to 1: numbers in proportion, or of their logarithms over decades; others by their order."""

    def __init__(self, values: Sequence[Any]) -> None:
        """Span `values`."""
        self.numeric = all(_is_number(value) for value in values)
        self.texts = [] if self.numeric else list(dict.fromkeys(map(_text, values)))
        self.log = self.numeric and min(values) > 0 and max(values) / min(values) >= DECADE
        ends = [self._number(value) for value in values]
        self.low, self.span = min(ends), (max(ends) - min(ends)) or 1.0
        shown = _sorted({json.dumps(value): value for value in values}.values())
        shown = shown if len(shown) <= MARKS else [shown[0], shown[-1]]
        self.marks = [(self.place(value), f"{value:.4g}" if self.numeric else _text(value)) for value in shown]

    def place(self, value: Any) -> float:
        """Where a value lies."""
        return (self._number(value) - self.low) / self.span

    def _number(self, value: Any) -> float:
        if not self.numeric:
            return float(self.texts.index(_text(value)))
        return math.log10(value) if self.log else float(value)


def _round_ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every decade that positive values span, and one beyond at either end."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [m * 10.0**power for power in range(low, high + 1) for m in (1, 2, 5)]
    below = [tick for tick in ticks if tick <= min(values)][-1:]
    return [*below, *(tick for tick in ticks if min(values) < tick <= 1.5 * max(values))]


def _sorted(values: Any) -> list[Any]:
    found = list(values)
    return sorted(found) if all(_is_number(value) for value in found) else found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return safe(value if isinstance(value, str) else json.dumps(value))

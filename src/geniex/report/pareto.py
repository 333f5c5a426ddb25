"""Accuracy against energy: which points no other one beats in both."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from geniex.report.formats import percent, quantity
from geniex.report.palette import Look
from geniex.report.plots import safe, style
from geniex.report.points import StudyResult

__all__ = ["front", "pareto"]


def pareto(found: Mapping[str, Sequence[tuple[str, float, StudyResult]]], looks: Mapping[str, Look]) -> go.Figure:
    """Accuracy in percent against joule per image, a marker per point and model, and a line through each front.

    Args:
        found: labels, joule per image (above 0) and results, by model.
        looks: by model.
    """
    figure = go.Figure()
    for model, points in found.items():
        best = front([(energy, result.top1) for _, energy, result in points])
        figure.add_traces([_points(model, points, looks[model]), _steps(model, best, looks[model])])
    style(figure, "energy per image on crossbars", "top-1 accuracy (%)", height=420)
    ticks = _ticks([energy for points in found.values() for _, energy, _ in points])
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[quantity(tick, "J") for tick in ticks])
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (energy, accuracy), those that no other one beats in both, by rising energy."""
    best: list[tuple[float, float]] = []
    for energy, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((energy, accuracy))
    return best


def _points(model: str, points: Sequence[tuple[str, float, StudyResult]], look: Look) -> go.Scatter:
    return go.Scatter(
        x=[energy for _, energy, _ in points],
        y=[100 * result.top1 for *_, result in points],
        name=safe(model),
        mode="markers",
        marker={"color": look.colour, "symbol": look.marker, "size": 9},
        customdata=[f"{safe(label)}, {safe(model)}: {percent(r.top1)} %, {quantity(e, 'J')}" for label, e, r in points],
        hovertemplate="%{customdata}<extra></extra>",
        legendgroup=model,
    )


def _steps(model: str, best: Sequence[tuple[float, float]], look: Look) -> go.Scatter:
    return go.Scatter(
        x=[energy for energy, _ in best],
        y=[100 * top1 for _, top1 in best],
        mode="lines",
        line={"color": look.colour, "width": 1, "shape": "hv"},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=model,
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every decade that positive values span; the ends of values that span less than that."""
    low, high = min(values), max(values)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    round_ones = [tick for power in powers for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)]
    within = [tick for tick in round_ones if low <= tick <= high]
    return within if len(within) > 1 else [low, high]

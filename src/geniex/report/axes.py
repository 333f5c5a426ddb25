"""Figures of a study along one axis, in plotly: lines where it moves alone, clouds where others move too."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from geniex.report.formats import percent
from geniex.report.palette import Look
from geniex.report.plots import safe, style
from geniex.report.points import StudyPoint, StudyResult
from geniex.report.values import MARKS, are_numbers, distinct, key_of, over_decades, text_of

__all__ = ["accuracy_along_axis", "accuracy_over_axis", "same_span"]

Along = Sequence[tuple[Any, StudyPoint]]
Found = list[tuple[Any, str, StudyResult]]
Y_TITLE, HEIGHT = "top-1 accuracy (%)", 340
DODGED = 0.6  # of the distance between two values: the room that the models share at each


def accuracy_along_axis(name: str, along: Along, looks: Mapping[str, Look]) -> go.Figure:
    """Top-1 accuracy in percent against the values of an axis, a line with 95 % intervals per model.

    Args:
        name: of the axis.
        along: values, each once, and points that differ in them alone.
        looks: by model.
    """
    values = distinct(value for value, _ in along)
    numeric = are_numbers(values)
    figure = go.Figure()
    for model, found in _by_model(along, values).items():
        trace = _marked(model, found, looks[model])
        trace.update(
            x=[value if numeric else text_of(value) for value, *_ in found],
            mode="lines+markers",
            line={"color": looks[model].colour, "dash": looks[model].dash, "width": 2},
            error_y=_intervals(found, looks[model]),
        )
        figure.add_trace(trace)
    style(figure, safe(name), Y_TITLE, height=HEIGHT)
    _scale_x(figure, values)
    return figure


def accuracy_over_axis(name: str, along: Along, looks: Mapping[str, Look]) -> go.Figure:
    """Top-1 accuracy in percent of points that differ in other axes too, a mark per point and model.

    Where an axis has few values, the models stand side by side at each, and a line joins the means of each model.

    Args:
        name: of the axis.
        along: values and points.
        looks: by model.
    """
    values = distinct(value for value, _ in along)
    by_model = _by_model(along, values)
    few = len(values) <= MARKS or not are_numbers(values)
    ranks = {key_of(value): rank for rank, value in enumerate(values)}
    figure = go.Figure()
    for position, (model, found) in enumerate(by_model.items()):
        trace = _marked(model, found, looks[model])
        trace.update(mode="markers", marker_size=6, marker_line_width=0, opacity=0.45, legendgroup=model)
        if few:
            aside = DODGED * ((position + 0.5) / len(by_model) - 0.5)
            trace.update(x=[ranks[key_of(value)] + aside for value, *_ in found], showlegend=False)
            figure.add_trace(_means(model, found, {key: rank + aside for key, rank in ranks.items()}, looks[model]))
        else:
            trace.update(x=[value for value, *_ in found])
        figure.add_trace(trace)
    style(figure, safe(name), Y_TITLE, height=HEIGHT)
    if few:
        figure.update_xaxes(tickvals=list(ranks.values()), ticktext=[text_of(value) for value in values])
    else:
        _scale_x(figure, values)
    return figure


def same_span(figures: Iterable[go.Figure], results: Sequence[StudyResult]) -> None:
    """Give figures the same axis of accuracies, from the lowest to the highest end of all intervals."""
    low, high = 100 * min(result.low for result in results), 100 * max(result.high for result in results)
    margin = max(1.0, 0.06 * (high - low))
    for figure in figures:
        figure.update_yaxes(range=[max(-margin / 2, low - margin), min(100 + margin / 2, high + margin)])


def _by_model(along: Along, values: Sequence[Any]) -> dict[str, Found]:
    """Values, labels and results of each model, in the order of the values."""
    ranks = {key_of(value): rank for rank, value in enumerate(values)}
    found: dict[str, Found] = {}
    for value, point in sorted(along, key=lambda each: ranks[key_of(each[0])]):
        for model, result in point.results.items():
            found.setdefault(model, []).append((value, point.label, result))
    return found


def _marked(model: str, found: Found, look: Look) -> go.Scatter:
    texts = [
        f"{safe(label)}, {safe(model)}: {percent(r.top1)} % ({percent(r.low)} to {percent(r.high)})"
        for _, label, r in found
    ]
    return go.Scatter(
        y=[100 * result.top1 for *_, result in found],
        name=safe(model),
        marker={"color": look.colour, "symbol": look.marker, "size": 8, "line": {"color": "#ffffff", "width": 1}},
        customdata=texts,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _means(model: str, found: Found, places: Mapping[str, float], look: Look) -> go.Scatter:
    """A line through the mean accuracy at each value."""
    groups: dict[str, list[float]] = {}
    for value, _, result in found:
        groups.setdefault(key_of(value), []).append(100 * result.top1)
    means = [sum(group) / len(group) for group in groups.values()]
    return go.Scatter(
        x=[places[key] for key in groups],
        y=means,
        name=safe(model),
        mode="lines+markers",
        line={"color": look.colour, "dash": look.dash, "width": 2},
        marker={"color": look.colour, "symbol": look.marker, "size": 9, "line": {"color": "#ffffff", "width": 1}},
        customdata=[
            f"{safe(model)}: {mean:.1f} %, mean of {len(group)}"
            for mean, group in zip(means, groups.values(), strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        legendgroup=model,
    )


def _intervals(found: Found, look: Look) -> dict[str, Any]:
    return {
        "type": "data",
        "array": [100 * (result.high - result.top1) for *_, result in found],
        "arrayminus": [100 * (result.top1 - result.low) for *_, result in found],
        "color": look.colour,
        "thickness": 1,
        "width": 3,
    }


def _scale_x(figure: go.Figure, values: Sequence[Any]) -> None:
    """Numbers on a linear or logarithmic axis, marked where values are if these are few; others as they come."""
    if not are_numbers(values):
        figure.update_xaxes(type="category")
        return
    figure.update_xaxes(type="log" if over_decades(values) else "linear")
    if len(values) <= MARKS:
        figure.update_xaxes(tickvals=values, ticktext=[text_of(value) for value in values])

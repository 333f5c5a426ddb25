"""Figures of an evaluation in plotly: accuracies, distribution of the NF, currents and errors against the circuit.

Titles and captions belong to the page; a figure carries axes with units and a legend.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from geniex.evaluation.results import ModelResult, NfSample
from geniex.report.formats import percent
from geniex.report.palette import EXACT_FILL, EXACT_LINE, Look

__all__ = [
    "INK",
    "accuracy_bars",
    "error_against_exact",
    "nf_distribution",
    "points_shown",
    "predicted_against_exact",
    "safe",
    "scatter",
    "style",
    "thin_line",
]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
INK, FAINT, GRID = "#2b3138", "#8a929b", "#e9ecef"
IDEAL, MINUS = "I<sub>ideal</sub>", "\N{MINUS SIGN}"
MOST_POINTS = 1500  # per model in a scatter: more slow a browser down and hide each other
CENTRAL = (0.2, 99.8)  # percentiles of NF between which bins lie: a few extreme columns would squeeze all others
HIGHEST = 3  # peaks above this many times that of the exact circuit leave the plot, and the legend says how high
LONGEST_LABEL = 22
Array = np.ndarray[Any, np.dtype[np.float64]]


def accuracy_bars(models: Sequence[ModelResult], looks: Mapping[str, Look]) -> go.Figure:
    """Top-1 accuracy per model in percent with its 95 % confidence interval; a line marks the digital network."""
    rows = list(range(len(models)))
    bars = go.Bar(
        x=[100 * result.top1 for result in models],
        y=rows,
        orientation="h",
        width=0.62,
        marker_color=[looks[result.name].colour for result in models],
        error_x={
            "type": "data",
            "array": [100 * (result.high - result.top1) for result in models],
            "arrayminus": [100 * (result.top1 - result.low) for result in models],
            "color": INK,
            "thickness": 1.4,
            "width": 5,
        },
        customdata=[f"{safe(m.name)}: {percent(m.top1)} % ({percent(m.low)} to {percent(m.high)})" for m in models],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure = go.Figure(bars)
    style(figure, "top-1 accuracy (%)", None, height=90 + 46 * len(models))
    figure.update_layout(showlegend=False, margin_t=8, margin_r=88 if max(m.high for m in models) > 0.8 else 16)
    figure.update_xaxes(range=[0, 100], tickvals=[0, 20, 40, 60, 80, 100], fixedrange=True)
    figure.update_yaxes(range=[len(models) - 0.5, -0.5], showgrid=False, ticks="", fixedrange=True)
    figure.update_yaxes(tickvals=rows, ticktext=[safe(_shorten(result.name)) for result in models])
    for row, result in enumerate(models):
        _label_bar(figure, row, result)
        if result.name == "digital":
            figure.add_vline(100 * result.top1, line={"color": INK, "width": 1, "dash": "dot"}, layer="below")
    return figure


def nf_distribution(sample: NfSample, looks: Mapping[str, Look]) -> go.Figure:
    """Histograms of NF = (i_ideal - i) / i_ideal in percent: the exact circuit filled, a stepped line per model.

    A model whose values all lie within the width of a bin, such as `ideal`, is a vertical line.
    """
    exact = _nf(sample.i_ideal, sample.i_exact)
    predicted = {name: _nf(sample.i_ideal, i) for name, i in sample.i_model.items()}
    edges = _bin_edges([exact, *predicted.values()])
    exact_share = _shares(exact, edges)
    spread = {name: _shares(nf, edges) for name, nf in predicted.items() if np.ptp(nf) > edges[1] - edges[0]}
    top = 1.08 * min(HIGHEST * exact_share.max(), max(share.max() for share in [exact_share, *spread.values()]))
    figure = go.Figure(_steps("exact circuit", edges, exact_share, None))
    for name, values in predicted.items():
        if name in spread:
            peak = spread[name].max()
            label = safe(_shorten(name)) + (f" (up to {peak:.0f} % per bin)" if peak > top else "")
            figure.add_trace(_steps(label, edges, spread[name], looks[name]))
        else:
            figure.add_trace(_upright(name, float(np.median(values)), top, looks[name]))
    style(figure, f"NF = ({IDEAL} {MINUS} I) / {IDEAL} (%)", "columns per bin (%)", height=400)
    figure.update_yaxes(range=[0, top])
    figure.update_xaxes(range=[edges[0], edges[-1]])
    return figure


def predicted_against_exact(sample: NfSample, looks: Mapping[str, Look]) -> go.Figure:
    """Column currents in microampere as each model predicts them, against those of the exact circuit."""
    exact = np.asarray(sample.i_exact) * 1e6
    predicted = {name: np.asarray(i) * 1e6 for name, i in sample.i_model.items()}
    figure = scatter(exact, predicted, looks, "%{x:.3f} µA, predicted %{y:.3f} µA")
    ends = [min(0.0, float(exact.min())), float(exact.max())]
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=thin_line(), hoverinfo="skip", showlegend=False))
    style(figure, "exact circuit, I (µA)", "predicted, I (µA)", height=400)
    return figure


def error_against_exact(sample: NfSample, looks: Mapping[str, Look]) -> go.Figure:
    """Error of each predicted current in percent of the ideal current, against the exact current in microampere."""
    kept = np.asarray(sample.i_ideal) != 0
    ideal, exact = np.asarray(sample.i_ideal)[kept], np.asarray(sample.i_exact)[kept]
    errors = {name: 100 * (np.asarray(i)[kept] - exact) / ideal for name, i in sample.i_model.items()}
    figure = scatter(exact * 1e6, errors, looks, "%{x:.3f} µA, error %{y:.3f} %")
    figure.add_hline(0, line=thin_line())
    style(figure, "exact circuit, I (µA)", f"(I {MINUS} I<sub>exact</sub>) / {IDEAL} (%)", height=400)
    return figure


def points_shown(sample: NfSample) -> tuple[int, int]:
    """Columns that a scatter draws, and columns in the sample."""
    return min(MOST_POINTS, len(sample.i_exact)), len(sample.i_exact)


def scatter(exact: Array, predicted: dict[str, Array], looks: Mapping[str, Look], hover: str) -> go.Figure:
    """Markers of every model at `predicted` over `exact`, thinned evenly to `MOST_POINTS` columns."""
    chosen = np.unique(np.linspace(0, len(exact) - 1, min(MOST_POINTS, len(exact))).astype(int))
    figure = go.Figure()
    for name, values in predicted.items():
        look = looks[name]
        figure.add_trace(
            go.Scatter(
                x=exact[chosen].round(6),
                y=values[chosen].round(6),
                name=safe(_shorten(name)),
                mode="markers",
                marker={"color": look.colour, "symbol": look.marker, "size": 5, "opacity": 0.55},
                hovertemplate=hover,
            )
        )
    return figure


def thin_line() -> dict[str, Any]:
    """Of a guide to the eye: where a model would be right."""
    return {"color": INK, "width": 1, "dash": "dot"}


def style(figure: go.Figure, x_title: str, y_title: str | None, height: int) -> None:
    """Fonts, axes and legend in place, the same for all figures."""
    axis: dict[str, Any] = {
        "gridcolor": GRID,
        "linecolor": FAINT,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": FAINT,
        "ticklen": 4,
        "automargin": True,
        "title_standoff": 8,
    }
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 56, "r": 16, "t": 40, "b": 44},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        hoverlabel={"font": {"family": FONT, "size": 13}},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "itemsizing": "constant",
            "itemwidth": 40,
        },
    )
    figure.update_xaxes(title={"text": x_title, "font_size": 13}, showline=True, **axis)
    figure.update_yaxes(title={"text": y_title, "font_size": 13}, **axis)


def safe(text: str) -> str:
    """Text that plotly draws as it is: it would read tags in it as markup."""
    return html.escape(text, quote=False)


def _label_bar(figure: go.Figure, row: int, result: ModelResult) -> None:
    """The accuracy as text, right of the confidence interval."""
    figure.add_annotation(
        x=100 * result.high,
        y=row,
        text=f"<b>{percent(result.top1)} %</b>",
        showarrow=False,
        xanchor="left",
        xshift=7,
        bgcolor="rgba(255, 255, 255, 0.9)",
    )


def _nf(i_ideal: list[float], i: list[float]) -> Array:
    """NF in percent of the columns whose ideal current is not 0."""
    ideal = np.asarray(i_ideal)
    kept = ideal != 0
    return 100 * (ideal - np.asarray(i))[kept] / ideal[kept]


def _bin_edges(samples: Sequence[Array]) -> Array:
    """Equal bins over the central values of all samples, fewer for small samples."""
    bounds = [np.percentile(values, CENTRAL) for values in samples]
    low, high = min(bound[0] for bound in bounds), max(bound[1] for bound in bounds)
    bins = int(np.clip(np.sqrt(len(samples[0])), 10, 60))
    margin = max(0.04 * (high - low), 1e-3)
    return np.linspace(low - margin, high + margin, bins + 1)


def _shares(values: Array, edges: Array) -> Array:
    """Share of all values in percent per bin; values beyond the edges count in the total only."""
    return 100 * np.histogram(values, edges)[0] / len(values)


def _steps(label: str, edges: Array, share: Array, look: Look | None) -> go.Scatter:
    """A histogram as a stepped line in the look of its model, or filled in grey without one."""
    filled = np.flatnonzero(share)
    bins = slice(filled[0], filled[-1] + 1)
    x, y = np.repeat(edges[bins.start : bins.stop + 1], 2), np.concatenate([[0], np.repeat(share[bins], 2), [0]])
    line = {"color": EXACT_LINE, "width": 1} if look is None else {"color": look.colour, "width": 2, "dash": look.dash}
    return go.Scatter(
        x=x.round(6),
        y=y.round(6),
        name=label,
        mode="lines",
        line=line,
        fill="tozeroy" if look is None else None,
        fillcolor=EXACT_FILL if look is None else None,
        hovertemplate="NF %{x:.2f} %: %{y:.2f} % of columns",
    )


def _upright(name: str, value: float, top: float, look: Look) -> go.Scatter:
    """A vertical line at the one NF of a model, in percent."""
    rounded = round(value, 2) + 0.0  # no -0
    return go.Scatter(
        x=[rounded, rounded],
        y=[0, top],
        name=safe(f"{_shorten(name)} (all at {rounded:.1f} %)"),
        mode="lines",
        line={"color": look.colour, "width": 2, "dash": look.dash},
        hovertemplate=f"NF {rounded:.2f} % in all columns",
    )


def _shorten(name: str) -> str:
    """The end of a long name, such as a path, where it says most."""
    return name if len(name) <= LONGEST_LABEL else "…" + name[1 - LONGEST_LABEL :]

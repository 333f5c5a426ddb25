"""Devices fitted to measured curves, shown to people: a table for the terminal and a self-contained HTML page."""

import math
import os
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from rich import box
from rich.table import Table
from rich.text import Text

from geniex.fitting import Comparison, Fit, predicted
from geniex.measurements import Curve
from geniex.report.formats import DASH, fixed, significant_decimals
from geniex.report.plots import safe, style
from geniex.report.templates import render, write

__all__ = ["fits_table", "write_fits_page"]

PREFIXES = {0: "", -3: "m", -6: "µ", -9: "n", -12: "p"}
MOST_NAMED = 12  # states that a legend can hold
FINENESS = 200  # points of a fitted line
DARKEST, PALEST = 0.0, 0.85  # of the colour scale: its last colours vanish on white


def fits_table(comparison: Comparison) -> Table:
    """Errors of every model in every state in percent, root mean square and largest; the chosen model has a star.

    Args:
        comparison: what to show. Names of states are printed as they are, never as markup.
    """
    title = "Errors in % of the current: root mean square (largest)"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("state", overflow="fold", min_width=8)
    for header in ("g at 0 V\n(S)", "hyste-\nresis", *(_title(fit, comparison) for fit in comparison.fits)):
        table.add_column(header, justify="right", no_wrap=True)
    for position in range(len(comparison.curves)):
        table.add_row(*map(Text, _row(comparison, position)))
    table.add_section()
    table.add_row("held out", "", "", *(_percent(fit.held_out) for fit in comparison.fits))
    table.add_row("numbers", "", "", *(f"{fit.parameters}" for fit in comparison.fits))
    return table


def write_fits_page(comparison: Comparison, path: str | os.PathLike[str], title: str, device_text: str) -> None:
    """Write measured and fitted curves as one HTML file, whole or not at all.

    Args:
        comparison: what to show.
        path: the file to write; its folder is made if need be.
        title: of the page.
        device_text: the device file, shown as it is.
    """
    figures = {
        "linear": _linear(comparison),
        "logarithmic": _logarithmic(comparison),
        "error": _relative_errors(comparison),
    }
    values = {
        "title": title,
        "chosen": comparison.chosen.model,
        "held_out": _percent(comparison.chosen.held_out),
        "headers": [fit.model for fit in comparison.fits],
        "rows": [_row(comparison, position) for position in range(len(comparison.curves))],
        "held_outs": [_percent(fit.held_out) for fit in comparison.fits],
        "parameters": [fit.parameters for fit in comparison.fits],
        "reasons": comparison.reasons,
        "device_text": device_text,
    }
    write(path, render("fits.html.j2", figures, values))


def _title(fit: Fit, comparison: Comparison) -> str:
    return f"{fit.model}{' *' if fit is comparison.chosen else ''}"


def _row(comparison: Comparison, position: int) -> list[str]:
    """State, conductance, hysteresis, and the errors of every model."""
    curve = comparison.curves[position]
    errors = [f"{_percent(fit.rms[position])} ({_percent(fit.worst[position])})" for fit in comparison.fits]
    return [curve.name, f"{comparison.chosen.conductances[position]:.4g}", _percent(curve.hysteresis), *errors]


def _percent(share: float | None) -> str:
    return DASH if share is None else fixed(100 * share, min(2, significant_decimals(100 * share, 2)))


def _linear(comparison: Comparison) -> go.Figure:
    """Measured currents as markers and fitted ones as lines, a colour per state."""
    largest = max(np.abs(curve.i).max() for curve in comparison.curves)
    exponent = max(-12, min(0, 3 * math.floor(math.log10(largest) / 3)))
    unit, figure = 10.0**exponent, go.Figure()
    for curve, g, colour in _states(comparison):
        v = np.linspace(min(curve.v[0], 0.0), max(curve.v[-1], 0.0), FINENESS)
        i = predicted(comparison.chosen.device, g, v)
        same = {"legendgroup": curve.name, "name": safe(curve.name)}
        line, marker = {"color": colour, "width": 1.8}, {"color": colour, "size": 5, "opacity": 0.7}
        figure.add_scatter(x=curve.v, y=curve.i / unit, mode="markers", marker=marker, showlegend=False, **same)
        figure.add_scatter(x=v, y=i / unit, mode="lines", line=line, **same)
    style(figure, "V (V)", f"I ({PREFIXES[exponent]}A)", height=420)
    figure.update_layout(showlegend=len(comparison.curves) <= MOST_NAMED)
    figure.update_traces(hovertemplate=f"%{{x:.4g}} V, %{{y:.4g}} {PREFIXES[exponent]}A")
    return figure


def _logarithmic(comparison: Comparison) -> go.Figure:
    """The same, the size of the current on a logarithmic axis; lines end where measurements do."""
    figure, nearest = _linear(comparison), min(np.abs(curve.v).min() for curve in comparison.curves)
    traces: Any = figure.data
    for trace in traces:
        kept = np.abs(trace.x) >= nearest
        trace.update(x=trace.x[kept], y=np.abs(trace.y[kept]))
    figure.update_layout(showlegend=False, height=300, margin_t=8)
    figure.update_yaxes(type="log", tickformat="~g", dtick=1, title_text=f"|I| {figure.layout.yaxis.title.text[2:]}")
    return figure


def _relative_errors(comparison: Comparison) -> go.Figure:
    """Relative error of the chosen model at every voltage in percent, a colour per state."""
    figure = go.Figure()
    for curve, g, colour in _states(comparison):
        error = 100 * (predicted(comparison.chosen.device, g, curve.v) - curve.i) / curve.scale
        line, marker = {"color": colour, "width": 1}, {"color": colour, "size": 4}
        figure.add_scatter(x=curve.v, y=error, mode="lines+markers", line=line, marker=marker, name=safe(curve.name))
    style(figure, "V (V)", "relative error (%)", height=300)
    figure.update_layout(showlegend=False, margin_t=8)
    figure.update_traces(hovertemplate="%{x:.4g} V, %{y:.2f} %")
    return figure


def _states(comparison: Comparison) -> list[tuple[Curve, float, str]]:
    """Curve, conductance and colour of each state; the darker, the lower its conductance."""
    conductances = comparison.chosen.conductances
    rank = np.argsort(np.argsort(conductances)) / max(len(conductances) - 1, 1)
    colours = sample_colorscale("Viridis", list(DARKEST + (PALEST - DARKEST) * rank))
    return list(zip(comparison.curves, conductances, map(str, colours), strict=True))

"""The HTML page of an error card: where a model is right, and where it is not."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from geniex.emulation.errors import ErrorCard, ErrorMap, Part
from geniex.files import replacing
from geniex.report.cells import nf_cells, prose, typeset
from geniex.report.formats import fixed, significant, significant_decimals
from geniex.report.palette import Look, looks
from geniex.report.plots import safe, scatter, style, thin_line
from geniex.report.templates import plain, render, write
from geniex.report.words import MEANINGS

__all__ = ["write_card"]

SPLITS = {
    "voltage": ("Mean voltage of the driven rows", "V", 1.0),
    "v_density": ("Share of rows driven", "%", 100.0),
    "g_density": ("Share of cells above the lowest level", "%", 100.0),
    "column": ("Position of the column, from the drivers", "", 1.0),
    "current": ("Ideal current of the column", "µA", 1e6),
}
"""By split: what its axis says, its unit, and the factor to that unit."""


def write_card(card: ErrorCard, path: str | os.PathLike[str], title: str) -> None:
    """Write an error card as one HTML file, and its numbers as JSON beside it; each whole or not at all.

    Args:
        card: what to show.
        path: the page; the numbers take its name with `.json`.
        title: of the page.
    """
    look_of = looks(card.errors)
    figures = {
        "predicted": _predicted(card, look_of),
        "error": _errors(card, look_of),
        "map": _map(card.map),
        **{name: _profile(name, parts, card.model, look_of) for name, parts in card.splits.items()},
    }
    values = {
        "card": card,
        "title": title,
        "headline": prose(_headline(card)),
        "error_rows": [(name, nf_cells(error)) for name, error in card.errors.items()],
        "splits": {name: (SPLITS[name][0], _rows(name, parts, card.model)) for name, parts in card.splits.items()},
        "colours": {name: look.colour for name, look in look_of.items()},
        "meanings": {name: MEANINGS[name] for name in card.errors if name in MEANINGS},
        "config": plain({"crossbar": vars(card.spec), "cells": card.device, "digits": vars(card.window)}),
        "drawn": plain({name: getattr(card, name) for name in ("crossbars", "inputs", "seed", "sampling")}),
    }
    text = json.dumps({"title": title, **card.as_dict()}, indent=1)
    with replacing(Path(path).with_suffix(".json")) as beside:
        beside.write_text(text, encoding="utf-8")
    write(path, render("card.html.j2", figures, values))


def _headline(card: ErrorCard) -> str:
    own, linear = card.errors[card.model], card.errors["linear"]
    sentence = f"Column currents are off by {significant(own.rmse)} % of their ideal value (RMS), at most "
    sentence += f"{significant(own.worst)} %, on {card.crossbars:,} crossbars that were never seen before."
    if not 0 < own.rmse < linear.rmse:
        return sentence
    return f"{sentence} That is {significant(linear.rmse / own.rmse, 2)} times below the linear circuit's error."


def _predicted(card: ErrorCard, look_of: Mapping[str, Look]) -> go.Figure:
    """NF as each model predicts it, against that of the exact circuit."""
    exact = np.asarray(card.drawn.nf_exact)
    predicted = {name: np.asarray(nf) for name, nf in card.drawn.nf_model.items()}
    figure = scatter(exact, predicted, look_of, "NF %{x:.3f} %, predicted %{y:.3f} %")
    ends = [float(exact.min()), float(exact.max())]
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=thin_line(), hoverinfo="skip", showlegend=False))
    style(figure, "NF of the exact circuit (%)", "predicted NF (%)", height=400)
    return figure


def _errors(card: ErrorCard, look_of: Mapping[str, Look]) -> go.Figure:
    """Size of the error of NF on a logarithmic axis, against the NF of the exact circuit."""
    exact = np.asarray(card.drawn.nf_exact)
    errors = {name: np.abs(np.asarray(nf) - exact) for name, nf in card.drawn.nf_model.items()}
    figure = scatter(exact, errors, look_of, "NF %{x:.3f} %, off by %{y:.2g} %")
    style(figure, "NF of the exact circuit (%)", "|error of NF| (%)", height=400)
    figure.update_yaxes(type="log", tickformat="~g", dtick=1)
    return figure


def _map(found: ErrorMap) -> go.Figure:
    """Errors of the model over both densities."""
    middle = 100 * (np.asarray(found.edges[:-1]) + np.asarray(found.edges[1:])) / 2
    rmse = [[np.nan if value is None else value for value in row] for row in found.rmse]
    heat = go.Heatmap(
        x=middle,
        y=middle,
        z=rmse,
        customdata=found.columns,
        colorscale="Viridis",
        colorbar={"title": {"text": "RMSE (%)", "side": "right"}, "thickness": 14, "outlinewidth": 0},
        hovertemplate="%{x} % of rows, %{y} % of cells: %{z:.3g} % over %{customdata} columns<extra></extra>",
        hoverongaps=False,
    )
    figure = go.Figure(heat)
    style(figure, "rows driven (%)", "cells above the lowest level (%)", height=420)
    figure.update_layout(margin_t=8)
    figure.update_xaxes(range=[0, 100], showgrid=False)
    figure.update_yaxes(range=[0, 100], showgrid=False, showline=True)
    return figure


def _profile(split: str, parts: Sequence[Part], model: str, look_of: Mapping[str, Look]) -> go.Figure:
    """RMSE of every model over the parts of a split, and the largest errors of the one that the card is of."""
    text, unit, factor = SPLITS[split]
    middle = [factor * (part.low + part.high - (split == "column")) / 2 for part in parts]
    figure = go.Figure()
    for name in parts[0].errors:
        look, rmse = look_of[name], [part.errors[name].rmse for part in parts]
        line = {"color": look.colour, "width": 2, "dash": look.dash}
        marker = {"color": look.colour, "symbol": look.marker, "size": 6}
        figure.add_scatter(x=middle, y=rmse, mode="lines+markers", name=safe(name), line=line, marker=marker)
    worst = [part.errors[model].worst for part in parts]
    marker = {"symbol": "line-ew", "size": 12, "line": {"color": look_of[model].colour, "width": 2}}
    figure.add_scatter(x=middle, y=worst, mode="markers", name=f"{safe(model)}, largest", marker=marker)
    style(figure, f"{text} ({unit})" if unit else text, "error of NF (%)", height=320)
    figure.update_traces(hovertemplate="%{x:.3g}: %{y:.3g} %")
    figure.update_yaxes(type="log", tickformat="~g", dtick=1)
    figure.update_layout(showlegend=split == "voltage", margin_t=40 if split == "voltage" else 8)
    return figure


def _rows(split: str, parts: Sequence[Part], model: str) -> list[list[str]]:
    """Part, columns, RMSE, 99th percentile and largest error of the model, RMSE of the others."""
    _, unit, factor = SPLITS[split]
    decimals = significant_decimals(min(part.errors[model].rmse for part in parts))
    rows = []
    for part in parts:
        own, low, high = part.errors[model], factor * part.low, factor * part.high
        ends = f"{low:.0f} to {high - 1:.0f}" if split == "column" else f"{low:.3g} to {high:.3g}"
        cells = [own.rmse, own.p99, own.worst, *(e.rmse for name, e in part.errors.items() if name != model)]
        rows.append([typeset(f"{ends} {unit}".strip()), f"{part.columns:,}", *(fixed(x, decimals) for x in cells)])
    return rows

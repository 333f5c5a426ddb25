"""Energy, latency and area for people: a sentence, tables, and where in the network the energy goes."""

from collections.abc import Sequence

import plotly.graph_objects as go

from geniex.energy import COMPONENTS, EnergyReport
from geniex.report.cells import Cell
from geniex.report.formats import quantity
from geniex.report.plots import safe, style

__all__ = ["SHOWN_FIRST", "energy_by_layer", "energy_rows", "energy_sentence", "layer_rows", "shown_model"]

SHOWN_FIRST = ("circuit", "reduced", "geniex", "linear")
"""Models by how closely they know the currents."""

COLOURS = {
    "array": "#009e73",
    "adc": "#0072b2",
    "dac": "#56b4e9",
    "sample_hold": "#999933",
    "shift_add": "#e69f00",
    "register": "#cc79a7",
    "buffer": "#882255",
}
FAINTEST = 1e-3  # share of the whole that a component has, to be drawn


def shown_model(report: EnergyReport) -> str:
    """The model whose energy stands for the circuit's."""
    return next((name for name in SHOWN_FIRST if name in report.models), report.models[-1])


def energy_sentence(report: EnergyReport) -> str:
    """What an image takes, and what takes most of it."""
    model = shown_model(report)
    parts, total = report.components(model), report.energy(model)
    most = max(parts, key=lambda name: parts[name])
    return (
        f"On crossbars an image takes {quantity(total, 'J')} ({quantity(total / report.macs, 'J')} per product of a "
        f"weight and an input), {_share(parts[most] / total)} of it in {COMPONENTS[most]}, and "
        f"{quantity(report.latency, 's')} with one layer after another; the parts counted take "
        f"{_area(sum(report.area.values()))}."
    )


def energy_rows(report: EnergyReport) -> list[tuple[str, list[Cell]]]:
    """By model: joule per image in all, per product, and by component."""
    rows = []
    for model in report.models:
        parts, total = report.components(model), report.energy(model)
        values = [total, total / report.macs, *(parts[name] for name in COMPONENTS)]
        rows.append((model, [_joule(value) for value in values]))
    return rows


def layer_rows(report: EnergyReport) -> list[tuple[str, list[Cell]]]:
    """By layer: energy, array, crossbars, reads, conversions, latency, area."""
    model, rows = shown_model(report), []
    for layer in report.layers:
        counts = [Cell(f"{round(count):,}", count) for count in (layer.crossbars, layer.reads, layer.conversions)]
        area = sum(layer.area.values())
        measures = [Cell(quantity(layer.latency, "s"), layer.latency), Cell(_area(area), area)]
        rows.append((layer.name, [_joule(layer.energy(model)), _joule(layer.array[model]), *counts, *measures]))
    return rows


def energy_by_layer(report: EnergyReport) -> go.Figure:
    """Stacked bars: the energy of each layer in microjoule, by component, of the model that is closest."""
    model, figure = shown_model(report), go.Figure()
    total, parts = report.energy(model), report.components(model)
    names = [safe(layer.name) for layer in report.layers]
    for component, label in COMPONENTS.items():
        if parts[component] < FAINTEST * total and component != "array":
            continue
        figure.add_trace(_bars(report, component, label, model, names))
    style(figure, "energy per image (µJ)", None, height=120 + 20 * len(names))
    figure.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, ticks="", fixedrange=True)
    return figure


def _bars(report: EnergyReport, component: str, label: str, model: str, names: Sequence[str]) -> go.Bar:
    joule = [layer.array[model] if component == "array" else layer.periphery[component] for layer in report.layers]
    return go.Bar(
        x=[1e6 * value for value in joule],
        y=list(names),
        orientation="h",
        name=label,
        marker_color=COLOURS[component],
        customdata=[quantity(value, "J") for value in joule],
        hovertemplate=f"%{{y}}, {label}: %{{customdata}}<extra></extra>",
    )


def _share(share: float) -> str:
    """In percent; what is nearly all is not all."""
    return f"{100 * share:.1f} %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _joule(value: float) -> Cell:
    return Cell(quantity(value, "J"), value)


def _area(square_metre: float) -> str:
    return f"{1e6 * square_metre:.3g} mm²"

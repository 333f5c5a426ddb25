"""The attribution of a loss for people: tables for the terminal, and a self-contained HTML page."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import yaml
from rich import box
from rich.table import Table
from rich.text import Text

from geniex.attribution.results import Attribution, EffectLoss, LayerLoss, PartError, TileCheck
from geniex.attribution.statistics import Difference
from geniex.report.cells import Cell, prose, typeset
from geniex.report.formats import count, percent, points, significant
from geniex.report.plots import INK, safe, style
from geniex.report.templates import plain, render, write
from geniex.report.words import join

__all__ = ["absent_sentence", "attribution_summary", "attribution_tables", "write_attribution_page"]

WON, LOST = "#0072b2", "#d55e00"
WORST = 20  # tiles, slices and streams on the page
FEW = 5  # in the terminal
ALIKE = 0.005  # two losses
FEW_IMAGES = 0.1  # half the interval of an accuracy, from which on it is said


def attribution_summary(found: Attribution) -> str:
    """What is lost, which effect costs most, and whether effects add up."""
    whole, digital = found.whole, found.digital
    sentences = [
        f"On {count(found.images, 'image')}, the digital network classifies {percent(digital.top1)} % correctly, and "
        f"{percent(whole.top1)} % on crossbars ({found.model}); with all effects of the list switched off, "
        f"{percent(found.nothing.top1)} %."
    ]
    known = (whole.high - whole.low) / 2
    if known > FEW_IMAGES:
        sentences.append(f"So few images tell an accuracy to ±{percent(known)} points: take more before you decide.")
    most = [effect for effect in found.effects if effect.off.low > 0]
    if most:
        won = [f"{points(effect.off.points)} points without {effect.title}" for effect in most[:3]]
        sentences.append(f"Surely won: {join(won)}.")
    else:
        sentences.append(
            "Switching off one effect alone wins nothing for sure: look at the distances, which move with every image, "
            "or take more images."
        )
    helping = [effect.title for effect in found.effects if effect.off.high < 0]
    if helping:
        them = "it offsets" if len(helping) == 1 else "they offset"
        sentences.append(f"Accuracy surely falls without {join(helping)}: {them} other effects.")
    alike = abs(found.lost - found.lost_alone) < ALIKE
    sentences.append(
        f"All effects together cost {percent(found.lost)} points; what each costs alone adds up to "
        f"{percent(found.lost_alone)}{'.' if alike else ': they act on each other.'}"
    )
    if found.layers:
        nearer = sorted(found.layers, key=lambda layer: layer.ideal.distance)[:3]
        moved = [f"{layer.name} ({_signed(layer.ideal.distance)} %)" for layer in nearer]
        sentences.append(f"Ideal crossbars in one layer alone bring the logits nearest to digital in {join(moved)}.")
    return " ".join(sentences)


def absent_sentence(found: Attribution) -> str:
    """Effects that were not looked at; empty where all were."""
    if not found.absent:
        return ""
    ohmic = "; cells of the model `linear` obey Ohm's law by definition" if found.model == "linear" else ""
    return f"Left out, since this configuration has none: {', '.join(found.absent)}{ohmic}."


def attribution_tables(found: Attribution) -> list[Table]:
    """Effects, layers and worst parts, for the terminal."""
    effects = _table("effect", "off alone, points", "distance", "on alone, points", "distance")
    for each in found.effects:
        effects.add_row(Text(each.title), *_texts(each.off), *_texts(each.on))
    tables = [effects]
    if found.layers:
        layers = _table("layer", "ideal alone, points", "distance", "analog alone, points", "distance")
        for layer in found.layers:
            layers.add_row(Text(layer.name), *_texts(layer.ideal), *_texts(layer.analog))
        tables.append(layers)
    worst = _table("worst parts", "", "NF RMS %", "share of the layer's error %")
    for parts in (found.tiles, found.slices, found.streams):
        for part in parts[:FEW]:
            worst.add_row(Text(part.layer), Text(part.part), significant(part.nf_rms), percent(part.share))
    tables.append(worst)
    if found.checks:
        checks = _table("checked tiles", "", "NF %", "exact %", "RMS difference %")
        for check in found.checks[:FEW]:
            numbers = (significant(x) for x in (check.nf_model, check.nf_exact, check.error))
            checks.add_row(Text(check.layer), Text(check.part), *numbers)
        tables.append(checks)
    return tables


def write_attribution_page(found: Attribution, path: str | os.PathLike[str]) -> None:
    """Write the page as one HTML file, whole or not at all.

    Args:
        found: what to show. Text in it is escaped.
        path: of the file; its folder is made if need be.
    """
    config = plain(found.config)
    values: dict[str, Any] = {
        "found": found,
        "summary": prose(attribution_summary(found)),
        "outcomes": _outcomes(found),
        "effect_rows": [(each.title, [*_cells(each.off), *_cells(each.on)]) for each in found.effects],
        "meanings": {each.title: each.meaning for each in found.effects},
        "layer_rows": [(each.name, [*_cells(each.ideal), *_cells(each.analog)]) for each in found.layers],
        "tile_rows": _part_rows(found.tiles),
        "slice_rows": _part_rows(found.slices),
        "stream_rows": _part_rows(found.streams),
        "check_rows": _check_rows(found.checks),
        "absent": prose(absent_sentence(found)),
        "worst": WORST,
        "colours": {},
        "config": config,
        "config_text": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "provenance": plain(found.provenance),
    }
    figures = {"effects": effect_bars(found.effects)}
    if found.layers:
        figures["layers"] = layer_bars(found.layers)
    write(path, render("attribution.html.j2", figures, values))


def effect_bars(effects: Sequence[EffectLoss]) -> go.Figure:
    """Points won without each effect, and lost with it alone, with their 95 % intervals."""
    names = [safe(effect.title) for effect in effects]
    figure = go.Figure()
    for label, differences, colour in (
        ("off alone", [effect.off for effect in effects], WON),
        ("on alone", [effect.on for effect in effects], LOST),
    ):
        ends = [(each.low, each.points, each.high) for each in differences]
        figure.add_trace(_bars(label, names, ends, [_told(each) for each in differences], colour))
    return _styled(figure, "change of accuracy (points)", len(names))


def layer_bars(layers: Sequence[LayerLoss]) -> go.Figure:
    """What each layer does to the distance from the digital network: points tell layers apart on many images only."""
    names = [safe(layer.name) for layer in layers]
    figure = go.Figure()
    for label, differences, colour in (
        ("ideal alone", [layer.ideal for layer in layers], WON),
        ("analog alone", [layer.analog for layer in layers], LOST),
    ):
        ends = [(x.distance - x.distance_error, x.distance, x.distance + x.distance_error) for x in differences]
        figure.add_trace(_bars(label, names, ends, [_told(each) for each in differences], colour))
    return _styled(figure, "change of distance from the digital network (%)", len(names))


def _bars(label: str, names: list[str], ends: list[tuple[float, float, float]], told: list[str], colour: str) -> go.Bar:
    """Bars of shares, in percent, with the ends of their intervals."""
    low, middle, high = (100 * np.array(each) for each in zip(*ends, strict=True))
    return go.Bar(
        x=middle.tolist(),
        y=names,
        name=label,
        orientation="h",
        marker_color=colour,
        error_x={
            "type": "data",
            "array": (high - middle).tolist(),
            "arrayminus": (middle - low).tolist(),
            "color": INK,
            "thickness": 1.2,
            "width": 3,
        },
        customdata=told,
        hovertemplate=f"%{{y}}, {label}: %{{customdata}}<extra></extra>",
    )


def _told(difference: Difference) -> str:
    return f"{points(difference.points)} points, distance {_signed(difference.distance)} %"


def _styled(figure: go.Figure, axis: str, bars: int) -> go.Figure:
    style(figure, axis, None, height=130 + 38 * bars)
    figure.add_vline(0, line={"color": INK, "width": 1})
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, ticks="")
    return figure


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, column in enumerate(columns):
        numbers = bool(k and column)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers)
    return table


def _texts(difference: Difference) -> tuple[str, str]:
    interval = f"({100 * difference.low:+.0f} to {100 * difference.high:+.0f})"
    return f"{points(difference.points)} {interval}", f"{_signed(difference.distance)} %"


def _cells(difference: Difference) -> list[Cell]:
    low, high = typeset(points(difference.low)), typeset(points(difference.high))
    error = f"{100 * difference.distance_error:.2g}"
    return [
        Cell(typeset(points(difference.points)), difference.points),
        Cell(f"{low} to {high}", difference.low),
        Cell(f"{typeset(_signed(difference.distance))} ± {error} %", difference.distance),
    ]


def _signed(share: float) -> str:
    """A change of a distance, in percent."""
    return f"{100 * share:+.2g}" if abs(share) < 0.1 else f"{100 * share:+.1f}"


def _outcomes(found: Attribution) -> list[tuple[str, list[Cell]]]:
    rows = {"digital": found.digital, "all effects": found.whole, "no effect": found.nothing}
    return [
        (
            name,
            [
                Cell(f"{percent(each.top1)} %", each.top1),
                Cell(f"{percent(each.low)} to {percent(each.high)}", each.low),
                Cell(f"{significant(100 * each.distance)} %", each.distance),
            ],
        )
        for name, each in rows.items()
    ]


def _part_rows(parts: Sequence[PartError]) -> list[tuple[str, list[Cell]]]:
    return [
        (
            f"{part.layer}, {part.part}",
            [
                Cell(f"{percent(part.share)} %", part.share),
                Cell(f"{significant(part.nf_rms)} %", part.nf_rms),
                Cell(typeset(f"{part.nf_mean:+.2f} %"), part.nf_mean),
            ],
        )
        for part in parts[:WORST]
    ]


def _check_rows(checks: Sequence[TileCheck]) -> list[tuple[str, list[Cell]]]:
    return [
        (
            f"{check.layer}, {check.part}",
            [
                Cell(typeset(f"{check.nf_model:+.2f} %"), check.nf_model),
                Cell(typeset(f"{check.nf_exact:+.2f} %"), check.nf_exact),
                Cell(f"{significant(check.error)} %", check.error),
            ],
        )
        for check in checks
    ]

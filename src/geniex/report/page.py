"""The HTML page of an evaluation: one file that needs no network, written whole or not at all."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import yaml

from geniex.energy import COMPONENTS
from geniex.evaluation.results import Evaluation, ModelResult, NfSample
from geniex.report.cells import Cell, margin_cell, nf_cells, prose, typeset, with_unit
from geniex.report.energy import energy_by_layer, energy_rows, energy_sentence, layer_rows, shown_model
from geniex.report.formats import DASH, percent, significant
from geniex.report.palette import Look, looks
from geniex.report.plots import (
    accuracy_bars,
    error_against_exact,
    nf_distribution,
    points_shown,
    predicted_against_exact,
)
from geniex.report.templates import plain, render, write
from geniex.report.words import MEANINGS, headline, out_of_range, reads_checked, uncertainty

__all__ = ["render_page", "write_page"]

CONFIG_FILE = "evaluation.yaml"


def write_page(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write the report as one HTML file.

    The file appears under its name only when it is complete: until then an older one stays as it is.

    Args:
        evaluation: what to show.
        path: the file to write; its folder is made if need be.
    """
    write(path, render_page(evaluation))


def render_page(evaluation: Evaluation) -> str:
    """The report as HTML text. Everything that comes from the evaluation is escaped."""
    sample = evaluation.sample if evaluation.sample and any(evaluation.sample.i_ideal) else None
    look_of = looks([*(result.name for result in evaluation.models), *(sample.i_model if sample else ())])
    config, several = plain(evaluation.config), any(result.chips for result in evaluation.models)
    values = {
        "evaluation": evaluation,
        "headline": prose(headline(evaluation)),
        "uncertainty": prose(uncertainty(evaluation.models)),
        "accuracy_rows": [(result.name, _accuracy_cells(result, several)) for result in evaluation.models],
        "several_chips": several,
        "error_rows": [(result.name, nf_cells(result.nf)) for result in evaluation.models if result.nf],
        "reads": reads_checked(evaluation.models),
        "out_of_range": prose(out_of_range(evaluation.models)),
        "colours": {name: look.colour for name, look in look_of.items()},
        "meanings": {result.name: MEANINGS[result.name] for result in evaluation.models if result.name in MEANINGS},
        "points_shown": points_shown(sample) if sample else None,
        **_energy(evaluation),
        "config": config,
        "config_text": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "config_file": CONFIG_FILE,
        "provenance": plain(evaluation.provenance),
    }
    figures = _figures(evaluation.models, sample, look_of)
    if evaluation.energy is not None and evaluation.energy.layers:
        figures["energy"] = energy_by_layer(evaluation.energy)
    return render("page.html.j2", figures, values)


def _energy(evaluation: Evaluation) -> dict[str, Any]:
    """What the section of energy shows."""
    report = evaluation.energy
    if report is None or not report.layers:
        return {"energy": None}
    return {
        "energy": report,
        "energy_sentence": prose(energy_sentence(report)),
        "energy_rows": energy_rows(report),
        "layer_rows": layer_rows(report),
        "energy_model": shown_model(report),
        "components": list(COMPONENTS.values()),
    }


def _figures(
    models: Sequence[ModelResult], sample: NfSample | None, look_of: Mapping[str, Look]
) -> dict[str, go.Figure]:
    """Every figure that this evaluation allows."""
    figures = {"accuracy": accuracy_bars(models, look_of)}
    if sample:
        figures["nf"] = nf_distribution(sample, look_of)
        figures["error"] = error_against_exact(sample, look_of)
        figures["predicted"] = predicted_against_exact(sample, look_of)
    return figures


def _accuracy_cells(result: ModelResult, several_chips: bool) -> list[Cell]:
    nf = result.nf.rmse if result.nf else None
    return [
        Cell(f"{percent(result.top1)} %", result.top1),
        Cell(f"{percent(result.low)} to {percent(result.high)}", result.low),
        *(_chip_cells(result) if several_chips else []),
        margin_cell(result.against.get("digital"), result.difference),
        Cell(with_unit(percent(result.agreement), "%"), result.agreement),
        Cell(with_unit(significant(nf), "%"), nf),
        Cell(with_unit(significant(result.seconds_per_image), "s"), result.seconds_per_image),
        Cell(f"{result.images:,}", result.images),
    ]


def _chip_cells(result: ModelResult) -> list[Cell]:
    """Chips, and the spread of the accuracy over them; dashes of a model that was measured once."""
    chips = len(result.chips) or None
    return [Cell(typeset(str(chips or DASH)), chips), Cell(typeset(percent(result.spread)), result.spread)]

"""The HTML page of an evaluation: one file that needs no network, written whole or not at all."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from geniex.evaluation.results import Evaluation, ModelResult, NfSample
from geniex.files import replacing
from geniex.report.formats import DASH, fixed, percent, points, significant, significant_decimals
from geniex.report.palette import Look, looks
from geniex.report.plots import (
    accuracy_bars,
    error_against_exact,
    nf_distribution,
    points_shown,
    predicted_against_exact,
)
from geniex.report.words import MEANINGS, headline, reads_checked, uncertainty

__all__ = ["render_page", "write_page"]

CONFIG_FILE = "evaluation.yaml"


class Cell(NamedTuple):
    """A number in a table of the page: its text, and the value that its column is sorted by (None comes last)."""

    text: str
    value: float | None


def write_page(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write the report as one HTML file.

    The file appears under its name only when it is complete: until then an older one stays as it is.

    Args:
        evaluation: what to show.
        path: the file to write; its folder is made if need be.
    """
    text = render_page(evaluation)
    with replacing(Path(path)) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def render_page(evaluation: Evaluation) -> str:
    """The report as HTML text. Everything that comes from the evaluation is escaped."""
    environment = Environment(
        loader=PackageLoader("geniex.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sample = evaluation.sample if evaluation.sample and any(evaluation.sample.i_ideal) else None
    look_of = looks([*(result.name for result in evaluation.models), *(sample.i_model if sample else ())])
    config = _plain(evaluation.config)
    return environment.get_template("page.html.j2").render(
        evaluation=evaluation,
        headline=_prose(headline(evaluation)),
        uncertainty=_prose(uncertainty(evaluation.models)),
        accuracy_rows=[(result.name, _accuracy_cells(result)) for result in evaluation.models],
        error_rows=[(result.name, _error_cells(result)) for result in evaluation.models if result.nf],
        reads=reads_checked(evaluation.models),
        colours={name: look.colour for name, look in look_of.items()},
        meanings={result.name: MEANINGS[result.name] for result in evaluation.models if result.name in MEANINGS},
        points_shown=points_shown(sample) if sample else None,
        figures=_figures(evaluation.models, sample, look_of),
        config=config,
        config_text=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        config_file=CONFIG_FILE,
        provenance=_plain(evaluation.provenance),
        plotly_js=get_plotlyjs(),
    )


def _figures(models: Sequence[ModelResult], sample: NfSample | None, look_of: Mapping[str, Look]) -> dict[str, Any]:
    """Plotly's own JSON of every figure that this evaluation allows."""
    figures = {"accuracy": accuracy_bars(models, look_of)}
    if sample:
        figures["nf"] = nf_distribution(sample, look_of)
        figures["error"] = error_against_exact(sample, look_of)
        figures["predicted"] = predicted_against_exact(sample, look_of)
    return {name: json.loads(json.dumps(figure, cls=PlotlyJSONEncoder)) for name, figure in figures.items()}


def _accuracy_cells(result: ModelResult) -> list[Cell]:
    nf = result.nf.rmse if result.nf else None
    return [
        Cell(f"{percent(result.top1)} %", result.top1),
        Cell(f"{percent(result.low)} to {percent(result.high)}", result.low),
        Cell(_typeset(points(result.difference)), result.difference),
        Cell(_with_unit(percent(result.agreement), "%"), result.agreement),
        Cell(_with_unit(significant(nf), "%"), nf),
        Cell(_with_unit(significant(result.seconds_per_image), "s"), result.seconds_per_image),
        Cell(f"{result.images:,}", result.images),
    ]


def _error_cells(result: ModelResult) -> list[Cell]:
    nf = result.nf
    if nf is None:
        return []
    decimals = significant_decimals(nf.rmse)
    return [
        Cell(f"{fixed(nf.rmse, decimals)} %", nf.rmse),
        Cell(f"{fixed(nf.low, decimals)} to {fixed(nf.high, decimals)}", nf.low),
        Cell(f"{fixed(nf.p99, decimals)} %", nf.p99),
        Cell(f"{fixed(nf.worst, decimals)} %", nf.worst),
        Cell(f"{nf.reads:,}", nf.reads),
        Cell(f"{nf.columns:,}", nf.columns),
    ]


def _with_unit(number: str, unit: str) -> str:
    return _typeset(number) if number == DASH else f"{number} {unit}"


def _typeset(number: str) -> str:
    """A number with the minus sign, and the dash, that belong in print."""
    return "\N{EN DASH}" if number == DASH else number.replace("-", "\N{MINUS SIGN}")


def _prose(sentence: str) -> str:
    """A sentence whose numbers keep their units on the same line, and their minus signs."""
    joined = sentence.replace(" %", "\N{NO-BREAK SPACE}%").replace(" points", "\N{NO-BREAK SPACE}points")
    return joined.replace("(-", "(\N{MINUS SIGN}")


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree of dictionaries, lists, numbers and texts; anything else, such as a path, as text."""
    return json.loads(json.dumps(tree, default=str))

"""The results as a table for the terminal. Plain ASCII inside the cells, so that it prints on any console."""

from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from geniex.energy import EnergyReport
from geniex.evaluation.results import Evaluation, ModelResult, NfError
from geniex.report.formats import (
    DASH,
    fixed,
    half_interval,
    percent,
    points,
    quantity,
    significant,
    significant_decimals,
)
from geniex.report.points import StudyPage, StudyResult, closest
from geniex.report.words import out_of_range, over_chips

__all__ = ["energy_table", "errors_table", "results_table", "study_table"]

HEADERS = (
    "top-1 %\n(95 % interval)",
    "vs digital\npoints",
    "agree\n%",
    "s per\nimage",
    "NF error RMSE %\n(95 % interval)",
    "reads",
)
ENERGY_HEADERS = ("energy per\nimage", "arrays", "ADCs", "DACs", "other")


def results_table(evaluation: Evaluation) -> Table:
    """One row per model: accuracy, time, and error of the NF against the exact circuit.

    Below stands how far chips differ where several were measured, and what lies outside of a model's range.

    Args:
        evaluation: what to show. Text in it is printed as it is, never as markup.
    """
    table = Table(title=Text(evaluation.title), box=box.SIMPLE_HEAD, padding=0, title_justify="left")
    if notes := [note for note in (over_chips(evaluation.models), out_of_range(evaluation.models)) if note]:
        table.caption, table.caption_justify = Text("\n".join(notes)), "left"
    table.add_column("model", overflow="fold", min_width=7)
    for header in HEADERS:
        table.add_column(header, justify="right", no_wrap=True)
    for result in evaluation.models:
        table.add_row(*(Text(cell) for cell in _cells(result)))
    return table


def energy_table(report: EnergyReport) -> Table:
    """One row per model: joule per image, in all and by component."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("model", overflow="fold", min_width=7)
    for header in ENERGY_HEADERS:
        table.add_column(header, justify="right", no_wrap=True)
    for model in report.models:
        parts, total = report.components(model), report.energy(model)
        named = [parts[name] for name in ("array", "adc", "dac")]
        table.add_row(Text(model), *(quantity(value, "J") for value in (total, *named, total - sum(named))))
    return table


def study_table(page: StudyPage, last: int | None = None) -> Table:
    """One row per point: top-1 in percent and half its interval under each model, energy per image.

    Args:
        page: of the study.
        last: number of rows, of the points that are done or failed the last ones; None is all of all points.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=Text(page.title), title_justify="left")
    table.add_column("point", overflow="fold", min_width=12)
    models = page.models or page.study.get("models", [])  # those asked for, before there is a result
    model = closest(models)
    for name in models:
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.add_column("energy" if model is None else f"energy\n({model})", justify="right", no_wrap=True)
    known = [point for point in page.points if point.results or point.error is not None]
    for point in page.points if last is None else known[-last:]:
        if not point.results:
            state = "pending" if point.error is None else "failed"
            table.add_row(Text(point.label), *[""] * len(models), state)
            continue
        cells = (point.results.get(name) for name in models)
        energy = point.results[model].energy if model in point.results else None
        table.add_row(Text(point.label), *map(_accuracy, cells), quantity(energy, "J"))
    return table


def errors_table(title: str, errors: Mapping[str, NfError]) -> Table:
    """One row per model: error of the NF against the exact circuit, in percent.

    Args:
        title: printed as it is.
        errors: by model.
    """
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("model", "RMSE", "95 % interval", "99th percentile", "largest", "reads"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, error in errors.items():
        decimals = significant_decimals(error.rmse)
        rmse, low, high, p99, worst = (
            fixed(x, decimals) for x in (error.rmse, error.low, error.high, error.p99, error.worst)
        )
        table.add_row(Text(name), rmse, f"{low} to {high}", p99, worst, f"{error.reads}")
    return table


def _accuracy(result: StudyResult | None) -> str:
    """Top-1 and half its interval; the interval itself where that is too lopsided for a half."""
    if result is None:
        return DASH
    half = half_interval(result.top1, result.low, result.high)
    if half is None:
        return f"{percent(result.low)}-{percent(result.high)}"
    return f"{percent(result.top1)} ±{percent(half)}"


def _cells(result: ModelResult) -> tuple[str, ...]:
    return (
        result.name,
        f"{percent(result.top1)} ({percent(result.low)}-{percent(result.high)})",
        points(result.difference),
        percent(result.agreement),
        significant(result.seconds_per_image),
        *_nf_cells(result.nf),
    )


def _nf_cells(nf: NfError | None) -> tuple[str, str]:
    if nf is None:
        return DASH, DASH
    decimals = significant_decimals(nf.rmse)
    low, high = fixed(nf.low, decimals), fixed(nf.high, decimals)
    return f"{fixed(nf.rmse, decimals)} ({low}-{high})", f"{nf.reads}"

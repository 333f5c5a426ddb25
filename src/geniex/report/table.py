"""The results as a table for the terminal. Plain ASCII inside the cells, so that it prints on any console."""

from rich import box
from rich.table import Table
from rich.text import Text

from geniex.evaluation.results import Evaluation, ModelResult, NfError
from geniex.report.formats import DASH, fixed, percent, points, significant, significant_decimals
from geniex.report.words import out_of_range

__all__ = ["results_table"]

HEADERS = (
    "top-1 %\n(95 % interval)",
    "vs digital\npoints",
    "agree\n%",
    "s per\nimage",
    "NF error RMSE %\n(95 % interval)",
    "reads",
)


def results_table(evaluation: Evaluation) -> Table:
    """One row per model: accuracy, time, and error of the NF against the exact circuit.

    Args:
        evaluation: what to show. Text in it is printed as it is, never as markup.
    """
    table = Table(title=Text(evaluation.title), box=box.SIMPLE_HEAD, padding=0, title_justify="left")
    if outside := out_of_range(evaluation.models):
        table.caption, table.caption_justify = Text(outside), "left"
    table.add_column("model", overflow="fold")
    for header in HEADERS:
        table.add_column(header, justify="right", no_wrap=True)
    for result in evaluation.models:
        table.add_row(*(Text(cell) for cell in _cells(result)))
    return table


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

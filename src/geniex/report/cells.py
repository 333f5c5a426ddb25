"""Numbers in the tables of a page, typeset: text to read, and a value to sort by."""

import re
from typing import NamedTuple

from geniex.evaluation.results import Margin
from geniex.nf import NfError
from geniex.report.formats import DASH, between, fixed, points, significant_decimals

__all__ = ["Cell", "margin_cell", "nf_cells", "prose", "typeset", "with_unit"]

UNITS = re.compile(r"(?<=\d) (?=%|points|[afpnµmkMG]?[Js]\b|mm²)")
"""Spaces between a number and its unit."""
SIGNS = re.compile(r"(?<=[ (])-(?=\d)")


class Cell(NamedTuple):
    """A number in a table of the page: its text, and the value that its column is sorted by (None comes last)."""

    text: str
    value: float | None


def nf_cells(nf: NfError, decimals: int | None = None) -> list[Cell]:
    """RMSE, its interval, 99th percentile, largest error, reads and columns; None is 3 significant digits of RMSE."""
    decimals = significant_decimals(nf.rmse) if decimals is None else decimals
    return [
        Cell(f"{fixed(nf.rmse, decimals)} %", nf.rmse),
        Cell(f"{fixed(nf.low, decimals)} to {fixed(nf.high, decimals)}", nf.low),
        Cell(f"{fixed(nf.p99, decimals)} %", nf.p99),
        Cell(f"{fixed(nf.worst, decimals)} %", nf.worst),
        Cell(f"{nf.reads:,}", nf.reads),
        Cell(f"{nf.columns:,}", nf.columns),
    ]


def margin_cell(margin: Margin | None, difference: float | None) -> Cell:
    """A difference of accuracies in points, with its 95 % interval where that is known."""
    interval = "" if margin is None else f" ({between(margin.low, margin.high)})"
    return Cell(typeset(f"{points(difference)}{interval}"), difference)


def with_unit(number: str, unit: str) -> str:
    """A number before its unit; a dash has none."""
    return typeset(number) if number == DASH else f"{number} {unit}"


def typeset(number: str) -> str:
    """A number with the minus sign, and the dash, that belong in print."""
    return "\N{EN DASH}" if number == DASH else number.replace("-", "\N{MINUS SIGN}")


def prose(sentence: str) -> str:
    """A sentence whose numbers keep their units on the same line, and their minus signs."""
    return SIGNS.sub("\N{MINUS SIGN}", UNITS.sub("\N{NO-BREAK SPACE}", sentence))

"""Rows of the tables of a study: per point, and per point and model."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from geniex.report.cells import Cell, margin_cell, typeset, with_unit
from geniex.report.formats import DASH, percent, quantity, significant, square_millimetres
from geniex.report.points import StudyPage, StudyResult

__all__ = ["Column", "measured", "point_rows", "result_rows"]


class Column(NamedTuple):
    """A column of the tables that is shown if any result has it."""

    title: str
    of: Callable[[StudyResult], Cell]
    of_point: bool = False

    def cell(self, result: StudyResult | None) -> Cell:
        """Its number of a result."""
        return Cell(typeset(DASH), None) if result is None else self.of(result)


def _plain(of: Callable[[StudyResult], float | None], text: Callable[[float | None], str]) -> Callable:
    """The cell of a number that is shown as it is."""
    return lambda result: Cell(typeset(text(of(result))), of(result))


COLUMNS = (
    Column(
        "Difference to digital, points", lambda result: margin_cell(result.against.get("digital"), result.difference)
    ),
    Column("NF error, RMSE", _plain(lambda result: result.nf_error, lambda value: with_unit(significant(value), "%"))),
    Column("Energy per image", _plain(lambda result: result.energy, lambda value: quantity(value, "J")), of_point=True),
    Column("Latency", _plain(lambda result: result.latency, lambda value: quantity(value, "s")), of_point=True),
    Column("Area", _plain(lambda result: result.area, square_millimetres), of_point=True),
)


def measured(results: Iterable[StudyResult]) -> list[Column]:
    """The columns that any result has a number for."""
    known = list(results)
    return [column for column in COLUMNS if any(column.of(result).value is not None for result in known)]


def point_rows(page: StudyPage, columns: Sequence[Column], model: str | None) -> list[tuple[str, list[Cell]]]:
    """A row per point: accuracies by model, and what one image takes with `model`."""
    return [
        (
            point.label,
            [
                *(_accuracy(point.results.get(name)) for name in page.models),
                *(column.cell(point.results.get(model or "")) for column in columns if column.of_point),
            ],
        )
        for point in page.done
    ]


def result_rows(page: StudyPage, columns: Sequence[Column]) -> list[tuple[str, list[Cell]]]:
    """A row per point and model."""
    return [
        (
            f"{point.label} · {name}",
            [
                _accuracy(result),
                Cell(f"{percent(result.low)} to {percent(result.high)}", result.low),
                Cell(f"{result.images:,}", result.images),
                *(column.cell(result) for column in columns),
            ],
        )
        for point in page.done
        for name, result in point.results.items()
    ]


def _accuracy(result: StudyResult | None) -> Cell:
    return Cell(typeset(DASH), None) if result is None else Cell(f"{percent(result.top1)} %", result.top1)

"""Rows of the tables of a study: per point, and per point and model."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from geniex.report.cells import Cell, typeset, with_unit
from geniex.report.formats import DASH, percent, points, quantity, significant
from geniex.report.points import StudyPage, StudyResult

__all__ = ["Column", "measured", "point_rows", "result_rows"]


def _square_millimetres(area: float | None) -> str:
    """An area in square metre as text."""
    return DASH if area is None else f"{1e6 * area:.3g} mm²"


class Column(NamedTuple):
    """A column of the tables that is shown if any result has it."""

    title: str
    of: Callable[[StudyResult], float | None]
    text: Callable[[float | None], str]
    of_point: bool = False

    def cell(self, result: StudyResult | None) -> Cell:
        """Its number of a result."""
        value = None if result is None else self.of(result)
        return Cell(typeset(self.text(value)), value)


COLUMNS = (
    Column("Difference to digital, points", lambda result: result.difference, points),
    Column("NF error, RMSE", lambda result: result.nf_error, lambda value: with_unit(significant(value), "%")),
    Column("Energy per image", lambda result: result.energy, lambda value: quantity(value, "J"), of_point=True),
    Column("Latency", lambda result: result.latency, lambda value: quantity(value, "s"), of_point=True),
    Column("Area", lambda result: result.area, _square_millimetres, of_point=True),
)


def measured(results: Iterable[StudyResult]) -> list[Column]:
    """The columns that any result has a number for."""
    known = list(results)
    return [column for column in COLUMNS if any(column.of(result) is not None for result in known)]


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

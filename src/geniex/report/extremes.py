"""Best and worst points of each model of a study, and where two models are furthest apart."""

from collections.abc import Sequence
from typing import NamedTuple

from geniex.report.formats import between, percent, points
from geniex.report.points import StudyPoint, StudyResult

__all__ = ["Extreme", "best", "furthest", "worst"]


class Extreme(NamedTuple):
    """A number that stands out, as text.

    Attributes:
        value: an accuracy in percent, or a difference in points.
        interval: its 95 % interval.
        at: label of its point.
    """

    value: str
    interval: str
    at: str


def best(model: str, done: Sequence[StudyPoint]) -> Extreme:
    """The highest accuracy of a model that is in some of the points."""
    return _accuracy(*max(_of(model, done), key=lambda pair: pair[1].top1))


def worst(model: str, done: Sequence[StudyPoint]) -> Extreme:
    """The lowest accuracy of a model that is in some of the points."""
    return _accuracy(*min(_of(model, done), key=lambda pair: pair[1].top1))


def furthest(model: str, reference: str, done: Sequence[StudyPoint]) -> Extreme | None:
    """Where a model differs most from another one, and by how much; None where no point has both."""
    margins = [
        (point.results[model].against[reference], point.label)
        for point in done
        if model in point.results and reference in point.results[model].against
    ]
    if not margins:
        return None
    margin, label = max(margins, key=lambda each: abs(each[0].points))
    return Extreme(f"{points(margin.points)} points", between(margin.low, margin.high), label)


def _of(model: str, done: Sequence[StudyPoint]) -> list[tuple[StudyPoint, StudyResult]]:
    return [(point, point.results[model]) for point in done if model in point.results]


def _accuracy(point: StudyPoint, result: StudyResult) -> Extreme:
    return Extreme(f"{percent(result.top1)} %", f"{percent(result.low)} to {percent(result.high)}", point.label)

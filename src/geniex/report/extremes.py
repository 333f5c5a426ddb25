"""Best and worst points of each model of a study, and where two models are furthest apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from geniex.report.formats import percent, points
from geniex.report.points import StudyPoint, StudyResult

__all__ = ["Extreme", "best", "furthest", "gap_interval", "worst"]


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
    both = [point for point in done if {model, reference} <= set(point.results)]
    if not both or model == reference:
        return None
    point = max(both, key=lambda point: abs(point.results[model].top1 - point.results[reference].top1))
    low, high = gap_interval(point.results[model], point.results[reference])
    gap = point.results[model].top1 - point.results[reference].top1
    return Extreme(f"{points(gap)} points", f"{points(low)} to {points(high)}", point.label)


def gap_interval(result: StudyResult, reference: StudyResult) -> tuple[float, float]:
    """95 % interval of a difference of two accuracies, from the intervals of both (Newcombe 1998, method 10).

    It takes them as if of different images. Models that err on the same ones differ by less, so it is too wide, never
    too narrow, as long as they agree more than by chance.
    """
    gap = result.top1 - reference.top1
    below = math.hypot(result.top1 - result.low, reference.high - reference.top1)
    above = math.hypot(result.high - result.top1, reference.top1 - reference.low)
    return gap - below, gap + above


def _of(model: str, done: Sequence[StudyPoint]) -> list[tuple[StudyPoint, StudyResult]]:
    return [(point, point.results[model]) for point in done if model in point.results]


def _accuracy(point: StudyPoint, result: StudyResult) -> Extreme:
    return Extreme(f"{percent(result.top1)} %", f"{percent(result.low)} to {percent(result.high)}", point.label)

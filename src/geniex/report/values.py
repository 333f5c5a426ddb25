"""Values of an axis of a study, which can be numbers, names or lists: their order, texts and places on a scale."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from geniex.report.plots import safe

__all__ = ["MARKS", "Scale", "are_numbers", "distinct", "key_of", "over_decades", "text_of"]

DECADE = 10.0  # numbers further apart than this have a logarithmic axis
MARKS = 8  # of a scale: more values are marked at its ends alone
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
SHORT = 1e4  # numbers below it have no prefix
APART = 0.05  # share of a scale between two marks, so that their texts do not meet


def key_of(value: Any) -> str:
    """What two values have in common that are the same; lists cannot be keys of dictionaries."""
    return json.dumps(value)


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once: numbers by size, others in the order in which they come."""
    found = list({key_of(value): value for value in values}.values())
    return sorted(found) if are_numbers(found) else found


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all are numbers; yes and no are none."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def over_decades(values: Sequence[float]) -> bool:
    """Whether numbers span so much that only a logarithmic axis shows them."""
    return min(values) > 0 and max(values) / min(values) >= DECADE


def text_of(value: Any) -> str:
    """A value as plotly draws it: numbers to 4 digits, large ones as `300k`, nothing as `none`."""
    if value is None:
        return "none"
    if are_numbers([value]):
        scale, prefix = next(((s, p) for s, p in PREFIXES if abs(value) >= max(s, SHORT)), (1.0, ""))
        return f"{float(f'{value / scale:.4g}'):.10g}{prefix}"
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return safe(value if isinstance(value, str) else json.dumps(value))


class Scale:
    """An axis from 0 to 1: numbers in proportion, or of their logarithms over decades; others by their order."""

    def __init__(self, values: Sequence[Any]) -> None:
        """Span `values`."""
        shown = distinct(values)
        self._numeric = are_numbers(shown)
        self._log = self._numeric and over_decades(shown)
        self._ranks = {key_of(value): rank for rank, value in enumerate(shown)}
        ends = [self._number(value) for value in shown]
        self._low, self._span = min(ends), (max(ends) - min(ends)) or 1.0
        self.marks = self._apart(shown if len(shown) <= MARKS else [shown[0], shown[-1]])
        """Places and texts."""

    def place(self, value: Any) -> float:
        """Where a value lies."""
        return (self._number(value) - self._low) / self._span

    def _number(self, value: Any) -> float:
        if not self._numeric:
            return float(self._ranks[key_of(value)])
        return math.log10(value) if self._log else float(value)

    def _apart(self, values: Sequence[Any]) -> list[tuple[float, str]]:
        first, *rest = [(self.place(value), text_of(value)) for value in values]
        kept = [first]
        for mark in rest[:-1]:
            if mark[0] - kept[-1][0] >= APART and rest[-1][0] - mark[0] >= APART:
                kept.append(mark)
        return [*kept, *rest[-1:]]

"""One look per model, the same in every plot and table: a colour of the Okabe-Ito set, a dash and a marker.

Colours stay apart for colour-blind readers; dashes and markers stay apart in black and white.
"""

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["EXACT_FILL", "EXACT_LINE", "Look", "looks"]

EXACT_FILL = "#d5d9de"
EXACT_LINE = "#9aa3ad"


class Look(NamedTuple):
    """How a model is drawn, in plotly's words."""

    colour: str
    dash: str
    marker: str


KNOWN = {
    "digital": Look("#808890", "solid", "square"),
    "ideal": Look("#56b4e9", "dot", "diamond"),
    "linear": Look("#e69f00", "dash", "triangle-up"),
    "geniex": Look("#0072b2", "solid", "circle"),
    "reduced": Look("#cc79a7", "dashdot", "x"),
    "circuit": Look("#009e73", "longdash", "cross"),
}
OTHERS = (
    Look("#d55e00", "longdashdot", "triangle-down"),
    Look("#332288", "dash", "pentagon"),
    Look("#882255", "dot", "star"),
    Look("#999933", "solid", "hexagon"),
)


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for every name: fixed for the models that geniex names, in turn for all others."""
    others = [name for name in dict.fromkeys(names) if name not in KNOWN]
    return KNOWN | {name: OTHERS[position % len(OTHERS)] for position, name in enumerate(others)}

"""What a crossbar is made of.

The crossbar of GENIEx (arXiv 2003.06902), section 2: word line `i` is driven at its first column through `r_source`,
bit line `j` is held at 0 V behind its last row through `r_sink`, and neighbouring cells are one wire segment apart.
Either kind of line can have a second driver or sense amplifier of the same resistance at its other end.
"""

import math
from dataclasses import dataclass

__all__ = ["CrossbarSpec"]


@dataclass(frozen=True)
class CrossbarSpec:
    """Geometry and parasitic resistances of a crossbar. Zero resistances are exact limits, not special cases.

    Attributes:
        rows: number of word lines (inputs).
        cols: number of bit lines (outputs).
        r_source: driver of each word line, in ohm.
        r_sink: sense amplifier of each bit line, in ohm.
        r_row: word-line wire between neighbouring cells, in ohm.
        r_col: bit-line wire between neighbouring cells, in ohm.
        driven_ends: 1 drives each word line before its first column; 2 also behind its last, at the same voltage.
        sensed_ends: 1 senses each bit line behind its last row; 2 also before its first. The currents are added.
    """

    rows: int
    cols: int
    r_source: float = 500.0
    r_sink: float = 100.0
    r_row: float = 2.5
    r_col: float = 2.5
    driven_ends: int = 1
    sensed_ends: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            count = getattr(self, name)
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"`CrossbarSpec({name}=...)` must be a whole number of at least 1; got {count!r}.")
        for name in ("r_source", "r_sink", "r_row", "r_col"):
            ohm = getattr(self, name)
            if not (math.isfinite(ohm) and ohm >= 0):
                raise ValueError(f"`CrossbarSpec({name}=...)` must be finite and at least 0; got {ohm} ohm.")
        for name in ("driven_ends", "sensed_ends"):
            ends = getattr(self, name)
            if ends not in (1, 2):
                raise ValueError(f"`CrossbarSpec({name}=...)` must be 1 or 2; got {ends!r}.")

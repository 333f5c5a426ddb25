"""What a crossbar is made of (`CrossbarSpec`) and what solving it returns (`Solution`).

The crossbar of GENIEx (arXiv 2003.06902), section 2: word line `i` is driven at its first column through `r_source`,
bit line `j` is held at 0 V behind its last row through `r_sink`, and neighbouring cells are one wire segment apart.
"""

import math
from dataclasses import dataclass, fields

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["CrossbarSpec", "Solution"]


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
    """

    rows: int
    cols: int
    r_source: float = 500.0
    r_sink: float = 100.0
    r_row: float = 2.5
    r_col: float = 2.5

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            count = getattr(self, name)
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"`CrossbarSpec({name}=...)` must be a whole number of at least 1; got {count!r}.")
        for field in fields(self)[2:]:
            ohm = getattr(self, field.name)
            if not (math.isfinite(ohm) and ohm >= 0):
                raise ValueError(f"`CrossbarSpec({field.name}=...)` must be finite and at least 0; got {ohm} ohm.")


@dataclass(frozen=True)
class Solution:
    """Operating points of a batch of crossbars, and how well each was solved.

    Attributes:
        i: column currents into the sense amplifiers, in ampere.
        u: voltage over each cell, in volt.
        residual: largest violation of Kirchhoff's laws in each circuit, in volt.
        steps: Newton steps that each circuit took.
        converged: whether the residual reached the tolerance.
    """

    i: Float[Tensor, "*batch input col"]
    u: Float[Tensor, "*batch input row col"]
    residual: Float[Tensor, "*batch input"]
    steps: Int[Tensor, "*batch input"]
    converged: Bool[Tensor, "*batch input"]

"""Functions for the scalar form of cells, of which the compiled solver has forms that work on many cells at once."""

import math
from typing import no_type_check

__all__ = ["like", "resolution", "sinh_cosh"]

LARGEST = 708.0  # beyond it, float64 overflows


def like(value: float, x: float) -> float:
    """`value` in the precision of `x`: a plain 0.5 would make float64 of all that it touches."""
    return value


def resolution(x: float) -> float:
    """What a step of Newton's method may be, as a share of `x`, to leave no error but rounding: sqrt(eps) / 8."""
    return 1.8626451492309570e-09


@no_type_check
def sinh_cosh(x):
    """Hyperbolic sine and cosine of a number; those of +-708 beyond (compiled in float32: of +-87)."""
    x = min(max(x, -LARGEST), LARGEST)
    return math.sinh(x), math.cosh(x)

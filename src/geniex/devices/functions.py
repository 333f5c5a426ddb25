"""Functions for the scalar form of cells, of which the compiled solver has forms that work on many cells at once."""

import math
from typing import no_type_check

__all__ = ["sinh_cosh"]

LARGEST = 708.0  # beyond it, float64 overflows


@no_type_check
def sinh_cosh(x):
    """Hyperbolic sine and cosine of a number; those of +-708 beyond (compiled in float32: of +-87)."""
    x = min(max(x, -LARGEST), LARGEST)
    return math.sinh(x), math.cosh(x)

"""Numbers as text, the same way in the terminal and on the page. A value that does not exist is a dash."""

import math

__all__ = ["DASH", "count", "fixed", "percent", "points", "significant", "significant_decimals"]

DASH = "-"


def fixed(value: float | None, decimals: int) -> str:
    """A number with this many decimals; one too small for them is shown as below the last digit, never as 0."""
    if value is None:
        return DASH
    smallest = 10.0**-decimals
    if 0 < value < smallest / 2:
        return f"<{smallest:.{decimals}f}"
    return f"{value:.{decimals}f}"


def significant_decimals(value: float, digits: int = 3) -> int:
    """Decimals, 0 to 4, that show `digits` significant digits of `value`."""
    if value == 0:
        return 1
    return min(4, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def significant(value: float | None, digits: int = 3) -> str:
    """A number of at least 0 with `digits` significant digits, at most 4 of them decimals."""
    return DASH if value is None else fixed(value, significant_decimals(value, digits))


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent, without the sign, to a tenth."""
    return DASH if share is None else f"{100 * share:.1f}"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, signed, to a tenth."""
    if difference is None:
        return DASH
    rounded = round(100 * difference, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def count(number: int, noun: str) -> str:
    """`1 image`, `1,300 images`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

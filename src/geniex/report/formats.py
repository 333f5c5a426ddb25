"""Numbers as text, the same way in the terminal and on the page. A value that does not exist is a dash."""

import math

__all__ = [
    "DASH",
    "between",
    "count",
    "fixed",
    "half_interval",
    "percent",
    "points",
    "quantity",
    "significant",
    "significant_decimals",
    "square_millimetres",
]

DASH = "-"
PREFIXES = ("a", "f", "p", "n", "µ", "m", "", "k", "M", "G")
UNIT_PREFIX = PREFIXES.index("")


def fixed(value: float | None, decimals: int) -> str:
    """A number with this many decimals; one too small for them is shown as below the last digit, never as 0."""
    if value is None:
        return DASH
    smallest = 10.0**-decimals
    if 0 < value < smallest / 2:
        return f"<{smallest:.{decimals}f}"
    return f"{value:.{decimals}f}"


def half_interval(share: float, low: float, high: float) -> float | None:
    """Half the interval from `low` to `high` around a share; None where it is too lopsided for a half."""
    half = (high - low) / 2
    return half if half <= min(share, 1 - share) else None


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


def between(low: float, high: float) -> str:
    """The ends of an interval of a difference of two shares, in percentage points."""
    return f"{points(low)} to {points(high)}"


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """A quantity of at least 0 with the prefix that brings it between 1 and 1000, as `23.4 mJ`."""
    if value is None:
        return DASH
    if value == 0:
        return f"0 {unit}"
    power = min(len(PREFIXES) - 1, max(0, math.floor(math.log10(value) / 3) + UNIT_PREFIX))
    scaled = float(f"{value / 1000.0 ** (power - UNIT_PREFIX):.{digits}g}")
    if scaled >= 1000 and power + 1 < len(PREFIXES):
        scaled, power = scaled / 1000, power + 1
    decimals = max(0, digits - 1 - math.floor(math.log10(scaled))) if scaled >= 1 else digits
    return f"{scaled:.{decimals}f} {PREFIXES[power]}{unit}"


def square_millimetres(area: float | None) -> str:
    """An area in square metre as text."""
    return DASH if area is None else f"{1e6 * area:.3g} mm²"


def count(number: int, noun: str) -> str:
    """`1 image`, `1,300 images`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

"""Numbers that describe effects: what is allowed, and what is said of the others."""

import math

__all__ = ["check_above_zero", "check_at_least_zero"]


def check_at_least_zero(argument: str, value: float, unit: str = "") -> None:
    """Raise ValueError unless `value` is finite and at least 0.

    Args:
        argument: as the user typed it, such as `RelativeSpread(std=...)`.
        value: the number.
        unit: of the number, with a space before.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"`{argument}` must be finite and at least 0{unit}; got {value:g}{unit}.")


def check_above_zero(argument: str, value: float, unit: str = "") -> None:
    """Raise ValueError unless `value` is finite and above 0; see `check_at_least_zero`."""
    if not 0 < value < math.inf:
        raise ValueError(f"`{argument}` must be finite and above 0{unit}; got {value:g}{unit}.")

"""How the step of a number format is chosen from the numbers that it is to hold."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geniex.calibration.numbers import Numbers

__all__ = ["Max", "MeanSquaredError", "Method", "Percentile"]

SHRINK, SMALLEST = 0.95, 2.0**-12  # steps that are tried, each a share of the one before, down to this share of `Max`'s
FINER = 21  # steps that are tried between the neighbours of the best of them


class Method(ABC):
    """A choice of steps. Codes are whole numbers, and what lies beyond them is clipped."""

    needs_sample: ClassVar[bool] = True

    @abstractmethod
    def steps(self, numbers: Numbers, lowest: int, highest: int) -> np.ndarray:
        """A step of each column (col,); 0 where it holds only zeros.

        Args:
            numbers: that are to be held.
            lowest: smallest code.
            highest: largest code.
        """


@dataclass(frozen=True)
class Max(Method):
    """The largest magnitude is the largest code: nothing is clipped, and one outlier makes all steps coarse."""

    needs_sample: ClassVar[bool] = False

    def steps(self, numbers: Numbers, lowest: int, highest: int) -> np.ndarray:
        """See `Method.steps`."""
        return numbers.largest / max(highest, 1)


@dataclass(frozen=True)
class Percentile(Method):
    """A percentile of the magnitudes other than 0 is the largest code; what lies above is clipped.

    Attributes:
        percent: of the numbers that are held.
    """

    percent: float = 99.9

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise ValueError(f"`Percentile(percent=...)` must be above 0 and at most 100; got {self.percent}.")

    def steps(self, numbers: Numbers, lowest: int, highest: int) -> np.ndarray:
        """See `Method.steps`."""
        held = numbers.largest.copy()
        for col, sample in enumerate(np.abs(numbers.sample).T):
            if sample.any():
                held[col] = np.percentile(sample[sample > 0], self.percent)
        return held / max(highest, 1)


@dataclass(frozen=True)
class MeanSquaredError(Method):
    """The step of the smallest mean squared error of rounding and clipping, by search."""

    def steps(self, numbers: Numbers, lowest: int, highest: int) -> np.ndarray:
        """See `Method.steps`."""
        widest = numbers.largest / max(highest, 1)
        count = int(np.log(SMALLEST) / np.log(SHRINK)) + 1
        tried = [widest * SHRINK**k for k in range(count)]
        best = _best(tried, numbers.sample, lowest, highest)
        finer = [best * factor for factor in np.linspace(SHRINK, 1 / SHRINK, FINER)]
        return _best([best, *finer], numbers.sample, lowest, highest)


def _best(tried: list[np.ndarray], sample: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Of steps (col,), the one of the smallest error in each column, the first of several."""
    best, least = tried[0], np.full(len(tried[0]), np.inf)
    for steps in tried:
        safe = np.where(steps > 0, steps, 1.0)
        held = np.clip(np.rint(sample / safe), lowest, highest) * safe
        error = np.square(held - sample).sum(0)
        best, least = np.where(error < least, steps, best), np.minimum(error, least)
    return best

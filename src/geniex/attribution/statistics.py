"""Differences between two networks that saw the same images: paired, so that few images tell much."""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Difference", "compared"]

Z = 1.96  # 95 %
Array = np.ndarray


@dataclass(frozen=True)
class Difference:
    """A network beside another one, over the same images.

    Attributes:
        points: difference of their accuracies, as a share.
        low: lower end of its 95 % interval.
        high: upper end of it.
        distance: difference of their distances from the digital network, as a share of its logits' norm.
        distance_error: half the 95 % interval of that.
    """

    points: float
    low: float
    high: float
    distance: float
    distance_error: float


def compared(right: Array, other_right: Array, distance: Array, other_distance: Array) -> Difference:
    """How a network differs from another one.

    The interval of the accuracies is Agresti and Min's for matched pairs (Statistics in Medicine 24, 729, 2005): Wald's
    after half a pair is added to each of the four kinds, so that networks that never differed are not known to be
    equal. Chips are counted as one image each, as if independent.

    Args:
        right: whether each image (chip, image) is classified correctly.
        other_right: the same of the network that it is compared with.
        distance: of the logits from those of the digital network, as a share of their norm (chip, image).
        other_distance: the same of the other network.
    """
    count, won = right.size, int((right & ~other_right).sum())
    lost = int((~right & other_right).sum())
    middle, half = _matched(won, lost, count)
    change = (distance - other_distance).ravel()
    error = Z * change.std(ddof=1) / math.sqrt(count) if count > 1 else math.inf
    return Difference((won - lost) / count, middle - half, middle + half, float(change.mean()), float(error))


def _matched(won: int, lost: int, count: int) -> tuple[float, float]:
    """Middle and half width of the interval of (won - lost) / count."""
    total, up, down = count + 2, won + 0.5, lost + 0.5
    return (up - down) / total, Z * math.sqrt((up + down) - (up - down) ** 2 / total) / total

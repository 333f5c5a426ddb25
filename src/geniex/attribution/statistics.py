"""Differences between two networks that saw the same images: paired, so that few images tell much."""

import math
from dataclasses import dataclass

import numpy as np

from geniex.evaluation.statistics import Z, paired_interval

__all__ = ["Difference", "compared"]

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

    The interval of the accuracies is that of `paired_interval`.

    Args:
        right: whether each image (chip, image) is classified correctly.
        other_right: the same of the network that it is compared with.
        distance: of the logits from those of the digital network, as a share of their norm (chip, image).
        other_distance: the same of the other network.
    """
    count = right.size
    change = (distance - other_distance).ravel()
    error = Z * change.std(ddof=1) / math.sqrt(count) if count > 1 else math.inf
    points = float(right.mean() - other_right.mean())
    return Difference(points, *paired_interval(right, other_right), float(change.mean()), float(error))

"""How well accuracies are known, and differences between two networks that saw the same images."""

import math

import numpy as np

__all__ = ["Z", "paired_interval", "wilson_interval"]

Z = 1.96  # 95 %


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share of `count` (Wilson 1927)."""
    centre = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_interval(right: np.ndarray, other_right: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the difference of two accuracies on the same images.

    It is Agresti and Min's for matched pairs (Statistics in Medicine 24, 729, 2005): Wald's after half a pair is added
    to each of the four kinds, so that networks that never differed are not known to be equal. Chips are counted as one
    image each, as if independent.

    Args:
        right: whether each image (chip, image) is classified correctly.
        other_right: the same of the other network; one chip stands beside each of several.
    """
    right, other_right = np.broadcast_arrays(right, other_right)
    up, down, total = (right & ~other_right).sum() + 0.5, (~right & other_right).sum() + 0.5, right.size + 2
    middle, half = (up - down) / total, Z * math.sqrt((up + down) - (up - down) ** 2 / total) / total
    return max(-1.0, float(middle - half)), min(1.0, float(middle + half))

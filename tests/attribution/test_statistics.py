"""Two networks side by side over the same images."""

import numpy as np
import pytest

from geniex.attribution.statistics import compared
from geniex.evaluation.statistics import paired_interval


def test_accuracies_are_compared_image_by_image():
    right, other = np.array([[1, 1, 1, 0]], dtype=bool), np.array([[0, 0, 1, 1]], dtype=bool)
    found = compared(right, other, np.zeros(right.shape), np.zeros(right.shape))
    assert found.points == pytest.approx(0.25)
    assert (found.low, found.high) == paired_interval(right, other)


def test_distances_are_compared_image_by_image():
    ones = np.ones((1, 4), dtype=bool)
    found = compared(ones, ones, np.array([[0.3, 0.5, 0.2, 0.4]]), np.array([[0.1, 0.3, 0.0, 0.2]]))
    assert found.distance == pytest.approx(0.2)
    assert found.distance_error == pytest.approx(0.0, abs=1e-12)

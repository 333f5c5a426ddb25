"""Paired differences: by hand, and as often right as they say."""

import numpy as np
import pytest

from geniex.attribution.statistics import compared


def of(right, other):
    right, other = np.array([right], dtype=bool), np.array([other], dtype=bool)
    return compared(right, other, np.zeros(right.shape), np.zeros(right.shape))


def test_the_interval_is_that_of_agresti_and_min():
    """3 won, 1 lost of 20: (3.5 - 1.5) / 22, and 1.96 sqrt(5 - 4 / 22) / 22."""
    found = of([1] * 3 + [0] + [1] * 16, [0] * 3 + [1] + [1] * 16)
    assert found.points == pytest.approx(0.1)
    assert (found.low + found.high) / 2 == pytest.approx(2 / 22)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * (5 - 4 / 22) ** 0.5 / 22)


def test_networks_that_never_differed_are_not_known_to_be_equal():
    found = of([1] * 30, [1] * 30)
    assert found.points == 0
    assert found.low == -found.high < 0
    assert of([1] * 300, [1] * 300).high < found.high


def test_intervals_hold_the_truth_as_often_as_they_say():
    random, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        kind = random.choice(4, 100, p=[0.7, 0.1, 0.05, 0.15])  # both, won, lost, none
        found = of(kind <= 1, (kind == 0) | (kind == 2))
        inside += found.low <= 0.05 <= found.high
    assert 0.94 < inside / 2000 < 0.98


def test_distances_are_compared_image_by_image():
    ones = np.ones((1, 4), dtype=bool)
    found = compared(ones, ones, np.array([[0.3, 0.5, 0.2, 0.4]]), np.array([[0.1, 0.3, 0.0, 0.2]]))
    assert found.distance == pytest.approx(0.2)
    assert found.distance_error == pytest.approx(0.0, abs=1e-12)

"""Paired differences: by hand, and as often right as they say."""

import numpy as np
import pytest

from geniex.evaluation.statistics import paired_interval


def of(right, other):
    return paired_interval(np.array([right], dtype=bool), np.array([other], dtype=bool))


def test_the_interval_is_that_of_agresti_and_min():
    """3 won, 1 lost of 20: (3.5 - 1.5) / 22, and 1.96 sqrt(5 - 4 / 22) / 22."""
    low, high = of([1] * 3 + [0] + [1] * 16, [0] * 3 + [1] + [1] * 16)
    assert (low + high) / 2 == pytest.approx(2 / 22)
    assert (high - low) / 2 == pytest.approx(1.96 * (5 - 4 / 22) ** 0.5 / 22)


def test_networks_that_never_differed_are_not_known_to_be_equal():
    low, high = of([1] * 30, [1] * 30)
    assert low == -high < 0
    assert of([1] * 300, [1] * 300)[1] < high


def test_intervals_hold_the_truth_as_often_as_they_say():
    random, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        kind = random.choice(4, 100, p=[0.7, 0.1, 0.05, 0.15])  # both, won, lost, none
        low, high = of(kind <= 1, (kind == 0) | (kind == 2))
        inside += low <= 0.05 <= high
    assert 0.94 < inside / 2000 < 0.98


def test_one_chip_stands_beside_each_of_several():
    chips = np.array([[1, 1, 0], [1, 0, 0]], dtype=bool)
    one = np.array([[1, 1, 1]], dtype=bool)
    assert paired_interval(chips, one) == paired_interval(chips, np.repeat(one, 2, axis=0))

"""Extremes and counts are exact; samples are bounded, the same in every run, and like the whole."""

import numpy as np
import pytest
import torch

from geniex.calibration.numbers import Observed, thinned


def numbers(count=20_000, columns=3, seed=0):
    x = np.random.default_rng(seed).standard_t(4, (count, columns)).astype(np.float32)
    return np.where(np.random.default_rng(seed + 1).random(x.shape) < 0.3, 0, x)


def observed(x, kept, parts=7):
    seen = Observed(x.shape[1], kept)
    for part in np.array_split(x, parts):
        seen.add(torch.tensor(part))
    return seen


@pytest.mark.parametrize("kept", [0, 100, 10**6])
def test_extremes_and_count_are_those_of_all_numbers(kept):
    x = numbers()
    seen = observed(x, kept)
    assert seen.count == x.size
    np.testing.assert_array_equal(seen.least, x.min(0))
    np.testing.assert_array_equal(seen.most, x.max(0))
    np.testing.assert_array_equal(seen.numbers().largest, np.abs(x).max(0))


def test_nothing_has_no_magnitude():
    seen = Observed(2, 10)
    seen.add(torch.empty(0, 2))
    assert seen.count == 0
    assert seen.numbers().largest.tolist() == [0, 0]
    assert seen.numbers().sample.shape == (0, 2)


def test_a_sample_of_few_numbers_is_all_of_them_but_zeros():
    x = numbers(columns=1)
    np.testing.assert_array_equal(observed(x, len(x)).numbers().sample, x[x != 0][:, None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_numbers_are_kept_as_they_are(dtype):
    seen, x = Observed(1, 10), torch.tensor([[1 / 3], [0.0], [-2 / 3]], dtype=dtype)
    seen.add(x)
    assert seen.numbers().sample[:, 0].tolist() == [x[0].item(), x[2].item()]


@pytest.mark.parametrize("kept", [50, 1000, 5000])
def test_a_sample_is_bounded_and_not_small(kept):
    assert kept / 2 - 1 <= len(observed(numbers(), kept).numbers().sample) <= kept


def test_a_sample_does_not_depend_on_parts():
    x = numbers()
    first, second = (observed(x, 500, parts).numbers().sample for parts in (1, 13))
    np.testing.assert_array_equal(first, second)


def test_a_sample_is_spread_over_all_numbers():
    """Of numbers with a period, such as the rows of a matrix, as many of each are kept."""
    place = np.arange(2**18) % 64 + 1.0
    sample = observed(place[:, None], 2**13).numbers().sample
    share = np.bincount(sample[:, 0].astype(int), minlength=65)[1:] / len(sample)
    assert (abs(share * 64 - 1) < 0.25).all()
    quarters = observed(np.arange(1.0, 2**18)[:, None], 2**13).numbers().sample * 4 // 2**18
    assert (abs(np.bincount(quarters[:, 0].astype(int)) * 4 / len(quarters) - 1) < 0.01).all()


def test_a_sample_has_the_percentiles_of_the_whole():
    x = numbers(200_000, 1)
    sample = observed(x, 2**14).numbers().sample
    for percent in (50, 90, 99):
        whole = np.percentile(np.abs(x[x != 0]), percent)
        # 5 % of the value: some 100 numbers of the sample lie above the 99th percentile
        assert np.percentile(np.abs(sample), percent) == pytest.approx(whole, rel=0.05)


def test_rows_are_thinned_out_in_order_and_the_same_each_time():
    x = torch.arange(3000.0).view(1000, 3)
    few = thinned(x, 300)
    assert few.shape == (100, 3)
    assert torch.equal(few, thinned(x, 300))
    assert (few[:, 0].diff() > 0).all()
    assert torch.equal(thinned(x, 3000), x)
    assert thinned(x, 1).shape == (1, 3)

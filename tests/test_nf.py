"""The error of NF against plain numpy, and whether its confidence interval keeps its promise."""

import numpy as np
import pytest
import torch

from geniex.nf import carries_current, nf_error


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def currents(reads=40, cols=6, seed=0):
    """(model, exact, ideal) in ampere; a fifth of the columns carry next to nothing."""
    rng = np.random.default_rng(seed)
    ideal = rng.uniform(1e-7, 1e-5, (reads, cols)) * (rng.random((reads, cols)) > 0.2)
    exact = ideal * rng.uniform(0.85, 1.1, ideal.shape)
    return exact + ideal * rng.normal(0, 0.02, ideal.shape), exact, ideal


def measure(i, exact, ideal, **options):
    return nf_error(*(torch.tensor(x) for x in (i, exact, ideal)), generator(**options))


def test_error_is_the_difference_of_the_two_nf():
    i, exact, ideal = currents()
    some = ideal > 1e-9
    nf_model, nf_exact = (ideal - i)[some] / ideal[some], (ideal - exact)[some] / ideal[some]
    difference = 100 * np.abs(nf_model - nf_exact)
    error = measure(i, exact, ideal)
    # NF is a small difference of currents: 1e-12 of a current is 1e-10 of it
    assert error.rmse == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-10)
    assert error.worst == pytest.approx(difference.max(), rel=1e-10)
    assert error.p99 == pytest.approx(np.percentile(difference, 99, method="lower"), rel=1e-10)
    assert error.columns == some.sum()
    assert error.reads == some.any(1).sum()


def test_a_shift_of_one_percent_is_an_error_of_one_percent():
    _, exact, ideal = currents()
    error = measure(exact - 0.01 * ideal, exact, ideal)
    for value in (error.rmse, error.low, error.high, error.p99, error.worst):
        assert value == pytest.approx(1.0, rel=1e-10)


def test_an_exact_model_has_no_error():
    _, exact, ideal = currents()
    error = measure(exact, exact, ideal)
    assert (error.rmse, error.low, error.high, error.p99, error.worst) == (0, 0, 0, 0, 0)


def test_columns_without_current_do_not_count():
    i, exact, ideal = currents()
    i[ideal == 0] = 1.0
    assert measure(i, exact, ideal).worst < 20


def test_reads_without_current_do_not_count():
    i, exact, ideal = currents()
    ideal[:3] = 0
    assert measure(i, exact, ideal).reads == 37


def test_leading_dimensions_are_reads():
    i, exact, ideal = currents()
    assert measure(*(x.reshape(4, 10, 6) for x in (i, exact, ideal))) == measure(i, exact, ideal)


def test_same_generator_gives_the_same_interval():
    data = currents()
    assert measure(*data, seed=3) == measure(*data, seed=3)
    assert measure(*data, seed=3) != measure(*data, seed=4)


def test_interval_contains_the_true_error_as_often_as_it_says():
    """95 % of intervals hold the truth, 2 %. Of 200, fewer than 178 would be 4 standard deviations below 190."""
    held = 0
    for seed in range(200):
        error = measure(*currents(reads=60, seed=seed))
        held += error.low <= 2.0 <= error.high
        assert error.low <= error.rmse <= error.high
    assert held >= 178


def test_interval_is_by_reads_not_by_columns():
    """Columns of one read err together: 20 reads of 50 equal columns say as much as 20 columns."""
    i, exact, ideal = currents(reads=20, cols=1, seed=1)
    ideal = np.maximum(ideal, 1e-6)
    wide = measure(*(np.repeat(x, 50, axis=1) for x in (i, exact, ideal)))
    narrow = measure(i, exact, ideal)
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=1e-10)


def test_one_nanoampere_is_the_smallest_current_that_counts():
    i_ideal = torch.tensor([0.0, 1e-9, 1.01e-9, 1e-6], dtype=torch.float64)
    assert carries_current(i_ideal).tolist() == [False, False, True, True]


def test_reads_without_any_current_are_refused():
    zeros = np.zeros((2, 3))
    with pytest.raises(ValueError, match="No column has an ideal current above 1 nA: drive more rows"):
        measure(zeros, zeros, zeros)

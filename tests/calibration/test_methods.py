"""Steps against numpy: maxima, percentiles, and errors that no other step makes much smaller."""

import numpy as np
import pytest

from geniex.calibration import Max, MeanSquaredError, Percentile
from geniex.calibration.numbers import Numbers

METHODS = [Max(), Percentile(99.0), MeanSquaredError()]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
DISTRIBUTIONS = {
    "normal": lambda rng: rng.normal(0, 0.3, 4000),
    "uniform": lambda rng: rng.uniform(-2, 2, 4000),
    "heavy tails": lambda rng: rng.standard_t(2, 4000),
    "an outlier": lambda rng: np.append(rng.normal(0, 0.1, 3999), 50.0),
    "positive": lambda rng: np.maximum(rng.normal(0, 1, 4000), 0),
    "constant": lambda rng: np.full(100, -0.7),
}
each_distribution = pytest.mark.parametrize("name", DISTRIBUTIONS)


def some(name):
    return DISTRIBUTIONS[name](np.random.default_rng(0))


def numbers(*columns):
    sample = np.stack(columns, axis=1)
    return Numbers(np.abs(sample).max(0), sample)


def codes(bits):
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def error(x, step, lowest, highest):
    return np.mean((np.clip(np.rint(x / step), lowest, highest) * step - x) ** 2)


@each_distribution
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_the_largest_magnitude_is_the_largest_code(name, bits):
    x = some(name)
    assert Max().steps(numbers(x), *codes(bits)).tolist() == [np.abs(x).max() / (2 ** (bits - 1) - 1)]


@each_distribution
@pytest.mark.parametrize("percent", [50.0, 99.9, 100.0])
def test_a_percentile_of_the_magnitudes_other_than_0_is_the_largest_code(name, percent):
    x = some(name)
    held = np.percentile(np.abs(x[x != 0]), percent)
    np.testing.assert_allclose(Percentile(percent).steps(numbers(x), *codes(8)), [held / 127], rtol=1e-15)


@each_distribution
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12])
def test_hardly_any_step_has_a_smaller_error(name, bits):
    x = some(name)
    found = MeanSquaredError().steps(numbers(x), *codes(bits))[0]
    widest = np.abs(x).max() / max(1, 2 ** (bits - 1) - 1)
    best = min(error(x, step, *codes(bits)) for step in widest * np.geomspace(1e-4, 1.2, 3000))
    # 5 %: the error ripples with the step, and the search ends at neighbours half a percent apart
    assert error(x, found, *codes(bits)) <= 1.05 * best + 1e-30


def test_readings_have_no_negative_codes():
    x = np.maximum(some("normal"), 0)
    found = MeanSquaredError().steps(numbers(x), 0, 15)[0]
    best = min(error(x, step, 0, 15) for step in x.max() / 15 * np.geomspace(1e-2, 1.2, 3000))
    assert error(x, found, 0, 15) <= 1.05 * best
    assert Max().steps(numbers(x), 0, 15) == x.max() / 15


@each_method
def test_every_column_is_on_its_own(method):
    columns = [some("normal"), some("uniform"), some("heavy tails")]
    together = method.steps(numbers(*columns), *codes(6))
    assert together.tolist() == [method.steps(numbers(column), *codes(6))[0] for column in columns]


@each_method
def test_a_column_of_zeros_has_no_step(method):
    found = method.steps(numbers(np.zeros(50), np.ones(50)), *codes(4))
    assert found[0] == 0
    assert found[1] > 0


@each_method
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_steps_scale_with_the_numbers(method, scale):
    x = some("normal")
    # 1e-9: the same arithmetic in other units
    np.testing.assert_allclose(
        method.steps(numbers(x * scale), *codes(5)), method.steps(numbers(x), *codes(5)) * scale, rtol=1e-9
    )


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.1, float("nan")])
def test_a_percentile_lies_above_0_and_up_to_100(percent):
    with pytest.raises(
        ValueError, match=rf"`Percentile\(percent=...\)` must be above 0 and at most 100; got {percent}"
    ):
        Percentile(percent)

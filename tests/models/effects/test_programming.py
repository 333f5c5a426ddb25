"""Programming errors have the distribution that their spread says."""

import math

import numpy as np
import pytest
import torch

from geniex.models.effects import (
    AbsoluteSpread,
    LognormalSpread,
    PolynomialSpread,
    ProgrammingError,
    RelativeSpread,
    TabulatedSpread,
)
from geniex.models.ideal import Ideal
from geniex.models.randomness import replaying, states
from tests.models.effects.statistics import ERRORS, check_mean, check_normal, check_share, seeded
from tests.tolerances import FLOAT32, SAME_ALGORITHM

POINTS = ((2e-6, 1e-7), (6e-6, 4e-7), (1e-5, 2e-7))
POLYNOMIAL = (0.26348e-7, 1.9650e-7, -1.1731e-7)  # too little for any conductance below 0
CELLS = 400


def written(spread, g, **limits):
    model = ProgrammingError(Ideal(), spread, generator=seeded(), **limits)
    return model.write(torch.full((CELLS, CELLS), g, dtype=torch.float64))


@pytest.mark.parametrize("g", [1e-6, 3e-6, 7e-6, 2e-5])
@pytest.mark.parametrize(
    ("spread", "std"),
    [
        (RelativeSpread(0.05), lambda g: 0.05 * g),
        (AbsoluteSpread(1e-7), lambda g: 1e-7),
        (TabulatedSpread(POINTS), lambda g: np.interp(g, *np.transpose(POINTS))),
        (TabulatedSpread(POINTS[:1]), lambda g: 1e-7),
        (PolynomialSpread(POLYNOMIAL, 25e-6), lambda g: np.polyval(POLYNOMIAL[::-1], g / 25e-6)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_errors_are_normal_with_the_stated_deviation(spread, std, g):
    check_normal(written(spread, g), g, std(g))


def test_lognormal_errors_have_a_normal_logarithm_and_a_larger_mean():
    g = written(LognormalSpread(0.2), 3e-6)
    check_normal(g.log(), math.log(3e-6), 0.2)
    mean = 3e-6 * math.exp(0.02)
    check_mean(g, mean, mean * math.sqrt(math.expm1(0.04)))


def test_errors_of_neighbours_are_independent():
    g = written(RelativeSpread(0.05), 1e-5)
    for a, b in ((g[1:], g[:-1]), (g[:, 1:], g[:, :-1])):
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        assert correlation.abs() < ERRORS / math.sqrt(a.numel())


def test_crossbars_of_a_batch_have_their_own_errors():
    model = ProgrammingError(Ideal(), RelativeSpread(0.05), generator=seeded())
    g = model.write(torch.full((7, 5, 4), 1e-5))
    assert len(g.unique()) > 130  # of 140: few float32 draws coincide


def test_no_conductance_is_negative():
    g = written(AbsoluteSpread(1e-6), 1e-6)
    assert g.min() == 0
    check_share(g == 0, math.erfc(1 / math.sqrt(2)) / 2)


def test_conductances_stay_within_the_limits():
    g = written(RelativeSpread(0.2), 1e-5, g_min=9e-6, g_max=1.1e-5)
    assert (g.min(), g.max()) == (9e-6, 1.1e-5)
    check_share(g == 1.1e-5, math.erfc(0.5 / math.sqrt(2)) / 2)


def test_a_polynomial_below_zero_is_no_error():
    assert (written(PolynomialSpread((-1e-6, 0.0), 1e-5), 3e-6) == 3e-6).all()


def test_errors_are_drawn_once_per_writing():
    model = ProgrammingError(Ideal(), RelativeSpread(0.05), generator=seeded())
    v, g = torch.ones(1, 5), torch.full((5, 4), 1e-5)
    read = model.program(g)
    assert torch.equal(read(v), read(v))
    assert not torch.equal(model.program(g)(v), read(v))
    again = ProgrammingError(Ideal(), RelativeSpread(0.05), generator=seeded())
    assert torch.equal(again(v, g), read(v))


def test_reading_what_was_written_draws_nothing():
    model = ProgrammingError(Ideal(), RelativeSpread(0.05), generator=seeded())
    v, g = torch.ones(1, 5, dtype=torch.float64), torch.full((5, 4), 1e-5, dtype=torch.float64)
    written = model.write(g)
    torch.testing.assert_close(model.after_writing(v, written), v @ written, rtol=SAME_ALGORITHM, atol=0)


def test_one_seed_is_one_chip_in_any_precision():
    g = torch.linspace(1e-6, 1e-5, 20, dtype=torch.float64).view(5, 4)
    single, double = (
        ProgrammingError(Ideal(), TabulatedSpread(POINTS), generator=seeded()).write(g.to(dtype))
        for dtype in (torch.float32, torch.float64)
    )
    torch.testing.assert_close(single.double(), double, rtol=FLOAT32, atol=0)


@pytest.mark.parametrize(
    "spread",
    [
        RelativeSpread(0.05),
        AbsoluteSpread(1e-7),
        LognormalSpread(0.1),
        TabulatedSpread(POINTS),
        PolynomialSpread(POLYNOMIAL, 25e-6),
    ],
    ids=lambda spread: type(spread).__name__,
)
def test_writing_is_differentiable(spread):
    model = ProgrammingError(Ideal(), spread, generator=seeded())
    recorded = states(model)

    def write(g):
        with replaying(model, recorded):
            return model.write(g * 1e-5) / 1e-5

    g = torch.rand(5, 4, generator=seeded(), dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(write, g.requires_grad_())


def limited(*limits):
    return ProgrammingError(Ideal(), RelativeSpread(0.1), *limits)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RelativeSpread(-0.1), r"`RelativeSpread\(std=...\)` must be finite and at least 0; got -0\.1"),
        (lambda: AbsoluteSpread(math.inf), r"`AbsoluteSpread\(std=...\)` must be finite and at least 0 S; got inf S"),
        (lambda: LognormalSpread(math.nan), r"`LognormalSpread\(sigma=...\)` must be finite and at least 0; got nan"),
        (lambda: TabulatedSpread(()), r"`TabulatedSpread\(points=...\)` must hold finite pairs .*; got \(\)"),
        (lambda: TabulatedSpread(((1e-6, math.nan),)), r"must hold finite pairs .*; got \(\(1e-06, nan"),
        (lambda: TabulatedSpread(((1e-6, -1e-7),)), r"`TabulatedSpread\(points=...\)` must be .*; got -1e-07 S"),
        (lambda: TabulatedSpread(((2e-6, 1e-7), (1e-6, 1e-7))), "must ascend; got 2e-06 S before 1e-06 S"),
        (lambda: PolynomialSpread((), 1e-5), r"`PolynomialSpread\(coefficients=...\)` must hold finite .*; got \(\)"),
        (lambda: PolynomialSpread((1e-7,), 0.0), r"`PolynomialSpread\(g_max=...\)` must be .* above 0 S; got 0 S"),
        (lambda: limited(), r"`ProgrammingError\(generator=...\)` must be a torch.Generator.* got None\. Pass"),
        (lambda: limited(-1e-6), r"`ProgrammingError\(g_min=...\)` must be finite and at least 0 S; got -1e-06 S"),
        (lambda: limited(2e-6, 1e-6), r"`ProgrammingError\(g_max=...\)` must exceed `g_min`, 2e-06 S; got 1e-06 S"),
    ],
)
def test_bad_descriptions_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Drift follows its power law, with an exponent per cell."""

import math

import pytest
import torch

from geniex.models.effects import Drift
from geniex.models.ideal import Ideal
from geniex.models.randomness import is_random, replaying, states
from tests.models.effects.statistics import check_mean, check_normal, seeded
from tests.tolerances import SAME_ALGORITHM

G = torch.full((300, 200), 1e-5, dtype=torch.float64)
DAY = 86400.0


def exponents(model):
    """Those of the cells, from how far each fell."""
    return -(model.write(G) / G).log() / math.log(model.time / model.t0)


def test_one_exponent_is_the_power_law():
    g = torch.tensor([[1e-5, 2e-6]], dtype=torch.float64)
    expected = torch.tensor([[1e-5, 2e-6]], dtype=torch.float64) / 10.0 ** (0.05 * 3)
    drifted = Drift(Ideal(), time=20e3, nu=0.05, t0=20.0).write(g)
    torch.testing.assert_close(drifted, expected, rtol=SAME_ALGORITHM, atol=0)
    assert not is_random(Drift(Ideal(), time=20e3, nu=0.05))


def test_conductances_hold_until_t0():
    model = Drift(Ideal(), time=20.0, nu=0.05, spread=0.02, t0=20.0, generator=seeded())
    assert torch.equal(model.write(G), G)


def test_exponents_are_normal():
    check_normal(exponents(Drift(Ideal(), DAY, 0.06, 0.01, 20.0, seeded())), 0.06, 0.01)


def test_no_cell_gains():
    """Normal numbers of mean 0 that are at least 0 have the mean s / sqrt(2 pi) and the mean square s^2 / 2."""
    model = Drift(Ideal(), DAY, 0.0, 0.02, 20.0, seeded())
    nu = exponents(model)
    assert nu.min() == 0
    mean = 0.02 / math.sqrt(2 * math.pi)
    check_mean(nu, mean, math.sqrt(0.02**2 / 2 - mean**2))


def test_exponents_are_drawn_once_per_writing():
    model, v = Drift(Ideal(), DAY, 0.06, 0.01, generator=seeded()), torch.ones(1, 300, dtype=torch.float64)
    read = model.program(G)
    assert torch.equal(read(v), read(v))
    assert not torch.equal(model.program(G)(v), read(v))


def test_drift_is_differentiable():
    model = Drift(Ideal(), DAY, 0.06, 0.03, generator=seeded())
    recorded = states(model)

    def write(g):
        with replaying(model, recorded):
            return model.write(g)

    g = torch.rand(5, 4, generator=seeded(), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(write, g)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time": 0.0, "nu": 0.1}, r"`Drift\(time=...\)` must be finite and at least `t0`, 1 s; got 0 s"),
        ({"time": math.inf, "nu": 0.1}, r"`Drift\(time=...\)` must be finite .* got inf s"),
        ({"time": 9.0, "nu": -0.1}, r"`Drift\(nu=...\)` must be finite and at least 0; got -0\.1"),
        ({"time": 9.0, "nu": 0.1, "spread": -1.0}, r"`Drift\(spread=...\)` must be finite and at least 0; got -1"),
        ({"time": 9.0, "nu": 0.1, "t0": 0.0}, r"`Drift\(t0=...\)` must be finite and above 0 s; got 0 s"),
        ({"time": 9.0, "nu": 0.1, "spread": 0.1}, r"`Drift\(generator=...\)` must be a torch.Generator.* got None"),
    ],
)
def test_bad_descriptions_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Drift(Ideal(), **settings)

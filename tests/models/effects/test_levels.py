"""Rounding to levels: always to the nearest, exactly, with a straight-through gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geniex.models.effects import FiniteLevels
from geniex.models.ideal import Ideal
from geniex.models.randomness import is_random

LEVELS = (0.0, 1e-6, 2e-6, 5e-6, 1e-5)


@given(st.lists(st.floats(0.0, 2e-5), min_size=1, max_size=9), st.sampled_from([torch.float32, torch.float64]))
def test_no_level_is_nearer(conductances, dtype):
    g = torch.tensor([conductances], dtype=dtype)
    levels = torch.tensor(LEVELS, dtype=dtype)
    rounded = FiniteLevels(Ideal(), LEVELS).write(g)
    assert torch.isin(rounded, levels).all()
    nearest = (g[..., None] - levels).abs().amin(-1)
    slack = 1e-12 if dtype == torch.float32 else 1e-20  # rounding of a difference, near the middle of two levels
    assert ((rounded - g).abs() <= nearest + slack).all()


def test_of_two_nearest_levels_it_is_the_lower():
    assert FiniteLevels(Ideal(), (1.0, 2.0, 3.0)).write(torch.tensor([[1.5, 2.5]])).tolist() == [[1.0, 2.0]]


def test_a_count_divides_a_range_evenly():
    model = FiniteLevels.between(Ideal(), 1e-6, 7e-6, 4)
    assert model.levels == pytest.approx((1e-6, 3e-6, 5e-6, 7e-6), rel=1e-15)
    assert model.write(torch.tensor([[0.0, 1.0]])).flatten().tolist() == pytest.approx([1e-6, 7e-6])
    assert not is_random(model)


def test_one_level_is_enough():
    assert (FiniteLevels(Ideal(), [3e-6]).write(torch.rand(5, 4).double()) == 3e-6).all()


def test_levels_may_be_a_tensor():
    assert FiniteLevels(Ideal(), torch.tensor([1.0, 2.0])).levels == (1.0, 2.0)


def test_gradients_pass_straight_through():
    g = torch.linspace(0.0, 2e-5, 20).view(5, 4).requires_grad_()
    FiniteLevels(Ideal(), LEVELS).write(g).sum().backward()
    assert (g.grad == 1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FiniteLevels(Ideal(), ()), r"`FiniteLevels\(levels=...\)` must be finite and at least 0 S; got \(\)"),
        (lambda: FiniteLevels(Ideal(), (-1e-6, 1e-6)), r"must be finite and at least 0 S; got \(-1e-06, 1e-06\)"),
        (lambda: FiniteLevels(Ideal(), (1e-6, math.inf)), r"must be finite and at least 0 S; got \(1e-06, inf\)"),
        (lambda: FiniteLevels(Ideal(), (2e-6, 2e-6)), "must ascend; got 2e-06 S before 2e-06 S"),
        (lambda: FiniteLevels.between(Ideal(), 1e-6, 1e-5, 1), r"`FiniteLevels.between\(count=...\)` .* got 1"),
        (lambda: FiniteLevels.between(Ideal(), 1e-5, 1e-6, 3), "must ascend; got 1e-05 S before 5.5e-06 S"),
    ],
)
def test_bad_descriptions_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

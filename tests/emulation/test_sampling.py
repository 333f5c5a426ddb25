"""Digits span their levels and every sparsity, and depend on the seed alone."""

import math

import pytest
import torch

from geniex.emulation.sampling import MixedDigits

COUNT, ROWS, COLS = 400, 16, 12


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def conductances(seed=0, **options):
    return MixedDigits(**options).conductance_levels(COUNT, ROWS, COLS, generator(seed))


def voltages(seed=0, **options):
    return MixedDigits(**options).voltage_levels(COUNT, ROWS, generator(seed))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("network_share", [0.0, 0.5, 1.0])
def test_levels_fill_their_range(bits, network_share):
    g = conductances(g_bits=bits, network_share=network_share)
    v = voltages(v_bits=bits, network_share=network_share)
    assert g.shape == (COUNT, ROWS, COLS)
    assert v.shape == (COUNT, ROWS)
    for level in (g, v):
        assert not level.is_floating_point()
        assert level.min() == 0
        assert level.max() == 2**bits - 1
        assert level.unique().numel() == 2**bits


def share_of_zeros(level):
    return (level == 0).double().flatten(1).mean(1)


@pytest.mark.parametrize("sparsest", [0.0, 0.5, 1.0])
def test_uniform_crossbars_span_every_sparsity_up_to_the_sparsest(sparsest):
    """Zeros are drawn on purpose in 0 to `sparsest` of the cells, and in 1 of 256 by chance."""
    zeros = share_of_zeros(conductances(g_bits=8, sparsest=sparsest, network_share=0.0))
    # 192 cells: a share is known to 0.036 (one standard deviation at 0.5), the extremes of 400 to about 0.13
    assert zeros.min() < 0.02
    assert zeros.max() == pytest.approx(sparsest, abs=0.13)
    assert zeros.mean() == pytest.approx(sparsest / 2, abs=0.05)


def test_levels_that_are_not_zeroed_are_uniform():
    level = conductances(sparsest=0.0, network_share=0.0)
    counts = torch.bincount(level.flatten(), minlength=16).double()
    expected = level.numel() / 16
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 15 + 5 * math.sqrt(30)  # 15 degrees of freedom; 5 standard deviations


def test_network_like_digits_are_sparser_than_uniform_ones_and_leave_rows_and_columns_unused():
    level = conductances(network_share=1.0)
    assert share_of_zeros(level).mean() > 2 / 16
    assert (level == 0).all(2)[:, -1].double().mean() > 0.1
    assert (level == 0).all(1)[:, -1].double().mean() > 0.1


def test_half_of_the_crossbars_are_network_like():
    """With 8 bits a uniform crossbar without imposed zeros has hardly any; a network-like one has more than half."""
    zeros = share_of_zeros(conductances(g_bits=8, sparsest=0.0, network_share=0.5))
    assert (zeros < 0.05).double().mean() == pytest.approx(0.5, abs=0.1)  # 4 standard deviations of 400 draws


@pytest.mark.parametrize("draw", [conductances, voltages])
def test_the_same_seed_draws_the_same_digits(draw):
    assert torch.equal(draw(seed=1), draw(seed=1))
    assert not torch.equal(draw(seed=1), draw(seed=2))


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    conductances()
    voltages()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["v_bits", "g_bits"])
@pytest.mark.parametrize("bits", [0, 9])
def test_digits_have_one_to_eight_bits(name, bits):
    with pytest.raises(ValueError, match=rf"`MixedDigits\({name}=...\)` must lie between 1 and 8; got {bits}"):
        MixedDigits(**{name: bits})


@pytest.mark.parametrize("name", ["sparsest", "network_share"])
@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_lie_between_0_and_1(name, share):
    with pytest.raises(ValueError, match=rf"`MixedDigits\({name}=...\)` must lie between 0 and 1; got {share}"):
        MixedDigits(**{name: share})

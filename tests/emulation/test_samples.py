"""Solved samples hold the digits that were drawn and the ratio of currents that the circuit gives them."""

import numpy as np
import pytest
import torch

from geniex.emulation import MixedDigits, solve_samples
from geniex.window import Window

WINDOW = Window(v_max=0.3, g_on=2e-5, g_off=2e-6)
SIZE = (35, 3)  # more than one part


def solve(circuit, seed=0, **options):
    return solve_samples(circuit, MixedDigits(), WINDOW, SIZE, torch.Generator().manual_seed(seed), **options)


@pytest.fixture(scope="module")
def samples(circuit):
    return solve(circuit)


def test_shapes_and_types(samples):
    assert len(samples) == 35
    assert samples.v_level.shape == (35, 3, 8)
    assert samples.g_level.shape == (35, 8, 8)
    assert samples.f.shape == (35, 3, 8)
    assert (samples.v_level.dtype, samples.g_level.dtype, samples.f.dtype) == (torch.uint8, torch.uint8, torch.float32)


def test_f_is_the_ratio_of_ideal_to_exact_current(circuit, samples):
    v = samples.v_level.numpy() * 0.3 / 15
    g = 2e-6 + samples.g_level.numpy() * 1.8e-5 / 15
    for k in range(0, 35, 7):
        i = circuit(torch.tensor(v[k]), torch.tensor(g[k])).numpy()
        driven = v[k].any(1)
        # 1e-6: f is stored in float32
        np.testing.assert_allclose(samples.f[k].numpy()[driven], (v[k] @ g[k] / i)[driven], rtol=1e-6, atol=0)


def test_f_is_nan_exactly_where_no_row_is_driven(samples):
    undriven = (samples.v_level == 0).all(-1)
    assert undriven.any()
    assert torch.equal(samples.f.isnan(), undriven[..., None].expand_as(samples.f))


def test_inputs_are_in_volt_and_siemens(samples):
    v, g = samples.inputs(torch.float64)
    # closed form
    np.testing.assert_allclose(v, samples.v_level.numpy() * 0.3 / 15, rtol=1e-12, atol=0)
    np.testing.assert_allclose(g, 2e-6 + samples.g_level.numpy() * 1.8e-5 / 15, rtol=1e-12, atol=0)


def test_the_same_seed_gives_the_same_samples(circuit, samples):
    again, other = solve(circuit), solve(circuit, seed=1)
    for name in ("v_level", "g_level"):
        assert torch.equal(getattr(again, name), getattr(samples, name))
        assert not torch.equal(getattr(other, name), getattr(samples, name))
    torch.testing.assert_close(again.f, samples.f, rtol=0, atol=0, equal_nan=True)


def test_float32_is_near_float64(circuit, samples):
    # the solver's 2e-6 of the drive in float32, on currents that are a small part of a column's largest
    torch.testing.assert_close(solve(circuit, dtype=torch.float32).f, samples.f, rtol=1e-4, atol=0, equal_nan=True)


def test_crossbars_can_be_picked(samples):
    picked = samples[torch.tensor([4, 2])]
    assert len(picked) == 2
    assert torch.equal(picked.g_level[1], samples.g_level[2])
    assert torch.equal(picked.v_level[0], samples.v_level[4])
    assert len(samples[:5]) == 5

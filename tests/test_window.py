"""Levels are evenly spaced between the ends of the window, and impossible windows are refused."""

import math

import numpy as np
import pytest
import torch

from geniex.window import Window


@pytest.mark.parametrize("bits", range(1, 9))
def test_levels_are_evenly_spaced_between_the_ends(bits):
    window = Window(v_max=0.3, g_on=2e-5, g_off=5e-6, v_bits=bits, g_bits=bits)
    level = torch.arange(2**bits)
    v, g = window.voltages(level, torch.float64), window.conductances(level, torch.float64)
    # closed form in numpy, 1e-12: same numbers, another order of operations
    np.testing.assert_allclose(v, np.linspace(0, 0.3, 2**bits), rtol=1e-12, atol=0)
    np.testing.assert_allclose(g, np.linspace(5e-6, 2e-5, 2**bits), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quantities_have_the_requested_type(dtype):
    level = torch.tensor([0, 15], dtype=torch.uint8)
    assert Window().voltages(level, dtype).dtype == Window().conductances(level, dtype).dtype == dtype


@pytest.mark.parametrize("v_max", [0.0, -0.25, math.inf, math.nan])
def test_read_voltage_must_be_positive(v_max):
    with pytest.raises(ValueError, match=rf"`v_max` must be positive and finite; got {v_max} V"):
        Window(v_max=v_max)


@pytest.mark.parametrize(
    ("g_off", "g_on"), [(1e-5, 1e-5), (2e-5, 1e-5), (-1e-6, 1e-5), (math.nan, 1e-5), (0.0, math.inf)]
)
def test_conductances_must_be_ordered(g_off, g_on):
    with pytest.raises(ValueError, match=rf"`g_off` must lie between 0 and `g_on`, .*got {g_off} and {g_on} S"):
        Window(g_off=g_off, g_on=g_on)


@pytest.mark.parametrize("name", ["v_bits", "g_bits"])
@pytest.mark.parametrize("bits", [0, 9])
def test_digits_have_one_to_eight_bits(name, bits):
    with pytest.raises(ValueError, match=f"`{name}` must lie between 1 and 8; got {bits}"):
        Window(**{name: bits})


def test_every_voltage_is_that_of_a_level_from_0_to_the_top():
    v = Window(0.3, v_bits=2).every_voltage()
    torch.testing.assert_close(v, torch.tensor([0.0, 0.1, 0.2, 0.3], dtype=torch.float64), rtol=1e-15, atol=0)

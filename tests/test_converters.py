"""The floor current and the ADC against formulas in numpy, on reads of a crossbar that is not ideal."""

import math

import numpy as np
import pytest
import torch

from geniex.converters import Adc, Dac, DigitalFloor, DummyColumn, PaperFloor, level_products

G_OFF = 1e-5 / 6
PRODUCT = 0.25 / 15 * (1e-5 - G_OFF) / 15  # of one level of voltage and one of conductance, in ampere


@pytest.fixture
def reads():
    """Currents (tile, input, col), 20 % below or above ideal, with voltages and conductances of 2 tiles."""
    rng = np.random.default_rng(0)
    v = rng.integers(0, 16, (1, 5, 6)) * 0.25 / 15
    g = G_OFF + rng.integers(0, 16, (2, 6, 4)) * (1e-5 - G_OFF) / 15
    g[..., -1] = G_OFF
    v[0, 3] = 0
    i = v @ g * rng.uniform(0.8, 1.2, (2, 5, 4))
    return i, v, g


def removed(floor, reads):
    return floor.remove(*(torch.tensor(x) for x in reads), G_OFF)


def test_paper_floor_scales_what_is_left_by_the_ratio_of_currents(reads):
    i, v, g = reads
    expected = np.zeros_like(i)
    for tile, entry, col in np.ndindex(i.shape):
        ideal = float(v[0, entry] @ g[tile, :, col])
        if ideal > 0:
            expected[tile, entry, col] = (ideal - G_OFF * v[0, entry].sum()) * i[tile, entry, col] / ideal
    # same formula, another order of sums; 1e-20 A is 1e-10 of one product of levels, for columns that hold only g_off
    np.testing.assert_allclose(removed(PaperFloor(), reads), expected, rtol=1e-12, atol=1e-20)


def test_paper_floor_is_zero_without_voltage(reads):
    assert (removed(PaperFloor(), reads)[:, 3] == 0).all()


def test_dummy_column_is_subtracted_and_dropped(reads):
    i, *_ = reads
    np.testing.assert_array_equal(removed(DummyColumn(), reads), i[..., :3] - i[..., 3:])


def test_digital_floor_is_the_exact_number(reads):
    i, v, _ = reads
    # same formula, another order of sums
    np.testing.assert_allclose(removed(DigitalFloor(), reads), i - G_OFF * v.sum(-1)[..., None], rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("floor", [PaperFloor(), DummyColumn(), DigitalFloor()], ids=lambda f: type(f).__name__)
def test_all_agree_on_ideal_currents(floor, reads):
    _, v, g = reads
    left = removed(floor, (v @ g, v, g))
    # cancellation of the floor leaves the rounding of a current some 10 times larger: 1e-10 of one product of levels
    np.testing.assert_allclose(left, (v @ (g - G_OFF))[..., : left.shape[-1]], rtol=1e-12, atol=1e-20)


def codes(products, adc):
    return level_products(torch.tensor(products, dtype=torch.float64) * PRODUCT, PRODUCT, adc)


def test_default_adc_reads_whole_products_of_levels_and_clips():
    read = codes([-3.0, -0.4, 0.4, 0.6, 7.3, 16383.0, 16384.0, 1e9], Adc())
    # 1e-12: codes times code / product, which is 1 up to rounding
    torch.testing.assert_close(read, torch.tensor([0, 0, 0, 1, 7, 16383, 16383, 16383.0]).double(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_adc_with_full_scale_spreads_its_codes_over_it(bits):
    products = np.linspace(-5, 40, 301)
    full_scale = 10 * math.pi  # in products of levels
    step = full_scale / (2**bits - 1)
    expected = np.clip(np.rint(products / step), 0, 2**bits - 1) * step
    read = codes(products, Adc(bits, full_scale=full_scale * PRODUCT))
    # 1e-12: the same arithmetic in other units; no point of the grid is closer than 1e-6 to a step's edge
    assert (np.abs(products / step % 1 - 0.5) > 1e-6).all()
    np.testing.assert_allclose(read, expected, rtol=1e-12, atol=1e-12)


def test_no_adc_rounds_to_whole_products_and_never_clips():
    assert codes([-7.4, -0.6, 0.3, 1e6 + 0.2, 2.0**40], None).tolist() == [-7, -1, 0, 1e6, 2.0**40]


@pytest.mark.parametrize("bits", [0, 9])
def test_dac_has_one_to_eight_bits(bits):
    with pytest.raises(ValueError, match=rf"`Dac\(bits=...\)` must lie between 1 and 8; got {bits}"):
        Dac(bits=bits)


@pytest.mark.parametrize("v_max", [0.0, -1.0, math.inf, math.nan])
def test_dac_voltage_must_be_positive(v_max):
    with pytest.raises(ValueError, match=rf"`Dac\(v_max=...\)` must be positive and finite; got {v_max} V"):
        Dac(v_max=v_max)


@pytest.mark.parametrize("bits", [0, 33])
def test_adc_has_one_to_32_bits(bits):
    with pytest.raises(ValueError, match=rf"`Adc\(bits=...\)` must lie between 1 and 32; got {bits}.*`adc=None`"):
        Adc(bits=bits)


@pytest.mark.parametrize("full_scale", [0.0, -1e-6, math.inf, math.nan])
def test_adc_full_scale_must_be_positive(full_scale):
    with pytest.raises(ValueError, match=rf"`Adc\(full_scale=...\)` must be positive and finite; got {full_scale} A"):
        Adc(full_scale=full_scale)

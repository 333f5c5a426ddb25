"""The floor current and the ADC against formulas in numpy, on reads of a crossbar that is not ideal."""

import copy
import dataclasses
import math
import pickle
import re

import numpy as np
import pytest
import torch

from geniex.converters import (
    Adc,
    ColumnScales,
    Dac,
    DigitalFloor,
    DummyColumn,
    PaperFloor,
    WorstCase,
    clips,
    inl_from_dnl,
    read_out,
)
from geniex.models.randomness import RandomSource

FLOOR = 3.0  # g_off in steps of conductance


@pytest.fixture
def reads():
    """Currents (tile, input, col) in products of levels, 20 % below or above ideal, with digits of 2 tiles."""
    rng = np.random.default_rng(0)
    v = rng.integers(0, 16, (1, 5, 6)).astype(float)
    g = rng.integers(0, 16, (2, 6, 4)).astype(float)
    g[..., -1] = 0
    v[0, 3] = 0
    i = v @ (g + FLOOR) * rng.uniform(0.8, 1.2, (2, 5, 4))
    return i, v, g


def removed(floor, reads):
    i, v, g = reads
    used = g.shape[-1] - floor.reserved_cols
    ideal = torch.tensor((v @ g)[..., :used]) if floor.needs_ideal else None
    return floor.remove(torch.tensor(i), ideal, torch.tensor(FLOOR * v[0].sum(-1, keepdims=True)))


def test_paper_floor_scales_what_is_left_by_the_ratio_of_currents(reads):
    i, v, g = reads
    expected = np.zeros_like(i)
    for tile, entry, col in np.ndindex(i.shape):
        floor = FLOOR * v[0, entry].sum()
        ideal = float(v[0, entry] @ g[tile, :, col]) + floor
        if ideal > 0:
            expected[tile, entry, col] = (ideal - floor) * i[tile, entry, col] / ideal
    # same formula, another order of operations
    np.testing.assert_allclose(removed(PaperFloor(), reads), expected, rtol=1e-12, atol=1e-12)


def test_paper_floor_is_zero_without_voltage(reads):
    assert (removed(PaperFloor(), reads)[:, 3] == 0).all()


def test_dummy_column_is_subtracted_and_dropped(reads):
    i, *_ = reads
    np.testing.assert_array_equal(removed(DummyColumn(), reads), i[..., :3] - i[..., 3:])


def test_digital_floor_is_the_exact_number(reads):
    i, v, _ = reads
    np.testing.assert_array_equal(removed(DigitalFloor(), reads), i - FLOOR * v.sum(-1)[..., None])


@pytest.mark.parametrize("floor", [PaperFloor(), DummyColumn(), DigitalFloor()], ids=lambda f: type(f).__name__)
def test_all_agree_on_ideal_currents(floor, reads):
    _, v, g = reads
    left = removed(floor, (v @ (g + FLOOR), v, g))
    # 1e-12: whole numbers, but for the quotient of the paper's way
    np.testing.assert_allclose(left, (v @ g)[..., : left.shape[-1]], rtol=1e-12, atol=0)


# --- the output converter ---


def codes(products, adc, unit=1.0):
    return read_out(torch.tensor(products, dtype=torch.float64), unit, adc)


def test_default_adc_reads_whole_products_of_levels_and_clips():
    read = codes([[-3.0, -0.4, 0.4, 0.6, 7.3, 16383.0, 16384.0, 1e9]], Adc())
    assert read.tolist() == [[0, 0, 0, 1, 7, 16383, 16383, 16383]]


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_adc_spreads_its_codes_over_its_full_scale(bits):
    products = np.linspace(-5, 40, 301)[None]
    step = 10 * math.pi / (2**bits - 1)
    expected = np.clip(np.rint(products / step), 0, 2**bits - 1) * step
    # exact: the same operations in the same order
    np.testing.assert_array_equal(codes(products, Adc(bits), step), expected)


def test_every_column_has_its_own_unit():
    products = np.linspace(-2, 90, 24).reshape(2, 3, 4)
    units = np.array([0.5, 1.0, 2.0, 7.0]) * np.array([[[1.0]], [[1.5]]])
    expected = np.clip(np.rint(products / units), 0, 15) * units
    np.testing.assert_array_equal(codes(products, Adc(4), torch.tensor(units)), expected)


def test_no_adc_rounds_to_whole_products_and_never_clips():
    assert codes([[-7.4, -0.6, 0.3, 1e6 + 0.2, 2.0**40]], None).tolist() == [[-7, -1, 0, 1e6, 2.0**40]]


def test_gain_and_offset_move_codes_before_rounding():
    products = np.linspace(-5, 70, 211)[None]
    expected = np.clip(np.rint(products / 2 * 0.9 + 1.3), 0, 31) * 2
    np.testing.assert_array_equal(codes(products, Adc(5, gain=0.9, offset=1.3), 2.0), expected)


@pytest.mark.parametrize("points", [2, 5, 16])
def test_integral_nonlinearity_is_linear_between_its_points(points):
    inl = np.random.default_rng(points).normal(0, 1.5, points)
    products = np.linspace(-3, 20, 171)[None] + 1e-4  # no reading on the edge of a step
    code = products * 1.1 - 0.4
    expected = np.clip(np.rint(code + np.interp(code, np.linspace(0, 15, points), inl)), 0, 15)
    read = codes(products, Adc(4, gain=1.1, offset=-0.4, inl=tuple(inl.tolist())))
    np.testing.assert_array_equal(read, expected)


def test_integral_nonlinearity_is_the_sum_of_the_errors_of_steps():
    assert inl_from_dnl([0.5, -0.25, 0.0]) == (0.0, 0.5, 0.25, 0.25)
    dnl = np.random.default_rng(0).normal(0, 0.3, 15)
    inl = inl_from_dnl(dnl.tolist())
    np.testing.assert_allclose(inl, np.concatenate([[0], np.cumsum(dnl)]), rtol=1e-14)
    read = codes([list(range(16))], Adc(4, inl=inl))
    np.testing.assert_array_equal(read, [np.clip(np.rint(np.arange(16) + inl), 0, 15)])


def test_rounding_passes_gradients_and_clamping_stops_them():
    y = torch.tensor([[-3.0, 4.3, 99.0]], requires_grad=True)
    read_out(y, 2.0, Adc(4, gain=1.5)).sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [[0, 1.5, 0]]


def test_clipped_currents_are_those_whose_code_is_beyond_the_converters():
    products = torch.tensor([[-1.2, -1.0, 0.0, 30.9, 31.1, 1e9]], dtype=torch.float64)  # 15 codes of 2, and half of one
    assert clips(products, 2.0, Adc(4)).tolist() == [[True, False, False, False, True, True]]
    assert clips(products, 2.0, Adc(4, offset=0.4)).tolist() == [[False, False, False, True, True, True]]
    assert clips(products, torch.ones(1, 6), Adc(5)).tolist() == [[True, True, False, False, False, True]]


# --- its noise ---


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_is_normal_in_codes_and_comes_from_the_callers_generator():
    zeros = torch.full((1, 4000, 5), 1000.0, dtype=torch.float64)
    read = read_out(zeros, 0.5, Adc(12, noise=3.0, generator=seeded()))
    drawn = torch.randn(1, 4000, 5, generator=seeded())
    np.testing.assert_array_equal(read / 0.5, np.rint(2000 + 3.0 * drawn.double().numpy()))
    # 5 standard errors of 20000 draws
    assert abs(read.mean().item() - 1000) < 5 * 1.5 / math.sqrt(20000)
    assert abs(read.std().item() / 1.5 - 1) < 5 / math.sqrt(2 * 20000)


def test_every_reading_draws_anew():
    adc = Adc(12, noise=3.0, generator=seeded())
    y = torch.full((1, 5, 5), 1000.0)
    assert not torch.equal(read_out(y, 1.0, adc), read_out(y, 1.0, adc))


def test_a_converter_with_noise_or_errors_is_not_plain():
    assert Adc().is_plain
    assert Adc(8, 1e-5, generator=seeded()).is_plain
    for errors in ({"noise": 0.1, "generator": seeded()}, {"gain": 1.1}, {"offset": 0.1}, {"inl": (0.0, 0.0)}):
        assert not Adc(**errors).is_plain


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda adc: pickle.loads(pickle.dumps(adc)), lambda adc: dataclasses.replace(adc)]
)
def test_a_copy_is_equal_and_has_the_source_of_noise(duplicate):
    adc = Adc(8, noise=2.0, generator=seeded(5))
    twin = duplicate(adc)
    assert twin == adc
    assert isinstance(twin.generator, RandomSource)
    assert repr(twin.generator) == repr(adc.generator)


def test_what_has_been_drawn_does_not_change_what_a_converter_is():
    adc = Adc(8, noise=2.0, generator=seeded())
    before = repr(adc)
    read_out(torch.ones(1, 3), 1.0, adc)
    assert repr(adc) == before
    assert adc == Adc(8, noise=2.0, generator=seeded(1))
    assert hash(adc) == hash(Adc(8, noise=2.0, generator=seeded(1)))


def test_noise_needs_a_generator():
    with pytest.raises(ValueError, match=r"`Adc\(generator=...\)` must be a torch.Generator.*got None\. Pass"):
        Adc(noise=0.5)


# --- what is refused ---


@pytest.mark.parametrize("bits", [0, 9])
def test_dac_has_one_to_eight_bits(bits):
    with pytest.raises(ValueError, match=rf"`Dac\(bits=...\)` must lie between 1 and 8; got {bits}"):
        Dac(bits=bits)


@pytest.mark.parametrize("v_max", [0.0, -1.0, math.inf, math.nan])
def test_dac_voltage_must_be_positive(v_max):
    with pytest.raises(ValueError, match=rf"`Dac\(v_max=...\)` must be positive and finite; got {v_max} V"):
        Dac(v_max=v_max)


@pytest.mark.parametrize("count", [3, 5])
def test_dac_has_a_deviation_for_every_level(count):
    message = rf"`Dac\(inl=...\)` needs 4 finite deviations, one per level; got {count}"
    with pytest.raises(ValueError, match=message):
        Dac(2, inl=(0.0,) * count)
    with pytest.raises(ValueError, match=r"needs 4 finite deviations, one per level; got 4"):
        Dac(2, inl=(0.0, 0.1, math.nan, 0.1))


def test_digit_0_drives_no_voltage():
    with pytest.raises(ValueError, match=r"`Dac\(inl=...\)` must begin with 0.*; got 0\.1"):
        Dac(1, inl=(0.1, 0.0))


def test_voltages_are_not_negative():
    with pytest.raises(
        ValueError, match=r"`Dac\(inl=...\)` must leave every voltage at least 0; one level lies at -0\.5"
    ):
        Dac(2, inl=(0.0, -1.5, 0.0, 0.0))


@pytest.mark.parametrize("bits", [0, 33])
def test_adc_has_one_to_32_bits(bits):
    with pytest.raises(ValueError, match=rf"`Adc\(bits=...\)` must lie between 1 and 32; got {bits}.*`adc=None`"):
        Adc(bits=bits)


@pytest.mark.parametrize("full_scale", [0.0, -1e-6, math.inf, math.nan])
def test_adc_full_scale_must_be_positive(full_scale):
    with pytest.raises(ValueError, match=rf"`Adc\(full_scale=...\)` must be positive and finite; got {full_scale} A"):
        Adc(full_scale=full_scale)


@pytest.mark.parametrize("gain", [0.0, -1.0, math.inf, math.nan])
def test_adc_gain_must_be_positive(gain):
    with pytest.raises(ValueError, match=rf"`Adc\(gain=...\)` must be positive and finite; got {gain}"):
        Adc(gain=gain)


@pytest.mark.parametrize("offset", [math.inf, -math.inf, math.nan])
def test_adc_offset_must_be_finite(offset):
    with pytest.raises(ValueError, match=rf"`Adc\(offset=...\)` must be finite; got {offset} codes"):
        Adc(offset=offset)


@pytest.mark.parametrize("inl", [(), (0.0,), (0.0, math.nan), (math.inf, 0.0)])
def test_adc_nonlinearity_needs_two_points(inl):
    with pytest.raises(
        ValueError, match=rf"`Adc\(inl=...\)` needs at least 2 finite deviations; got {re.escape(str(inl))}"
    ):
        Adc(inl=inl)


@pytest.mark.parametrize("noise", [-0.1, math.inf, math.nan])
def test_adc_noise_must_be_at_least_0(noise):
    with pytest.raises(ValueError, match=rf"`Adc\(noise=...\)` must be at least 0 and finite; got {noise} codes"):
        Adc(noise=noise, generator=seeded())


@pytest.mark.parametrize("amperes", [0.0, -1e-6, math.inf, math.nan])
def test_scales_of_columns_must_be_positive(amperes):
    with pytest.raises(
        ValueError, match=rf"`ColumnScales\(amperes=...\)` must be positive and finite; got {amperes} A"
    ):
        ColumnScales((((1.0, 2.0), (amperes, 1.0)),))


def test_scales_of_no_columns_are_refused():
    with pytest.raises(ValueError, match="must be positive and finite; got none"):
        ColumnScales(())


def test_full_scales_are_values():
    assert Adc(8, WorstCase()) == Adc(8, WorstCase())
    assert Adc(8, ColumnScales((((1.0,),),))) == Adc(8, ColumnScales((((1.0,),),)))

"""Fixed point, digits, streams, tiles and accumulators against Python's own integers and fractions. No tolerances."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.digital import Accumulator, FixedPoint, accumulate, digits, quantize, streams, tile


def saturated(number: Fraction, bits: int) -> int:
    """Truncated toward zero, as Python's `int` does, then limited to a two's complement word."""
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, int(number)))


def all_integers(bits: int) -> torch.Tensor:
    return torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1), dtype=torch.int32)


@settings(deadline=None)
@given(
    x=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    bits=st.integers(2, 16),
    fraction_bits=st.integers(-16, 32),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_quantize_truncates_toward_zero_and_saturates(x, bits, fraction_bits, dtype):
    q = quantize(torch.tensor(x, dtype=dtype), FixedPoint(bits, fraction_bits))
    assert q.tolist() == [saturated(Fraction(value) * Fraction(2) ** fraction_bits, bits) for value in x]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_quantize_takes_half_precision(dtype):
    x = torch.tensor([-3.75, -0.126, 0.126, 3.75, 100.0], dtype=dtype)
    expected = [saturated(Fraction(value) * 8, 8) for value in x.tolist()]
    assert quantize(x, FixedPoint(8, 3)).tolist() == expected


def test_quantize_leaves_its_input_alone():
    x = torch.tensor([0.7, -0.7], dtype=torch.float64)
    quantize(x, FixedPoint())
    assert x.tolist() == [0.7, -0.7]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_quantize_refuses_numbers_that_are_not_finite(bad):
    with pytest.raises(ValueError, match="must be finite; 2 of 3 values are not"):
        quantize(torch.tensor([bad, 1.0, bad]), FixedPoint())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_quantize_refuses_integers(dtype):
    with pytest.raises(ValueError, match=f"must be floating numbers; got {dtype}"):
        quantize(torch.ones(2, dtype=dtype), FixedPoint())


@settings(deadline=None)
@given(bits=st.integers(1, 16), width=st.integers(1, 8), numbers=st.data())
def test_digits_make_up_the_number(bits, width, numbers):
    q = torch.tensor(numbers.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=8)), dtype=torch.int32)
    digit = digits(q, bits, width)
    assert len(digit) == math.ceil(bits / width)
    assert 0 <= digit.min()
    assert digit.max() < 2**width
    assert sum(d.long() << (k * width) for k, d in enumerate(digit)).tolist() == q.tolist()


@pytest.mark.parametrize(
    ("bits", "width"), [(bits, width) for bits in (2, 3, 4, 6, 8, 10, 12) for width in range(1, 9) if bits % width == 0]
)
def test_streams_make_up_every_signed_number(bits, width):
    q = all_integers(bits)
    stream, weight = streams(q, bits, width)
    assert 0 <= stream.min()
    assert stream.max() < 2**width
    assert (weight.long() @ stream.long()).tolist() == q.tolist()
    passes = 1 if width == 1 else 2
    assert len(stream) == passes * bits // width


@pytest.mark.parametrize("width", [2, 4, 8])
def test_inputs_without_negative_numbers_need_one_pass(width):
    stream, weight = streams(torch.tensor([0, 127], dtype=torch.int32), 8, width)
    assert len(stream) == 8 // width
    assert (weight > 0).all()


def test_binary_streams_are_twos_complement():
    stream, weight = streams(torch.tensor([-1, -8, 5], dtype=torch.int32), 4, 1)
    assert stream.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0]]
    assert weight.tolist() == [1, 2, 4, -8]


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    size=st.integers(1, 7),
    seed=st.integers(0, 99),
    dim=st.data(),
)
def test_tile_splits_and_fills_with_zeros(shape, size, seed, dim):
    dim = dim.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).integers(1, 9, shape)
    count = math.ceil(shape[dim] / size)
    pad = [(0, 0)] * len(shape)
    pad[dim] = (0, count * size - shape[dim])
    axis = dim % len(shape)
    expected = np.pad(x, pad).reshape(*shape[:axis], count, size, *shape[axis + 1 :])
    np.testing.assert_array_equal(tile(torch.tensor(x), dim, size), expected)


@settings(deadline=None)
@given(
    y=st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=10),
    fraction_bits=st.integers(0, 28),
    bits=st.integers(2, 40),
    kept_bits=st.integers(0, 28),
)
def test_accumulator_truncates_toward_zero_and_saturates(y, fraction_bits, bits, kept_bits):
    real = accumulate(torch.tensor(y, dtype=torch.float64), fraction_bits, Accumulator(bits, kept_bits))
    words = [saturated(Fraction(value, 2**fraction_bits) * 2**kept_bits, bits) for value in y]
    assert real.tolist() == [word / 2**kept_bits for word in words]


def test_no_accumulator_keeps_every_sum():
    assert accumulate(torch.tensor([2.0**52 + 1, -3.0], dtype=torch.float64), 2, None).tolist() == [2**50 + 0.25, -0.75]


@pytest.mark.parametrize("bits", [1, 17])
def test_fixed_point_has_2_to_16_bits(bits):
    with pytest.raises(ValueError, match=rf"`FixedPoint\(bits=...\)` must lie between 2 and 16; got {bits}"):
        FixedPoint(bits=bits)


@pytest.mark.parametrize("fraction_bits", [-17, 33])
def test_fixed_point_has_a_bounded_fraction(fraction_bits):
    with pytest.raises(ValueError, match=rf"fraction_bits=...\)` must lie between -16 and 32; got {fraction_bits}"):
        FixedPoint(fraction_bits=fraction_bits)


@pytest.mark.parametrize("bits", [1, 54])
def test_accumulator_has_2_to_53_bits(bits):
    with pytest.raises(ValueError, match=rf"`Accumulator\(bits=...\)` must lie between 2 and 53; got {bits}"):
        Accumulator(bits=bits)

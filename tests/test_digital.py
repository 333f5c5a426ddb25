"""Number formats, digits, tiles and accumulators against Python's own integers and fractions. No tolerances."""

import math
from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.digital import Accumulator, FixedPoint, Scaled, accumulate, digits, quantize, shifts, split, tile


def saturated(number: Fraction, bits: int) -> int:
    """Truncated toward zero, as Python's `int` does, then limited to a two's complement word."""
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, int(number)))


@settings(deadline=None)
@given(
    x=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    bits=st.integers(1, 16),
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
@given(
    x=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    bits=st.integers(1, 16),
    step=st.floats(1e-3, 1e3),
)
def test_scaled_numbers_are_the_nearest_multiple_of_the_step_and_saturate(x, bits, step):
    q = quantize(torch.tensor(x, dtype=torch.float64), Scaled(bits, step))
    largest = 2 ** (bits - 1)
    assert q.tolist() == [max(-largest, min(largest - 1, round(value / step))) for value in x]


def test_halves_round_to_even():
    assert quantize(torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5]), Scaled(4, 1.0)).tolist() == [0, 2, 2, 0, -2]


def test_every_output_channel_has_its_own_step():
    w = torch.tensor([[1.0, 1.0, -1.0], [0.3, 0.3, 0.3]])
    assert quantize(w, Scaled(8, (1.0, 0.1, 0.25))).tolist() == [[1, 10, -4], [0, 3, 1]]


@pytest.mark.parametrize("shape", [(3, 2), (3,), ()])
def test_numbers_of_other_channels_are_refused(shape):
    message = r"`Scaled\(step=...\)` has 4 steps, one per output channel; got numbers of shape .*Calibrate this layer"
    with pytest.raises(ValueError, match=message):
        quantize(torch.ones(shape), Scaled(8, (0.1,) * 4))


@pytest.mark.parametrize("number", [FixedPoint(4, 0, "raise"), Scaled(4, 1.0, "raise")], ids=str)
def test_an_overflow_is_refused_where_it_is_to_be(number):
    assert quantize(torch.tensor([-8.4, 7.4]), number).tolist() == [-8, 7]
    message = r"2 of 3 numbers overflow .*\(bits=4, .*: the largest is 9 steps, the format has 7\. Widen the format"
    with pytest.raises(ValueError, match=message):
        quantize(torch.tensor([-9.0, 8.0, 7.0]), number)


def test_a_step_of_fixed_point_is_its_last_bit():
    assert [FixedPoint(8, 3).step, FixedPoint(8, -2).step] == [0.125, 4.0]


@settings(deadline=None)
@given(bits=st.integers(1, 16), width=st.integers(1, 8), numbers=st.data())
def test_digits_make_up_the_number(bits, width, numbers):
    q = torch.tensor(numbers.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=8)), dtype=torch.int32)
    digit = digits(q, split(bits, width))
    assert len(digit) == math.ceil(bits / width)
    assert 0 <= digit.min()
    assert digit.max() < 2**width
    assert sum(d.long() << (k * width) for k, d in enumerate(digit)).tolist() == q.tolist()


def test_unequal_digits_of_a_negative_word_are_those_of_its_twos_complement():
    words = np.arange(-64, 64)
    digit = digits(torch.tensor(words, dtype=torch.int32), (3, 1, 2, 1))
    places = [1, 8, 16, 64]
    assert (digit.amax(1) + 1).tolist() == [8, 2, 4, 2]
    np.testing.assert_array_equal(sum(p * d.numpy() for p, d in zip(places, digit, strict=True)), words % 128)


@pytest.mark.parametrize(
    ("bits", "width", "widths"),
    [(8, 4, (4, 4)), (7, 3, (3, 3, 1)), (2, 8, (2,)), (1, 1, (1,)), (8, (1, 3, 4), (1, 3, 4)), (0, 4, ())],
)
def test_words_are_split_into_digits(bits, width, widths):
    assert split(bits, width) == widths
    assert shifts(widths) == [sum(widths[:k]) for k in range(len(widths))]


@pytest.mark.parametrize("width", [0, 9, (4, 0), (9, 1)])
def test_a_digit_has_1_to_8_bits(width):
    wrong = width if isinstance(width, int) else next(w for w in width if not 1 <= w <= 8)
    with pytest.raises(ValueError, match=f"A digit has 1 to 8 bits; got {wrong}"):
        split(10, width)


def test_unequal_digits_make_up_the_whole_word():
    with pytest.raises(ValueError, match=r"Digits of \(4, 3\) bits make up 7 bits, but the word has 8"):
        split(8, (4, 3))


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
    real = accumulate(torch.tensor(y, dtype=torch.float64), 2.0**-fraction_bits, Accumulator(bits, kept_bits))
    words = [saturated(Fraction(value, 2**fraction_bits) * 2**kept_bits, bits) for value in y]
    assert real.tolist() == [word / 2**kept_bits for word in words]


def test_no_accumulator_keeps_every_sum():
    assert accumulate(torch.tensor([2.0**52 + 1, -3.0], dtype=torch.float64), 0.25, None).tolist() == [
        2**50 + 0.25,
        -0.75,
    ]


def test_channels_of_their_own_step_are_accumulated_alike():
    y, steps = torch.tensor([[3.0, 3.0], [-5.0, 100.0]], dtype=torch.float64), torch.tensor([0.3, 0.7]).double()
    kept = accumulate(y, steps, Accumulator(6, 1))
    assert kept.tolist() == [[0.5, 2.0], [-1.5, 15.5]]  # halves of 0.9, 2.1, -1.5, and 70 saturated
    assert accumulate(y, steps, None).tolist() == (y * steps).tolist()


@pytest.mark.parametrize("kind", [FixedPoint, Scaled])
@pytest.mark.parametrize("bits", [0, 17])
def test_numbers_have_1_to_16_bits(kind, bits):
    with pytest.raises(ValueError, match=rf"`{kind.__name__}\(bits=...\)` must lie between 1 and 16; got {bits}"):
        kind(bits, 1)


@pytest.mark.parametrize("kind", [FixedPoint, Scaled])
def test_an_overflow_saturates_or_raises(kind, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its check would come first
    message = rf"`{kind.__name__}\(overflow=...\)` must be 'saturate' or 'raise'; got 'wrap'"
    with pytest.raises(ValueError, match=message):
        kind(8, 1, "wrap")


@pytest.mark.parametrize("step", [0.0, -1.0, math.inf, math.nan])
def test_a_step_is_positive_and_finite(step):
    for steps in (step, (1.0, step)):
        with pytest.raises(ValueError, match=rf"`Scaled\(step=...\)` must be positive and finite; got {step}"):
            Scaled(8, steps)
    with pytest.raises(ValueError, match=r"`Scaled\(step=...\)` must be positive and finite; got \(\)"):
        Scaled(8, ())


@pytest.mark.parametrize("fraction_bits", [-17, 33])
def test_fixed_point_has_a_bounded_fraction(fraction_bits):
    with pytest.raises(ValueError, match=rf"fraction_bits=...\)` must lie between -16 and 32; got {fraction_bits}"):
        FixedPoint(fraction_bits=fraction_bits)


@pytest.mark.parametrize("bits", [1, 54])
def test_accumulator_has_2_to_53_bits(bits):
    with pytest.raises(ValueError, match=rf"`Accumulator\(bits=...\)` must lie between 2 and 53; got {bits}"):
        Accumulator(bits=bits)

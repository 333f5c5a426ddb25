"""Streams of signed inputs against Python's integers: they make up every number, in the passes they promise."""

import numpy as np
import pytest
import torch

from geniex.coding import OffsetInputs, TwoPasses, TwosComplementStreams, stream_digits

CODINGS = [TwoPasses(), TwosComplementStreams(), OffsetInputs()]
each_coding = pytest.mark.parametrize("coding", CODINGS, ids=lambda c: type(c).__name__)


def all_integers(bits):
    return torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1), dtype=torch.int32)[:, None]


def put_together(q, coding, bits, width):
    """The digits (input, stream), and the numbers that they and their places make up."""
    streams = coding.streams(bits, width)
    digits = stream_digits(q, streams).squeeze(-1).numpy()
    return digits, digits @ np.array([stream.place for stream in streams]) - coding.offset(bits)


@each_coding
@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8, 11, 16])
def test_streams_make_up_every_signed_number(coding, bits, width):
    q = all_integers(bits)
    digits, numbers = put_together(q, coding, bits, width)
    assert digits.min() == 0
    assert digits.max() < 2**width
    np.testing.assert_array_equal(numbers, q.squeeze(-1))


@pytest.mark.parametrize(
    ("coding", "widths"),
    [
        (TwoPasses(), (3, 1, 4)),
        (TwosComplementStreams(), (4, 3, 1)),
        (TwosComplementStreams(), (2, 2, 3, 1)),
        (OffsetInputs(), (1, 7)),
    ],
)
def test_streams_of_unequal_digits_make_up_every_signed_number(coding, widths):
    q = all_integers(8)
    digits, numbers = put_together(q, coding, 8, widths)
    np.testing.assert_array_equal(numbers, q.squeeze(-1))
    passes = 2 if isinstance(coding, TwoPasses) else 1
    assert digits.max(0).tolist() == [2**width - 1 for width in widths] * passes or isinstance(coding, TwoPasses)
    assert digits.shape[1] == passes * len(widths)


@pytest.mark.parametrize(
    ("coding", "streams"), [(TwoPasses(), 4), (TwosComplementStreams(), 3), (OffsetInputs(), 2)], ids=str
)
def test_a_coding_takes_as_many_streams_as_it_says(coding, streams):
    assert len(coding.streams(8, 4)) == streams


def test_the_second_of_two_passes_drives_nothing_without_negative_numbers():
    digits, _ = put_together(torch.tensor([[0], [127]], dtype=torch.int32), TwoPasses(), 8, 4)
    assert digits.tolist() == [[0, 0, 0, 0], [15, 7, 0, 0]]


def test_twos_complement_streams_end_with_the_sign():
    q = torch.tensor([[-1], [-8], [5]], dtype=torch.int32)
    digits, _ = put_together(q, TwosComplementStreams(), 4, 1)
    assert digits.T.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0]]
    assert [stream.place for stream in TwosComplementStreams().streams(4, 1)] == [1, 2, 4, -8]


def test_offset_inputs_drive_half_of_the_range_for_a_0():
    digits, _ = put_together(torch.tensor([[0], [-128]], dtype=torch.int32), OffsetInputs(), 8, 4)
    assert digits.tolist() == [[0, 8], [0, 0]]
    assert OffsetInputs().offset(8) == 128


@each_coding
def test_rows_are_coded_each_by_itself(coding):
    q = torch.tensor([[3, -5, 0], [-8, 7, 1]], dtype=torch.int32)
    streams = coding.streams(4, 2)
    digits = stream_digits(q, streams)
    assert digits.shape == (2, len(streams), 3)
    for row in range(3):
        assert torch.equal(digits[..., row : row + 1], stream_digits(q[:, row : row + 1], streams))


@pytest.mark.parametrize("widths", [(4, 4), ()])
def test_unequal_digits_of_twos_complement_end_with_the_sign_bit(widths):
    with pytest.raises(ValueError, match=r"the last digit is the sign bit, of 1 bit; got digits of \(.*\) bits"):
        TwosComplementStreams().streams(8, widths)


@each_coding
def test_digits_that_make_up_another_word_are_refused(coding):
    with pytest.raises(ValueError, match=r"Digits of \(4, 1\) bits make up 5 bits, but the word has 8"):
        coding.streams(8, (4, 1))


@each_coding
def test_digits_of_too_many_bits_are_refused(coding):
    with pytest.raises(ValueError, match="A digit has 1 to 8 bits; got 9"):
        coding.streams(16, 9)

"""The compiled way of the product's digital side does what the way through torch does."""

import math

import numpy as np
import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.coding import OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.converters import Adc, ColumnScales, Dac, DigitalFloor, DummyColumn, PaperFloor, WorstCase
from geniex.digital import FixedPoint, Scaled, quantize
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.functional.kernels import CompiledStreams, can_add, integers
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

ROWS, COLS, OUTPUTS = 6, 5, 4
MODEL = LinearCircuit(CrossbarSpec(ROWS, COLS, r_source=1000.0, r_sink=500.0))
FLOORS = [PaperFloor(), DummyColumn(), DigitalFloor()]
each_floor = pytest.mark.parametrize("floor", FLOORS, ids=lambda f: type(f).__name__)
SINGLE, DOUBLE = {}, {"dac": Dac(8), "slice_bits": 8}
"""Changes that make the product compute in float32 and in float64."""


def scales(used):
    values = np.random.default_rng(3).uniform(1e-6, 2e-5, (3, 4, used))
    return ColumnScales(tuple(tuple(map(tuple, tile.tolist())) for tile in values))


def hardware(**changes):
    number = FixedPoint(8, 4)
    defaults = {"rows": ROWS, "cols": COLS, "accumulator": None, "weights": number, "inputs": number}
    return HardwareConfig(**defaults | changes)


def numbers(inputs=7):
    generator = torch.Generator().manual_seed(2)
    x = 5 * torch.randn(inputs, 14, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.3] = 0
    x[1] = 0
    return x, 5 * torch.randn(14, OUTPUTS, generator=generator)


def sums_of_both_ways(config, model=MODEL):
    """Sums of readings (input, crossbar, used), compiled and through torch."""
    x, w = numbers()
    programmed = AnalogMatmul(model, config).program(w)
    q, used = quantize(x, config.inputs), config.cols - config.floor.reserved_cols
    ways = torch.zeros(2, len(q), programmed.crossbars, used, dtype=torch.float64)
    for tile in programmed.tiles:
        assert can_add(tile)
        programmed._add_compiled(q, tile, ways[0])
        programmed._add(q, tile, ways[1])
    assert ways[1].any()
    return ways


@each_floor
@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
@pytest.mark.parametrize("adc", [None, Adc(14), Adc(5)], ids=str)
@pytest.mark.parametrize("model", [Ideal(), MODEL], ids=lambda m: type(m).__name__)
def test_whole_products_of_levels_are_the_same(model, adc, precision, floor):
    compiled, through_torch = sums_of_both_ways(hardware(adc=adc, floor=floor, **precision), model)
    assert torch.equal(compiled, through_torch)


@each_floor
@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
@pytest.mark.parametrize("scale", ["number", "worst case", "columns"])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_codes_of_any_size_are_the_same(bits, scale, precision, floor):
    full_scale = {"number": 5e-6, "worst case": WorstCase(), "columns": scales(COLS - floor.reserved_cols)}[scale]
    config = hardware(adc=Adc(bits, full_scale), floor=floor, **precision)
    compiled, through_torch = sums_of_both_ways(config)
    # a code of 16 bits is 1.5e-5 of full scale: in float32, readings that round the other way are few, and a code apart
    same = torch.isclose(compiled, through_torch, rtol=1e-6, atol=0)
    assert same.double().mean() > (0.9 if bits == 16 and precision is SINGLE else 0.999)
    torch.testing.assert_close(compiled, through_torch, rtol=0, atol=2**-12 * through_torch.abs().max().item())


@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=str)
@pytest.mark.parametrize("coding", [TwoPasses(), TwosComplementStreams(), OffsetInputs()], ids=str)
@pytest.mark.parametrize("widths", [(4, 4), (3, 2), ((1, 4, 3), (3, 4, 1))], ids=str)
def test_digits_of_every_coding_are_the_same(mapping, coding, widths):
    config = hardware(mapping=mapping, signed_inputs=coding, slice_bits=widths[0], stream_bits=widths[1])
    assert torch.equal(*sums_of_both_ways(config))


def test_voltages_off_the_straight_line_are_the_same():
    levels = np.random.default_rng(0).uniform(-0.4, 0.4, 15).tolist()
    assert torch.equal(*sums_of_both_ways(hardware(dac=Dac(4, inl=(0.0, *levels)))))


@pytest.mark.parametrize(
    "adc", [Adc(gain=1.1), Adc(offset=0.5), Adc(inl=(0.0, 1.0)), Adc(noise=1.0, generator=torch.Generator()), Adc(24)]
)
def test_converters_with_errors_or_many_codes_take_the_way_through_torch(adc):
    programmed = AnalogMatmul(Ideal(), hardware(adc=adc)).program(numbers()[1])
    assert not any(map(can_add, programmed.tiles))


# --- reads ---


def read_by_hand(q, streams, first, rows):
    """(input, stream, digits) of every read that drives a row, by Python's integers."""
    found = []
    for entry, words in enumerate(q.tolist()):
        for number, s in enumerate(streams):
            here = words[first : first + rows]
            digits = [(max(s.sign * word + s.offset, s.least) >> s.shift) & s.mask for word in here]
            if any(digits):
                found.append((entry, number, digits + [0] * (rows - len(digits))))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("coding", [TwoPasses(), TwosComplementStreams(), OffsetInputs()], ids=str)
@pytest.mark.parametrize("first", [0, 6, 12])
def test_reads_that_drive_no_row_are_left_out(coding, first, dtype):
    q, streams = quantize(numbers()[0], FixedPoint(8, 4)), coding.streams(8, 2)
    reads = CompiledStreams(streams).reads(q, first, ROWS, dtype)
    expected = read_by_hand(q, streams, first, ROWS)
    assert reads.level.dtype == dtype
    assert reads.level.tolist() == [digits for *_, digits in expected]
    assert reads.entry.tolist() == [entry for entry, *_ in expected]
    assert reads.place.tolist() == [streams[number].place for _, number, _ in expected]
    assert reads.total.tolist() == [sum(digits) for *_, digits in expected]
    if not isinstance(coding, OffsetInputs):
        assert len(expected) < len(q) * len(streams)
        assert 1 not in reads.entry  # an input of zeros


@pytest.mark.parametrize("inputs", [torch.zeros(3, 14), torch.zeros(0, 14)], ids=["zeros", "none"])
def test_nothing_is_read_where_nothing_is_driven(inputs):
    matmul = AnalogMatmul(MODEL, hardware())
    programmed = matmul.program(numbers()[1])
    assert torch.equal(matmul.multiply(inputs, programmed), torch.zeros(len(inputs), OUTPUTS))


# --- integers ---

NUMBERS = [FixedPoint(8, 4), FixedPoint(1, 0), FixedPoint(16, 13), FixedPoint(4, -2), FixedPoint(16, 32)]
NUMBERS += [Scaled(8, 0.0625), Scaled(8, 0.1), Scaled(1, 1.0), Scaled(16, 1e-3), Scaled(4, 3.0)]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_integers_are_those_of_quantize(number):
    """Inside of the format, on its ends, beyond, and on halves of a step."""
    top = 2.0 ** (number.bits - 1) * number.step
    x = torch.cat([torch.linspace(-1.5, 1.5, 1001) * top, torch.arange(-40, 40) * (number.step / 2)])
    x = torch.cat([x, torch.tensor([0.0, -0.0, 1e-40, 1e30, -1e30, top, -top])])
    q = integers(x, number)
    if q is not None:
        assert torch.equal(q, quantize(x, number))
        assert q.min() == -(2 ** (number.bits - 1))
        assert q.max() == 2 ** (number.bits - 1) - 1
    else:
        assert (x * 2.0**number.fraction_bits).isinf().any()  # beyond float32: the way through torch limits it


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("number", [FixedPoint(), Scaled(8, 0.1)], ids=str)
def test_numbers_that_are_not_finite_are_left_to_the_way_that_tells_of_them(bad, number):
    assert integers(torch.tensor([1.0, bad, 0.0]), number) is None


def test_overflow_that_is_to_raise_and_steps_of_channels_are_left_to_the_other_way():
    assert integers(torch.ones(3), FixedPoint(8, 4, "raise")) is None
    assert integers(torch.ones(3), Scaled(8, (0.1, 0.1, 0.1))) is None


def test_views_of_any_strides_are_read_in_their_own_order():
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))[::2].mT
    assert torch.equal(integers(x, FixedPoint(8, 4)), quantize(x, FixedPoint(8, 4)))

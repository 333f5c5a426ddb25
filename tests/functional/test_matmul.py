"""The analog product equals integer arithmetic where nothing is lost, and a plain loop where something is."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geniex.circuit.spec import CrossbarSpec
from geniex.coding import OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.converters import Adc, Dac, DigitalFloor, DummyColumn, PaperFloor
from geniex.devices import Sinh
from geniex.digital import Accumulator, FixedPoint, Scaled
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

FLOORS = [PaperFloor(), DummyColumn(), DigitalFloor()]
MAPPINGS = [DifferentialPair(), OffsetColumn(), TwosComplement()]
CODINGS = [None, TwoPasses(), TwosComplementStreams(), OffsetInputs()]
each_floor = pytest.mark.parametrize("floor", FLOORS, ids=lambda f: type(f).__name__)
each_mapping = pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda m: type(m).__name__)


def analog(x, w, model, config):
    """The product of numpy matrices x (input, row) and w (row, col), on crossbars."""
    matmul = AnalogMatmul(model, config)
    return matmul.program(torch.tensor(w)).multiply(torch.tensor(x)).numpy()


def integers(x, number):
    """Fixed point, written independently: truncated toward zero and saturated, int64."""
    largest = 2 ** (number.bits - 1)
    return np.clip(np.trunc(x * 2.0**number.fraction_bits), -largest, largest - 1).astype(np.int64)


def real_numbers(number, shape, rng, low=-1.2):
    """Numbers over the whole range of a fixed-point format and beyond, some at its very ends, some 0."""
    top = 2.0 ** (number.bits - 1 - number.fraction_bits)
    x = rng.uniform(low * top, 1.2 * top, shape)
    x[rng.random(shape) < 0.2] = max(low, -1) * top
    x[rng.random(shape) < 0.2] = top
    return np.where(rng.random(shape) < rng.random(), x, 0)


@st.composite
def digit_widths(draw, bits, ends_with_sign=False):
    """One width for all digits, or one for each."""
    if draw(st.booleans()):
        return draw(st.integers(1, 8))
    widths, left = [], bits - ends_with_sign
    while left:
        widths.append(draw(st.integers(1, min(8, left))))
        left -= widths[-1]
    return (*widths, *[1] * ends_with_sign)


@st.composite
def lossless_hardware(draw):
    """Every combination of formats, digits, codings, tiles, windows, mappings and floors, without an ADC.

    As plain arguments: the types of objects are checked on random elements, which a strategy must not draw.
    """
    (w_bits, w_fraction), (x_bits, x_fraction) = draw(
        st.tuples(*[st.tuples(st.integers(1, 16), st.integers(-2, 14))] * 2)
    )
    coding = draw(st.sampled_from(CODINGS))
    streams = draw(digit_widths(x_bits, isinstance(coding, TwosComplementStreams)))
    widest = streams if isinstance(streams, int) else max(streams)
    assume(coding is not None or widest > 1 or isinstance(streams, int))
    floor, g_on = draw(st.sampled_from(FLOORS)), draw(st.sampled_from([1e-6, 1e-5, 1e-3]))
    return {
        "rows": draw(st.integers(1, 9)),
        "cols": draw(st.integers(1 + floor.reserved_cols, 9)),
        "weights": (w_bits, w_fraction),
        "inputs": (x_bits, x_fraction),
        "slice_bits": draw(digit_widths(w_bits)),
        "stream_bits": streams,
        "dac": (draw(st.integers(widest, 8)), draw(st.sampled_from([0.1, 0.25, 1.0]))),
        "signed_inputs": coding,
        "g_on": g_on,
        "g_off": g_on / draw(st.floats(2, 10)),
        "floor": floor,
        "mapping": draw(st.sampled_from(MAPPINGS)),
    }


@settings(deadline=None, max_examples=400)
@given(
    hardware=lossless_hardware(),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 7)),
    low=st.sampled_from([-1.2, 0.0]),
    seed=st.integers(0, 2**31),
)
def test_without_losses_the_analog_product_is_the_integer_product(hardware, shape, low, seed):
    number = {name: FixedPoint(*hardware.pop(name)) for name in ("weights", "inputs")}
    config = HardwareConfig(**hardware | number | {"dac": Dac(*hardware["dac"])}, adc=None, accumulator=None)
    rng, (inputs, rows, cols) = np.random.default_rng(seed), shape
    x = real_numbers(config.inputs, (inputs, rows), rng, low)
    w = real_numbers(config.weights, (rows, cols), rng)
    product = integers(x, config.inputs) @ integers(w, config.weights)
    fraction_bits = config.inputs.fraction_bits + config.weights.fraction_bits
    assert (analog(x, w, Ideal(), config) == product * 2.0**-fraction_bits).all()


@each_floor
@pytest.mark.parametrize("x_level", [1, 170, 255])
@pytest.mark.parametrize("w_level", [0, 1, 8, 15])
@pytest.mark.parametrize("ratio", [2.0, 10.0])
@pytest.mark.parametrize("rows", [20, 246])
def test_long_columns_are_summed_exactly(floor, x_level, w_level, ratio, rows):
    """Sums of equal products round in one direction, the worst case of a precision chosen too low."""
    config = HardwareConfig(
        rows, 3, FixedPoint(8, 0), FixedPoint(16, 0), 4, Dac(8), None, g_off=1e-5 / ratio, floor=floor, accumulator=None
    )
    x, w = np.full((1, rows), float(x_level)), np.full((rows, 1), float(w_level))
    assert analog(x, w, Ideal(), config).item() == rows * x_level * w_level


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_negative_inputs_are_exact(width):
    config = HardwareConfig(4, 4, FixedPoint(8, 0), FixedPoint(8, 0), dac=Dac(width), adc=None, accumulator=None)
    x = np.array([[-128.0, -1, 0, 127, -77]])
    w = np.array([[127.0], [-128], [5], [-6], [93]])
    assert analog(x, w, Ideal(), config).item() == -128 * 127 + 128 - 6 * 127 - 77 * 93


# --- with a converter: a loop over every crossbar and stream ---


def stored_words(w, config):
    """The non-negative words of each array."""
    if isinstance(config.mapping, DifferentialPair):
        return [np.maximum(w, 0), np.maximum(-w, 0)]
    if isinstance(config.mapping, TwosComplement):
        return [w % 2 ** (config.weights.bits - 1), (w < 0).astype(int)]
    return [w + 2 ** (config.weights.bits - 1)]


def streams_of(x, config):
    """(weight, digits) of every stream of the words `x`."""
    bits, width = config.inputs.bits, config.dac.bits
    if width == 1:
        places = [2**k if k < bits - 1 else -(2**k) for k in range(bits)]
        return [(place, (x >> k) & 1) for k, place in enumerate(places)]
    return [(sign * 2**k, (np.maximum(sign * x, 0) >> k) % 2**width) for sign in (1, -1) for k in range(0, bits, width)]


def crossbars_of(words, config, bits):
    """(first row, conductances, which (slice weight, output) each column holds) of every tile of one array."""
    width, used = config.slice_bits, config.cols - config.floor.reserved_cols
    columns = [(2**k, m) for k in range(0, bits, width) for m in range(words.shape[1])]
    step = (config.g_on - config.g_off) / (2**width - 1)
    for top in range(0, len(words), config.rows):
        for left in range(0, len(columns), used):
            here = columns[left : left + used]
            g = np.full((config.rows, config.cols), config.g_off)
            for col, (place, m) in enumerate(here):
                digit = (words[top : top + config.rows, m] // place) % 2**width
                g[: len(digit), col] += digit * step
            yield top, g, here


def without_floor(i, v, g, config):
    if isinstance(config.floor, DummyColumn):
        return i[:-1] - i[-1]
    floor = config.g_off * v.sum()
    if isinstance(config.floor, DigitalFloor):
        return i - floor
    ideal = v @ g
    return (ideal - floor) * i / ideal if v.any() else 0 * i


def read_products(i, config):
    """ADC codes in products of levels, and whether a reading lies so near to a step that float32 may round it over."""
    product = config.dac.v_max / (2**config.dac.bits - 1) * (config.g_on - config.g_off) / (2**config.slice_bits - 1)
    if config.adc is None:
        return np.rint(i / product), np.abs(i / product % 1 - 0.5) < 1e-3
    step = 1.0 if config.adc.full_scale is None else config.adc.full_scale / (2**config.adc.bits - 1) / product
    code = i / product / step
    return np.clip(np.rint(code), 0, 2**config.adc.bits - 1) * step, np.abs(code % 1 - 0.5) < 1e-3


def looped(x, w, model, config):
    """x @ w by loops in float64, and how far a reading on the edge of an ADC step could move each result."""
    x, w = integers(x, config.inputs), integers(w, config.weights)
    y, edge = np.zeros((2, len(x), w.shape[1]))
    half = 2 ** (config.weights.bits - 1) if isinstance(config.mapping, TwosComplement) else 1
    for array, (sign, words) in enumerate(zip((1, -half), stored_words(w, config), strict=False)):
        bits = 1 if array == 1 and half > 1 else config.weights.bits
        for top, g, columns in crossbars_of(words, config, bits):
            read = model.program(torch.tensor(g))
            for n, row in enumerate(x):
                for weight, digit in streams_of(row[top : top + config.rows], config):
                    v = np.zeros(config.rows)
                    v[: len(digit)] = digit * config.dac.v_max / (2**config.dac.bits - 1)
                    i = read(torch.tensor(v)[None]).numpy()[0]
                    read_out, on_edge = read_products(without_floor(i, v, g, config), config)
                    for (place, m), products, close in zip(columns, read_out, on_edge, strict=False):
                        y[n, m] += sign * weight * place * products
                        edge[n, m] += abs(weight) * place * close
    if isinstance(config.mapping, OffsetColumn):
        y -= 2 ** (config.weights.bits - 1) * x.sum(1, keepdims=True)
    scale = 2.0 ** -(config.weights.fraction_bits + config.inputs.fraction_bits)
    return y * scale, edge * scale


def hardware(**changes):
    number = FixedPoint(8, 4)
    return HardwareConfig(**{"rows": 6, "cols": 5, "weights": number, "inputs": number, "accumulator": None, **changes})


def numbers(low=-8.0):
    rng = np.random.default_rng(5)
    x, w = rng.uniform(low, 8, (3, 14)), rng.uniform(-8, 8, (14, 3))
    return np.where(rng.random(x.shape) < 0.3, 0, x), w


def assert_equals_loop(x, w, model, config):
    expected, edge = looped(x, w, model, config)
    assert (edge == 0).mean() > 0.5, "too many readings on the edge of a step to say anything"
    # whole products of levels are exact; other steps are rounded to float32, 6e-8 of sums of up to 14 x 8 x 8
    rounding = 5e-5 if config.adc is not None and config.adc.full_scale is not None else 0
    assert (np.abs(analog(x, w, model, config) - expected) <= rounding + edge).all()


@each_floor
@each_mapping
@pytest.mark.parametrize("model", [Ideal(), LinearCircuit(CrossbarSpec(6, 5))], ids=lambda m: type(m).__name__)
def test_with_the_papers_adc_it_equals_a_loop_over_crossbars_and_streams(model, mapping, floor):
    assert_equals_loop(*numbers(), model, hardware(adc=Adc(14), mapping=mapping, floor=floor))


@pytest.mark.parametrize("adc", [Adc(5), Adc(8), Adc(6, full_scale=3.3e-6), Adc(12, full_scale=2e-5), None], ids=str)
@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (4, 2), (8, 8)], ids=str)
def test_every_converter_and_width_equals_the_loop(adc, widths):
    model = LinearCircuit(CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0))
    config = hardware(adc=adc, slice_bits=widths[0], dac=Dac(widths[1]), floor=DigitalFloor())
    assert_equals_loop(*numbers(), model, config)


def test_a_small_adc_clips():
    x, w = numbers(low=0.0)
    w = np.abs(w)
    assert (analog(x, w, Ideal(), hardware(adc=Adc(5))) < analog(x, w, Ideal(), hardware(adc=None))).all()


def test_the_paper_converter_is_exact_up_to_64_rows():
    """64 rows of 15 x 15 make 14400 codes of 16384; every row full is the largest sum there is."""
    config = HardwareConfig(64, 4, FixedPoint(5, 0), FixedPoint(8, 0), slice_bits=5, dac=Dac(4), accumulator=None)
    assert config.adc == Adc(bits=14)
    assert analog(np.full((1, 64), 15.0), np.full((64, 1), 15.0), Ideal(), config).item() == 64 * 15 * 15


# --- the accumulator ---


@settings(deadline=None, max_examples=50)
@given(bits=st.integers(4, 20), fraction_bits=st.integers(0, 10), seed=st.integers(0, 2**31))
def test_the_accumulator_truncates_toward_zero_and_saturates(bits, fraction_bits, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.uniform(-8, 8, (3, 9)), rng.uniform(-8, 8, (9, 4))
    config = hardware(adc=None, accumulator=Accumulator(bits, fraction_bits))
    expected = np.empty((3, 4))
    for at, product in np.ndenumerate(integers(x, config.inputs) @ integers(w, config.weights)):
        word = int(Fraction(int(product), 2**8) * 2**fraction_bits)  # Python's `int` truncates toward zero
        expected[at] = max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, word)) / 2**fraction_bits
    assert (analog(x, w, Ideal(), config) == expected).all()


# --- what the crossbars are given ---


class Spy(CrossbarModel):
    """Ideal, and remembers the conductances of every `program` and the voltages of every `read`."""

    def __init__(self):
        super().__init__()
        self.g, self.v = [], []

    def program(self, g):
        self.g.append(g)
        read = Ideal().program(g)

        def remember(v):
            self.v.append(v)
            return read(v)

        return remember

    def levels(self, config):
        """All programmed crossbars (crossbar, row, col) as digits."""
        step = (config.g_on - config.g_off) / (2**config.slice_bits - 1)
        return ((torch.cat(self.g).double() - config.g_off) / step).round().long()


def test_columns_hold_slices_from_the_least_significant_and_outputs_within_a_slice():
    spy, config = Spy(), hardware(rows=3, cols=4, slice_bits=4, weights=FixedPoint(8, 0), inputs=FixedPoint(8, 0))
    w = np.array([[0x12, -0x45], [0x70, 0x06], [-0x31, 0x5A]], dtype=float)
    analog(np.ones((1, 3)), w, spy, config)
    positive = [[2, 0, 1, 0], [0, 6, 7, 0], [0, 10, 0, 5]]
    negative = [[0, 5, 0, 4], [0, 0, 0, 0], [1, 0, 3, 0]]
    assert spy.levels(config).tolist() == [positive, negative]


def test_unused_rows_and_columns_exist_at_0_volt_and_g_off():
    spy, config = Spy(), hardware(rows=6, cols=5, floor=DigitalFloor())  # leaves no blank crossbar out
    x, w = numbers()  # 14 rows on tiles of 6, and 2 slices of 3 outputs on tiles of 5
    analog(x, w, spy, config)
    assert [tuple(g.shape[-2:]) for g in spy.g] == [(6, 5)] * 3
    row_tiles = spy.levels(config).view(3, 2, 2, 6, 5)  # (row tile, array, column tile, row, col)
    assert (row_tiles[2, :, :, 2:] == 0).all()
    assert (row_tiles[:, :, 1, :, 1:] == 0).all()
    assert all((v[..., 2:] == 0).all() for v in spy.v[2::3])
    assert any((v[..., 2:] != 0).any() for v in spy.v[0::3])


def test_blank_crossbars_are_left_out_where_they_read_as_0():
    w = np.abs(numbers()[1])  # nothing negative: W- is blank
    for floor, crossbars in ((PaperFloor(), 2), (DigitalFloor(), 4)):
        spy, config = Spy(), hardware(rows=6, cols=5, floor=floor)
        analog(np.ones((1, 14)), w, spy, config)
        assert len(spy.g[0]) == crossbars


def test_the_dummy_column_holds_g_off_in_every_tile():
    spy, config = Spy(), hardware(floor=DummyColumn())
    analog(*numbers(), spy, config)
    assert (spy.levels(config)[..., -1] == 0).all()


def test_positive_and_negative_weights_never_share_a_crossbar():
    """Positive weights store digits 1 to 7, negative ones 8 to 15: no crossbar may hold some of both."""
    rng = np.random.default_rng(0)
    w = np.where(rng.random((14, 6)) < 0.5, rng.integers(1, 8, (14, 6)), -rng.integers(8, 16, (14, 6)))
    spy, config = Spy(), hardware(weights=FixedPoint(8, 0), inputs=FixedPoint(8, 0))
    analog(np.ones((1, 14)), w.astype(float), spy, config)
    crossbars = [set(level.flatten().tolist()) - {0} for level in spy.levels(config)]
    assert any(crossbars)
    assert all(held <= set(range(1, 8)) or held <= set(range(8, 16)) for held in crossbars)


def test_voltages_are_the_streams_of_the_inputs():
    spy, config = Spy(), hardware(rows=3, inputs=FixedPoint(8, 0), dac=Dac(4, v_max=0.3))
    analog(np.array([[0x12, 0x34, 0x70]], dtype=float), np.ones((3, 1)), spy, config)
    streams = [[2, 4, 0], [1, 3, 7]]
    # 1e-6: float32
    np.testing.assert_allclose(spy.v[0][0], np.array(streams) * 0.3 / 15, rtol=1e-6, atol=0)


def test_negative_inputs_take_a_second_pass():
    spy, config = Spy(), hardware(rows=2, inputs=FixedPoint(8, 0), dac=Dac(4, v_max=0.15))
    analog(np.array([[0x11, -0x23]], dtype=float), np.ones((2, 1)), spy, config)
    # 1e-6: float32
    np.testing.assert_allclose(spy.v[0][0], [[0.01, 0], [0.01, 0], [0, 0.03], [0, 0.02]], rtol=1e-6, atol=0)


def test_a_stream_that_drives_no_row_is_not_read():
    spy, config = Spy(), hardware(rows=2, inputs=FixedPoint(8, 0), dac=Dac(4))
    analog(np.array([[0x10, 0x20], [0x30, 0x00]], dtype=float), np.ones((2, 1)), spy, config)
    assert [tuple(v.shape) for v in spy.v] == [(1, 2, 2)]  # of two streams, the high one


def test_weights_are_programmed_once_for_all_inputs():
    spy, config = Spy(), hardware()
    matmul = AnalogMatmul(spy, config)
    matrix = matmul.program(torch.tensor(numbers()[1]))
    programmed = len(spy.g)
    for _ in range(3):
        matrix.multiply(torch.tensor(numbers()[0]))
    assert len(spy.g) == programmed == math.ceil(14 / 6)


# --- batches and zeros ---


def test_results_do_not_depend_on_chunks_or_on_the_batch(monkeypatch):
    """8-bit digits are read in float64, where no reading comes so near to a step that the order of sums matters."""
    model = LinearCircuit(CrossbarSpec(6, 5))
    config = hardware(slice_bits=8, dac=Dac(8), adc=Adc(14, full_scale=1e-5))
    x, w = numbers()
    x[1] = np.abs(x[1])  # has no second pass when alone
    whole = analog(x, w, model, config)
    assert (np.concatenate([analog(row[None], w, model, config) for row in x]) == whole).all()
    monkeypatch.setattr("geniex.functional.programmed.CHUNK_CURRENTS", 1)
    assert (analog(x, w, model, config) == whole).all()


SPEC = CrossbarSpec(6, 5)
EVERY_MODEL = [
    Ideal(),
    LinearCircuit(SPEC),
    Circuit(SPEC, Sinh()),
    Geniex(SPEC, Scaling(v_max=0.25, g_min=1e-5 / 6, g_max=1e-5, f_min=0.8, f_max=1.2), hidden=4),
]


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("inputs", [0, 2])
def test_inputs_of_zeros_and_no_inputs_give_zeros(model, inputs):
    y = analog(np.zeros((inputs, 14)), numbers()[1], model, hardware())
    assert y.shape == (inputs, 3)
    assert (y == 0).all()


# --- errors ---


def test_numbers_must_be_finite():
    matmul = AnalogMatmul(Ideal(), hardware())
    with pytest.raises(ValueError, match="must be finite; 1 of 4 values are not"):
        matmul.program(torch.tensor([[1.0, math.nan], [0.0, 1.0]]))


@pytest.mark.parametrize(
    ("rows", "cols", "floor", "least"), [(0, 4, PaperFloor(), 1), (4, 0, PaperFloor(), 1), (4, 1, DummyColumn(), 2)]
)
def test_a_tile_needs_rows_and_columns(rows, cols, floor, least):
    with pytest.raises(ValueError, match=f"{least} columns with {type(floor).__name__}; got rows={rows}, cols={cols}"):
        HardwareConfig(rows=rows, cols=cols, floor=floor)


@pytest.mark.parametrize("width", [0, 9, 16])
def test_digits_have_1_to_8_bits(width):
    with pytest.raises(ValueError, match=rf"`slice_bits={width}`: A digit has 1 to 8 bits; got {width}"):
        HardwareConfig(slice_bits=width)


@pytest.mark.parametrize("widths", [(4, 4), (8, 8, 1)])
def test_unequal_digits_make_up_the_word(widths):
    message = rf"`slice_bits=.*Digits of .* make up {sum(widths)} bits, but the word has 16"
    with pytest.raises(ValueError, match=message):
        HardwareConfig(slice_bits=widths)


def test_streams_need_a_dac_that_is_wide_enough():
    with pytest.raises(ValueError, match=r"`stream_bits=\(8, 8\)` needs a DAC of 8 bits; got Dac\(bits=4, "):
        HardwareConfig(stream_bits=(8, 8))


def test_twos_complement_streams_end_with_the_sign_bit():
    with pytest.raises(ValueError, match=r"the last digit is the sign bit, of 1 bit; got digits of \(4, 4\) bits"):
        HardwareConfig(inputs=FixedPoint(8, 4), stream_bits=(4, 4), signed_inputs=TwosComplementStreams())


def test_inputs_have_one_step_for_all_channels():
    with pytest.raises(ValueError, match="`inputs` must have one step for all channels"):
        HardwareConfig(inputs=Scaled(8, (0.1, 0.2)))


def test_the_window_is_checked_with_the_config():
    with pytest.raises(ValueError, match=r"`g_off` must lie between 0 and `g_on`.*got 2e-05 and 1e-05 S"):
        HardwareConfig(g_off=2e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 5}, "Geniex models crossbars of 6x5, but tiles of 5x5"),
        ({"dac": Dac(4, v_max=0.5)}, "Geniex holds for v from 0 to 0.25 V, but 0 to 0.5 V"),
        ({"g_on": 2e-5}, "Geniex holds for g from 1.66667e-06 to 1e-05 S, but 1.66667e-06 to 2e-05 S"),
    ],
)
def test_a_model_made_for_other_crossbars_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AnalogMatmul(EVERY_MODEL[-1], hardware(**changes))

"""Formats and converters inside of the product, each against loops over crossbars, inputs, streams and columns."""

import numpy as np
import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.coding import OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.converters import Adc, ColumnScales, Dac, DigitalFloor, DummyColumn, PaperFloor, WorstCase
from geniex.digital import FixedPoint, Scaled
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.functional.loops import integers, looped

ROWS, COLS, OUTPUTS = 6, 5, 3
MODEL = LinearCircuit(CrossbarSpec(ROWS, COLS, r_source=1000.0, r_sink=500.0))
FLOORS = [PaperFloor(), DummyColumn(), DigitalFloor()]
each_floor = pytest.mark.parametrize("floor", FLOORS, ids=lambda f: type(f).__name__)


def hardware(**changes):
    defaults = {"rows": ROWS, "cols": COLS, "accumulator": None, "adc": Adc(10, WorstCase())}
    number = FixedPoint(8, 4)
    return HardwareConfig(**defaults | {"weights": number, "inputs": number} | changes)


def numbers():
    rng = np.random.default_rng(11)
    x, w = rng.uniform(-8, 8, (3, 14)), rng.uniform(-8, 8, (14, OUTPUTS))
    return np.where(rng.random(x.shape) < 0.3, 0, x), w


def analog(x, w, model, config):
    matmul = AnalogMatmul(model, config)
    return matmul.multiply(torch.tensor(x), matmul.program(torch.tensor(w))).numpy()


def assert_equals_loops(config, model=MODEL):
    x, w = numbers()
    expected, edge = looped(x, w, model, config)
    assert (edge < 0.02 * np.abs(expected).max()).mean() > 0.5, "too many readings on the edge of a step"
    # 1e-6 of the largest sum of magnitudes: codes of any size are rounded to float32
    rounding = 1e-6 * (np.abs(x) @ np.abs(w)).max() * 10
    assert (np.abs(analog(x, w, model, config) - expected) <= rounding + edge).all()


# --- number formats ---

STEPS = {
    "one step": 0.061,
    "one per channel": (0.05, 0.061, 0.07),
    "channels that saturate": (0.03, 0.061, 0.2),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=str)
def test_scaled_numbers_are_multiplied_as_integers(step, mapping):
    config = hardware(weights=Scaled(8, step), inputs=Scaled(7, 0.13), mapping=mapping, adc=None)
    x, w = numbers()
    q, words = integers(x, config.inputs), integers(w, config.weights)
    np.testing.assert_array_equal(analog(x, w, Ideal(), config), (q @ words) * (np.array(step) * 0.13))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_scaled_numbers_equal_the_loops_on_crossbars_that_are_not_ideal(step):
    assert_equals_loops(hardware(weights=Scaled(8, step), inputs=Scaled(8, 0.07)))


def test_a_whole_step_is_a_step():
    config = hardware(weights=Scaled(8, 1), inputs=Scaled(8, 2), adc=None)
    x, w = numbers()
    np.testing.assert_array_equal(analog(x, w, Ideal(), config), np.rint(x / 2) @ np.rint(w) * 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_inputs_of_every_precision_are_rounded_to_the_same_format(dtype):
    config = hardware(weights=Scaled(8, 0.0625), inputs=Scaled(8, 0.0625), adc=None)
    x, w = (torch.tensor(part).to(torch.bfloat16) for part in numbers())
    matmul = AnalogMatmul(Ideal(), config)
    y = matmul.multiply(x.to(dtype), matmul.program(w.to(dtype)))
    exact = integers(x.double().numpy(), config.inputs) @ integers(w.double().numpy(), config.weights) * 0.0625**2
    assert y.dtype == dtype
    assert torch.equal(y, torch.tensor(exact).to(dtype))


def test_inputs_that_overflow_are_refused_where_they_are_to_be():
    x, w = (torch.tensor(part) for part in numbers())
    for number in (Scaled(6, 0.1, "raise"), FixedPoint(6, 4, "raise")):
        matmul = AnalogMatmul(Ideal(), hardware(inputs=number))
        programmed = matmul.program(w)
        for dtype in (torch.float32, torch.float64):
            with pytest.raises(ValueError, match=r"of 42 numbers overflow .*bits=6"):
                matmul.multiply(x.to(dtype), programmed)


def test_weights_that_overflow_are_refused_where_they_are_to_be():
    matmul = AnalogMatmul(Ideal(), hardware(weights=Scaled(6, (0.1, 0.2, 0.3), "raise")))
    with pytest.raises(ValueError, match="of 42 numbers overflow Scaled"):
        matmul.program(torch.tensor(numbers()[1]))


# --- the output converter ---

SMALL = np.random.default_rng(3).uniform(1e-6, 2e-5, (3, 4, COLS))
"""Full scales in ampere of 3 row tiles of up to 4 crossbars, of which some clip."""

SCALES = {"paper": None, "number": 1.1e-5, "clipping": 2e-6, "worst case": WorstCase()}
ERRORS = {
    "gain": {"gain": 0.93},
    "offset": {"offset": 2.6},
    "negative offset": {"offset": -1.4},
    "inl": {"inl": (0.0, 1.7, -2.1, 0.4)},
    "all": {"gain": 1.04, "offset": -0.7, "inl": (0.3, -1.2, 0.9)},
}


@each_floor
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES.keys())
@pytest.mark.parametrize("errors", [{}, *ERRORS.values()], ids=["none", *ERRORS])
def test_every_full_scale_and_error_equals_the_loops(scale, errors, floor):
    assert_equals_loops(hardware(adc=Adc(9, scale, **errors), floor=floor))


@each_floor
@pytest.mark.parametrize("errors", [{}, ERRORS["all"]], ids=["none", "all"])
@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=str)
def test_every_column_has_its_own_full_scale(errors, floor, mapping):
    scales = ColumnScales(tuple(tuple(map(tuple, tile[:, : COLS - floor.reserved_cols].tolist())) for tile in SMALL))
    assert_equals_loops(hardware(adc=Adc(9, scales, **errors), floor=floor, mapping=mapping))


@pytest.mark.parametrize("adc", [Adc(9, WorstCase()), Adc(9, 1.1e-5, gain=0.93), None], ids=str)
@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=str)
@pytest.mark.parametrize("coding", [None, TwoPasses(), TwosComplementStreams(), OffsetInputs()], ids=str)
@pytest.mark.parametrize("widths", [(3, 2), ((1, 4, 3), (3, 4, 1))], ids=str)
def test_every_mapping_and_coding_equals_the_loops(adc, mapping, coding, widths):
    slices, stream = widths
    assert_equals_loops(hardware(adc=adc, mapping=mapping, signed_inputs=coding, slice_bits=slices, stream_bits=stream))


def test_the_worst_case_never_clips():
    x, w = np.full((1, ROWS), 7.9375), np.full((ROWS, 1), 7.9375)
    config = hardware(adc=Adc(16, WorstCase()), dac=Dac(7), slice_bits=7)
    # half a code of the largest sum, which is one code short of full
    np.testing.assert_allclose(analog(x, w, Ideal(), config), ROWS * 7.9375**2, rtol=2**-15)
    largest = Adc(16, 0.9 * ROWS * 0.25 * 1e-5 * 5 / 6)
    assert analog(x, w, Ideal(), hardware(adc=largest, dac=Dac(7), slice_bits=7)).item() < 0.95 * ROWS * 7.9375**2


# --- the input converter ---

LEVELS = np.random.default_rng(2).uniform(-0.4, 0.4, 15).tolist()


@each_floor
@pytest.mark.parametrize("adc", [Adc(9, WorstCase()), Adc(14), None], ids=str)
@pytest.mark.parametrize("coding", [TwoPasses(), OffsetInputs()], ids=str)
def test_a_curved_dac_equals_the_loops(floor, adc, coding):
    dac = Dac(4, inl=(0.0, *LEVELS))
    assert_equals_loops(hardware(dac=dac, floor=floor, adc=adc, signed_inputs=coding))


def test_narrow_streams_use_the_lower_levels_of_a_wider_dac():
    assert_equals_loops(hardware(dac=Dac(4, inl=(0.0, *LEVELS)), stream_bits=2))


def test_a_curved_dac_of_ideal_crossbars_reads_what_it_drives():
    """With the exact floor and no rounding of readings to speak of, digits count as the DAC makes them."""
    levels = (0.0, 1.25, 2.0, 2.5)
    deviations = tuple(level - straight for straight, level in enumerate(levels))
    numbers = {"weights": FixedPoint(4, 0), "inputs": FixedPoint(3, 0)}
    config = hardware(**numbers, dac=Dac(2, inl=deviations), floor=DummyColumn(), adc=Adc(24, WorstCase()))
    x, w = np.array([[0.0, 1, 2, 3]]), np.array([[1.0], [2], [3], [4]])
    np.testing.assert_allclose(analog(x, w, Ideal(), config), [np.array(levels) @ w], rtol=1e-5)


# --- noise ---


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_noise_of_readings_adds_up_over_streams_and_slices():
    """Two slices of two streams on one row tile: four readings, each with its place; W+ is blank and not read."""
    config = hardware(cols=1, adc=Adc(12, noise=2.0, generator=seeded(0)), floor=PaperFloor())
    x, w = np.full((5000, ROWS), 7.875), np.full((ROWS, 1), -7.875)
    y = analog(x, w, Ideal(), config) * 2**8
    variance = sum((a * b) ** 2 for a in (1, 16) for b in (1, 16)) * (2.0**2 + 1 / 12)  # of rounding, 1/12
    # 5 standard errors
    assert abs(y.mean() + ROWS * 126**2) < 5 * (variance / 5000) ** 0.5
    assert abs(y.var() / variance - 1) < 5 * (2 / 5000) ** 0.5


def test_the_same_seed_gives_the_same_readings():
    x, w = numbers()

    def noisy(seed):
        return analog(x, w, MODEL, hardware(adc=Adc(9, 1e-5, noise=1.5, generator=seeded(seed))))

    np.testing.assert_array_equal(noisy(4), noisy(4))
    assert (noisy(4) != noisy(5)).any()

"""Full scales of ADCs against the currents of a plain loop over crossbars and streams."""

import numpy as np
import pytest
import torch
from torch import nn

from geniex.calibration import AdcScale, MeanSquaredError, Percentile, calibrate
from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import convert
from geniex.converters import Adc, ColumnScales, DigitalFloor, DummyColumn, PaperFloor
from geniex.digital import FixedPoint
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.functional.loops import crossbars, integers, streams, without_floor

ROWS, COLS, OUTPUTS = 8, 6, 5
MODEL = LinearCircuit(CrossbarSpec(ROWS, COLS, r_source=2000.0, r_sink=1000.0))
FLOORS = [PaperFloor(), DummyColumn(), DigitalFloor()]
each_floor = pytest.mark.parametrize("floor", FLOORS, ids=lambda f: type(f).__name__)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(19, OUTPUTS)


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(9, 19, generator=generator)
    return torch.where(torch.rand(x.shape, generator=generator) < 0.3, 0, x)


@pytest.fixture
def adc_hardware(hardware):
    def make(**changes):
        return hardware(**{"adc": Adc(8), "inputs": FixedPoint(8, 0), "weights": FixedPoint(6, 0), **changes})

    return make


def currents(x, layer, config, model):
    """Of every used column, in ampere: {(row tile, crossbar, column): one per read}."""
    q, w = integers(x.numpy(), config.inputs), integers(layer.weight.detach().numpy().T, config.weights)
    product = config.dac.v_max / 15 * (config.g_on - config.g_off) / 15
    found = {}
    for tile, number, _, columns, level in crossbars(w, config):
        if isinstance(config.floor, PaperFloor) and not level.any():
            continue
        read = model.program(torch.tensor(config.g_off + level * (config.g_on - config.g_off) / 15))
        for row in q:
            for _, digits in streams(row[tile * config.rows : (tile + 1) * config.rows], config):
                if not digits.any():
                    continue
                digit = np.zeros(config.rows)
                digit[: len(digits)] = digits
                i = read(torch.tensor(digit * config.dac.v_max / 15)[None])[0].numpy() / product
                floor = config.g_off * 15 / (config.g_on - config.g_off) * digit.sum()
                left = without_floor(i, digit, level, config, floor)[: len(columns)]
                for col, current in enumerate(left):
                    found.setdefault((tile, number, col), []).append(current * product)
    return {place: np.array(each) for place, each in found.items()}


@each_floor
@pytest.mark.parametrize("model", [Ideal(), MODEL], ids=lambda m: type(m).__name__)
def test_the_full_scale_of_a_layer_is_its_largest_current(layer, x, adc_hardware, model, floor):
    config = adc_hardware(floor=floor)
    calibration = calibrate(layer, [x], config, adc=AdcScale(model=model))
    found = currents(x, layer, calibration("", layer), model)
    largest = max(each.max() for each in found.values())
    # 1e-5: float32
    assert calibration.layers[""].full_scale == pytest.approx(largest, rel=1e-5)
    assert calibration("", layer).adc == Adc(8, calibration.layers[""].full_scale)


@each_floor
@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=str)
def test_the_full_scale_of_a_column_is_its_largest_current(layer, x, adc_hardware, mapping, floor):
    config = adc_hardware(floor=floor, mapping=mapping)
    calibration = calibrate(layer, [x], config, adc=AdcScale(per_column=True, model=MODEL))
    scales = calibration.layers[""].full_scale
    assert isinstance(scales, ColumnScales)
    amperes = np.array(scales.amperes)
    found = currents(x, layer, calibration("", layer), MODEL)
    product = config.dac.v_max / 15 * (config.g_on - config.g_off) / 15
    carry = {place: each.max() for place, each in found.items() if each.max() > product / 2}
    for place, largest in carry.items():
        # 1e-5: float32
        assert amperes[place] == pytest.approx(largest, rel=1e-5)
        amperes[place] = np.nan
    others = amperes[~np.isnan(amperes)]  # without a digit, or without one other than 0
    np.testing.assert_allclose(others, max(carry.values()), rtol=1e-5)


def test_a_percentile_clips_as_many_readings(layer, x, adc_hardware):
    adc = AdcScale(method=Percentile(90.0), model=MODEL)
    calibration = calibrate(layer, [x], adc_hardware(), adc=adc)
    found = np.concatenate(list(currents(x, layer, calibration("", layer), MODEL).values()))
    (product,) = calibration.layers[""].products
    held = np.percentile(found[found > 1e-12], 90.0)
    assert calibration.layers[""].full_scale == pytest.approx(held, rel=1e-5)
    assert product.readings.count == found.size
    assert product.readings.most == pytest.approx(found.max(), rel=1e-5)
    beyond = found / calibration.layers[""].full_scale * 255
    assert product.readings.clipped == pytest.approx((beyond > 255.5).sum(), abs=1)
    assert 0.02 < product.readings.share < 0.1


def test_nothing_is_clipped_at_the_maximum(layer, x, adc_hardware):
    for per_column in (False, True):
        (product,) = calibrate(layer, [x], adc_hardware(), adc=AdcScale(per_column)).layers[""].products
        assert product.readings.count > 0
        assert product.readings.clipped == 0


def test_readings_that_the_configured_adc_clips_are_counted(layer, x, adc_hardware):
    config = adc_hardware(adc=Adc(6))
    calibration = calibrate(layer, [x], config)
    found = np.concatenate(list(currents(x, layer, calibration("", layer), Ideal()).values()))
    product = config.dac.v_max / 15 * (config.g_on - config.g_off) / 15
    assert calibration.layers[""].full_scale is None
    assert calibration("", layer).adc == Adc(6)
    assert calibration.layers[""].products[0].readings.clipped == (np.rint(found / product) > 63).sum() > 0


@pytest.mark.parametrize("adc", [AdcScale(), AdcScale(True), AdcScale(False, MeanSquaredError())], ids=str)
def test_a_fine_adc_that_is_calibrated_changes_little(layer, x, adc_hardware, adc):
    config = adc_hardware(adc=Adc(14), weights=FixedPoint(12, 0), inputs=FixedPoint(12, 0))
    calibrated = convert(layer, Ideal(), calibrate(layer, [x], config, adc=adc))(x)
    # 12-bit formats, and readings of 1 / 16384 of their range
    assert (calibrated - layer(x)).norm() < 0.02 * layer(x).norm()


def test_a_coarse_adc_is_better_calibrated_than_at_its_worst_case(layer, x, adc_hardware):
    config = adc_hardware(adc=Adc(5, 1e-4), weights=FixedPoint(12, 0), inputs=FixedPoint(12, 0))
    exact, errors = layer(x), []
    for adc in (None, AdcScale(), AdcScale(True)):
        calibration = calibrate(layer, [x], config, adc=adc)
        errors.append((convert(layer, Ideal(), calibration)(x) - exact).norm().item())
    assert errors[0] > 2 * errors[1]
    assert errors[1] > 1.2 * errors[2]


def test_matrices_of_one_layer_share_the_scales_of_columns(adc_hardware):
    torch.manual_seed(0)

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(20, 3)

        def forward(self, x):
            return self.lstm(x)[0]

    network, x = Last(), torch.randn(4, 2, 20)
    config = adc_hardware(adc=Adc(16), weights=FixedPoint(12, 0), inputs=FixedPoint(12, 0))
    calibration = calibrate(network, [x], config, adc=AdcScale(per_column=True))
    scales = calibration.layers["lstm"].full_scale
    assert isinstance(scales, ColumnScales)
    assert len(scales.amperes) == 3  # 20 inputs on tiles of 8 rows; the 3 of the hidden state need one
    assert all(product.readings.clipped == 0 for product in calibration.layers["lstm"].products)
    assert (convert(network, Ideal(), calibration)(x) - network(x)).abs().max() < 0.01


def test_layers_without_currents_or_without_an_adc_stay_as_configured(adc_hardware):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused, self.exact = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.exact(self.used(x))

    network = Branches()
    for per_column in (False, True):
        calibration = calibrate(
            network,
            [torch.randn(2, 4)],
            lambda name, module: adc_hardware(adc=None) if name == "exact" else adc_hardware(adc=Adc(7, 1e-5)),
            adc=AdcScale(per_column),
        )
        assert calibration.layers["used"].full_scale is not None
        assert calibration.layers["unused"].full_scale is None
        assert calibration("unused", network.unused).adc == Adc(7, 1e-5)
        assert calibration("exact", network.exact).adc is None


def test_the_model_decides_about_currents(layer, x, adc_hardware):
    ideal, lossy = (
        calibrate(layer, [x], adc_hardware(), adc=AdcScale(model=model)).layers[""].full_scale
        for model in (Ideal(), MODEL)
    )
    assert lossy < 0.99 * ideal


def test_a_model_of_other_crossbars_is_refused_before_any_work(layer, adc_hardware):
    adc = AdcScale(model=LinearCircuit(CrossbarSpec(4, 4)))
    with pytest.raises(ValueError, match="LinearCircuit models crossbars of 4x4, but tiles of 8x6"):
        calibrate(layer, [torch.ones(1, 7)], adc_hardware(), adc=adc)

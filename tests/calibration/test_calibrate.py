"""Formats found on data: against numpy, exact in use, better than a bad format, and robust."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from geniex.calibration import AdcScale, Max, MeanSquaredError, Percentile, calibrate
from geniex.conversion import convert
from geniex.digital import FixedPoint, Scaled
from geniex.models.ideal import Ideal

METHODS = [Max(), Percentile(98.0), MeanSquaredError()]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)


def entering(network, x):
    """Inputs (input, row) and matrices (row, col) of both layers, by torch's own functions."""
    with torch.no_grad():
        patches = F.unfold(x, 3, padding=1, stride=2).mT.flatten(0, 1)
        hidden = network[:4](x)
    weights = [network[0].weight.detach().flatten(1).mT, network[4].weight.detach().mT]
    return {"0": (patches.numpy(), weights[0].numpy()), "4": (hidden.numpy(), weights[1].numpy())}


def step(x, method, bits=8):
    """As the methods are described; of the search, only that it lies below the maximum."""
    largest = np.abs(x).max()
    if isinstance(method, Percentile):
        largest = np.percentile(np.abs(x[x != 0]), method.percent)
    return largest / (2 ** (bits - 1) - 1)


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: type(m).__name__)
def test_steps_are_those_of_the_numbers_that_enter_the_products(network, batches, hardware, method):
    calibration = calibrate(network, batches, hardware(), method)
    for name, (x, w) in entering(network, torch.cat(batches)).items():
        layer = calibration.layers[name]
        # 1e-6: float32
        assert layer.inputs.step == pytest.approx(step(x, method), rel=1e-6)
        assert layer.weights.step == pytest.approx(step(w, method), rel=1e-6)
        assert (layer.inputs.bits, layer.weights.bits) == (8, 8)


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: type(m).__name__)
def test_every_output_channel_can_have_its_own_step(network, batches, hardware, method):
    calibration = calibrate(network, batches, hardware(), method, per_channel=True)
    for name, (_, w) in entering(network, batches[0]).items():
        expected = [step(column, method) for column in w.T]
        np.testing.assert_allclose(calibration.layers[name].weights.step, expected, rtol=1e-6)


def test_the_search_finds_smaller_errors_than_the_maximum(network, batches, hardware):
    """Inputs with an outlier: 4 bits over its whole range leave nothing for the others."""
    batches[0][0, 0, 0, 0] = 20.0
    config = hardware(inputs=FixedPoint(4, 0))
    found = [calibrate(network, batches, config, method).layers["0"].inputs for method in (Max(), MeanSquaredError())]
    x, _ = entering(network, torch.cat(batches))["0"]
    errors = [np.mean((np.clip(np.rint(x / each.step), -8, 7) * each.step - x) ** 2) for each in found]
    assert errors[1] < 0.9 * errors[0]


@each_method
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", [(8, 8), (5, 3), (16, 16), (2, 1)])
def test_ideal_crossbars_multiply_the_scaled_integers(network, batches, hardware, method, per_channel, bits):
    config = hardware(weights=FixedPoint(bits[0], 0), inputs=FixedPoint(bits[1], 0))
    calibration = calibrate(network, batches, config, method, per_channel)
    analog = convert(network, Ideal(), calibration)
    x, w = entering(network, batches[0])["4"]
    layer = calibration.layers["4"]
    steps = np.float64(layer.inputs.step), np.array(layer.weights.step)
    q, words = (
        np.clip(np.rint(each / np.float32(s)), -(2 ** (b - 1)), 2 ** (b - 1) - 1).astype(np.int64)
        for each, s, b in ((x, steps[0], bits[1]), (w, steps[1], bits[0]))
    )
    expected = torch.tensor((q @ words) * (steps[0] * steps[1])).float() + network[4].bias
    assert torch.equal(analog[4](torch.tensor(x)), expected)


@each_method
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_calibrated_network_is_close_where_a_bad_format_is_not(network, batches, hardware, method, per_channel):
    exact = network(batches[0])
    errors = {
        name: ((convert(network, Ideal(), config)(batches[0]) - exact).norm() / exact.norm()).item()
        for name, config in {
            "bad": hardware(),
            "calibrated": calibrate(network, batches, hardware(), method, per_channel),
        }.items()
    }
    assert errors["bad"] > 0.5
    assert errors["calibrated"] < 0.15


def test_more_bits_are_used(network, batches, hardware):
    exact, errors = network(batches[0]), []
    for bits in (4, 8, 12):
        config = hardware(weights=FixedPoint(bits, 0), inputs=FixedPoint(bits, 0))
        calibrated = convert(network, Ideal(), calibrate(network, batches, config))
        errors.append((calibrated(batches[0]) - exact).norm().item())
    assert errors[0] > 8 * errors[1] > 64 * errors[2]


# --- the table ---


def test_the_table_tells_what_enters_each_product(network, batches, hardware):
    calibration = calibrate(network, batches, hardware(), Percentile(98.0))
    for name, (x, w) in entering(network, torch.cat(batches)).items():
        layer = calibration.layers[name]
        (product,) = layer.products
        assert layer.kind == type(network[int(name)]).__name__
        assert product.shape == w.shape
        for span, numbers, number in ((product.inputs, x, layer.inputs), (product.weights, w, layer.weights)):
            # 1e-6: float32
            np.testing.assert_allclose((span.least, span.most), (numbers.min(), numbers.max()), rtol=1e-6)
            codes = np.rint(numbers / np.float32(number.step))
            assert span.clipped == ((codes < -128) | (codes > 127)).sum() > 0
            assert span.count == numbers.size
            assert span.share == span.clipped / numbers.size
        assert product.readings.count == 0


def test_nothing_is_clipped_at_the_maximum(network, batches, hardware):
    for layer in calibrate(network, batches, hardware(), per_channel=True).layers.values():
        assert all(span.clipped == 0 for product in layer.products for span in (product.inputs, product.weights))


def test_what_made_a_calibration_is_kept(network, batches, hardware):
    about = calibrate(network, batches, hardware(), Percentile(98.0), per_channel=True).about
    assert about["method"] == "Percentile(percent=98.0)"
    assert about["weights"] == "a step per output channel"
    assert about["adc"] == "as configured"


# --- data ---


def test_data_come_as_tensors_tuples_or_from_a_loader(network, batches, hardware):
    labels = torch.zeros(15, dtype=torch.long)
    loader = DataLoader(TensorDataset(torch.cat(batches), labels), batch_size=4)
    expected = calibrate(network, batches, hardware()).layers
    assert calibrate(network, loader, hardware()).layers == expected
    assert calibrate(network, [(x, "label") for x in batches], hardware()).layers == expected


def test_data_are_cast_to_the_precision_of_the_network(network, batches, hardware):
    double = calibrate(network.double(), batches, hardware())
    assert double.layers["0"].inputs == calibrate(network.float(), batches, hardware()).layers["0"].inputs


def test_the_network_is_not_changed(network, batches, hardware):
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calibrate(network, batches, hardware())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training
    assert type(network[0]) is nn.Conv2d


def test_a_calibration_is_the_same_each_time(network, batches, hardware):
    first, second = (calibrate(network, batches, hardware(), MeanSquaredError()) for _ in range(2))
    assert first.layers == second.layers


# --- numbers that say little ---


@each_method
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_of_zeros_keep_the_configured_format(network, batches, hardware, method, per_channel):
    nn.init.zeros_(network[0].weight)
    calibration = calibrate(network, batches, hardware(), method, per_channel)
    assert calibration.layers["0"].weights is None
    assert calibration("0", network[0]).weights == FixedPoint(8, 0)
    assert torch.isfinite(convert(network, Ideal(), calibration)(batches[0])).all()


@each_method
def test_a_channel_of_zeros_gets_the_widest_step(network, batches, hardware, method):
    with torch.no_grad():
        network[4].weight[2] = 0
    steps = calibrate(network, batches, hardware(), method, per_channel=True).layers["4"].weights.step
    assert steps[2] == max(steps[:2] + steps[3:])


@each_method
def test_inputs_of_zeros_keep_the_configured_format(network, hardware, method):
    config = hardware(inputs=Scaled(8, 0.3))
    calibration = calibrate(network, [torch.zeros(2, 3, 8, 8)], config, method)
    assert calibration.layers["0"].inputs is None
    assert calibration.layers["0"].is_reached
    assert calibration("0", network[0]).inputs == Scaled(8, 0.3)


@each_method
@pytest.mark.parametrize("value", [3.0, -0.02, 1e-30, 1e30])
def test_constant_inputs_are_held_to_half_a_step(hardware, method, value):
    network = nn.Linear(4, 3)
    layer = calibrate(network, [torch.full((2, 4), value)], hardware(), method).layers[""]
    assert abs(round(value / layer.inputs.step) * layer.inputs.step / value - 1) < 0.01
    assert layer.products[0].inputs.clipped == 0


def test_numbers_below_float32_count_as_zeros(hardware):
    network = nn.Linear(4, 3).double()
    assert calibrate(network, [torch.full((2, 4), 1e-300).double()], hardware()).layers[""].inputs is None


def test_layers_that_no_data_reach_are_told_and_keep_their_format(hardware):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x):
            return self.used(x)

    network = Branches()
    layers = calibrate(network, [torch.randn(2, 4)], hardware(), adc=None).layers
    assert (layers["used"].is_reached, layers["unused"].is_reached) == (True, False)
    assert layers["unused"].inputs is None
    assert layers["unused"].products[0].inputs.count == 0
    assert layers["unused"].weights.step == pytest.approx(network.unused.weight.abs().max().item() / 127, rel=1e-6)


def test_formats_that_refuse_overflow_are_calibrated_and_refuse_it_in_use(network, batches, hardware):
    config = hardware(inputs=FixedPoint(8, 0, "raise"))
    calibration = calibrate(network, batches, config, Percentile(90.0))
    assert calibration.layers["0"].products[0].inputs.clipped > 0
    with pytest.raises(ValueError, match="numbers overflow Scaled"):
        convert(network, Ideal(), calibration)(batches[0])


# --- what is refused ---


@pytest.mark.parametrize("shape", [(2, 3, 9, 9), (2, 4, 8, 8), (2, 3)])
def test_data_of_another_shape_are_refused(network, hardware, shape):
    message = rf"The network does not take batch 0 of shape \({shape[0]}, {shape[1]}.*Error: "
    with pytest.raises(ValueError, match=message):
        calibrate(network, [torch.ones(shape)], hardware())


def test_a_later_batch_of_another_shape_is_named(network, batches, hardware):
    with pytest.raises(ValueError, match=r"The network does not take batch 3 of shape \(1, 1\)"):
        calibrate(network, [*batches, torch.ones(1, 1)], hardware())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_data_that_are_not_finite_are_refused(network, batches, hardware, bad):
    batches[1][0, 0, 0, :2] = bad
    with pytest.raises(ValueError, match="Data must be finite; 2 of 960 values of batch 1 are not"):
        calibrate(network, batches, hardware())


def test_activations_that_are_not_finite_are_refused(hardware):
    class Overflows(nn.Module):
        def forward(self, x):
            return x * torch.inf

    network = nn.Sequential(nn.Linear(2, 2), Overflows(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match="6 of 6 inputs of layer `2` are not finite"):
        calibrate(network, [torch.ones(3, 2)], hardware())


def test_weights_that_are_not_finite_are_refused(network, batches, hardware):
    with torch.no_grad():
        network[4].weight[0, :3] = math.nan
    with pytest.raises(ValueError, match="3 of 320 weights of layer `4` are not finite"):
        calibrate(network, batches, hardware())


@pytest.mark.parametrize("nothing", [[], [torch.empty(0, 3, 8, 8)]])
def test_no_data_are_refused(network, hardware, nothing):
    with pytest.raises(ValueError, match="`batches` holds no data: calibration needs some inputs of the network"):
        calibrate(network, nothing, hardware())


@pytest.mark.parametrize("batch", [3, "data", [], {"x": 1}, torch.tensor(1.0), np.ones(3)])
def test_data_that_are_no_tensors_are_refused(network, hardware, batch):
    message = rf"`batches` must hold tensors \(entry, ...\).*; batch 0 is a {type(batch).__name__}"
    with pytest.raises(ValueError, match=message):
        calibrate(network, [batch], hardware())


def test_data_that_come_only_once_are_refused(network, batches, hardware):
    with pytest.raises(ValueError, match="`batches` is gone through several times, but a generator gives them only"):
        calibrate(network, (x for x in batches), hardware())


def test_full_scales_need_an_adc(network, batches, hardware):
    with pytest.raises(ValueError, match=r"`adc` asks for full scales, but no layer has an ADC\. Configure one"):
        calibrate(network, batches, hardware(adc=None), adc=AdcScale())


def test_a_network_without_layers_is_refused(hardware):
    with pytest.raises(ValueError, match="No layer of ReLU was put on crossbars"):
        calibrate(nn.ReLU(), [torch.ones(1, 2)], hardware())

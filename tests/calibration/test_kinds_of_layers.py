"""Calibration of recurrent, attention and grouped layers, of shared ones, and of some of a network's."""

import numpy as np
import pytest
import torch
from torch import nn

from geniex.calibration import calibrate
from geniex.conversion import convert
from geniex.digital import FixedPoint
from geniex.models.ideal import Ideal


def test_hidden_states_of_recurrent_layers_are_seen(hardware):
    torch.manual_seed(0)
    network, x = nn.LSTM(3, 4, batch_first=True), 10 * torch.randn(6, 5, 3)

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = network

        def forward(self, x):
            return self.lstm(x)[0]

    calibration = calibrate(Last(), [x], hardware(), per_channel=True)
    layer, hidden = calibration.layers["lstm"], network(x)[0][:, :-1].detach()
    inputs, states = layer.products
    assert (inputs.shape, states.shape) == ((3, 16), (4, 16))
    assert (inputs.inputs.count, states.inputs.count) == (x.numel(), x.shape[0] * 5 * 4)
    assert (inputs.inputs.least, inputs.inputs.most) == (x.min().item(), x.max().item())
    # 1e-6: float32
    assert states.inputs.most == pytest.approx(max(0, hidden.max().item()), rel=1e-6)
    assert layer.inputs.step == pytest.approx(x.abs().max().item() / 127, rel=1e-6)
    rows = torch.cat([network.weight_ih_l0, network.weight_hh_l0], dim=1).abs().amax(1) / 127
    np.testing.assert_allclose(layer.weights.step, rows.detach(), rtol=1e-6)


def test_projections_of_attention_are_seen(hardware):
    torch.manual_seed(0)

    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    network, x = Attends().eval(), torch.randn(3, 7, 8)
    calibration = calibrate(network, [x], hardware(inputs=FixedPoint(12, 0), weights=FixedPoint(12, 0)))
    products = calibration.layers["attention"].products
    assert [product.shape for product in products] == [(8, 8)] * 4
    assert [product.inputs.count for product in products] == [x.numel()] * 4
    assert products[0].inputs.most == x.max().item() != products[3].inputs.most
    exact = network(x)
    assert (convert(network, Ideal(), calibration)(x) - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_groups_share_formats(hardware, packed, per_channel):
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Conv2d(6, 6, 2, groups=3)), torch.randn(4, 6, 5, 5)
    config = hardware(rows=24, cols=32, pack_groups=packed)
    calibration = calibrate(network, [x], config, per_channel=per_channel)
    layer = calibration.layers["0"]
    kernels = network[0].weight.detach().abs().flatten(1)
    if not per_channel:
        expected = kernels.max() / 127
    elif packed:
        expected = kernels.amax(1) / 127
    else:
        expected = kernels.view(3, 2, -1).amax((0, 2)) / 127
    np.testing.assert_allclose(layer.weights.step, expected, rtol=1e-6)
    exact = network(x)
    assert (convert(network, Ideal(), calibration)(x) - exact).norm() < 0.02 * exact.norm()


def test_matrices_of_different_widths_share_one_step(hardware):
    network = nn.LSTM(3, 4, proj_size=2)
    layer = calibrate(_FirstOutput(network), [torch.randn(5, 2, 3)], hardware(), per_channel=True).layers["inner"]
    largest = max(w.abs().max().item() for name, w in network.named_parameters() if "weight" in name)
    assert layer.weights.step == pytest.approx(largest / 127, rel=1e-6)


class _FirstOutput(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def test_a_layer_that_is_used_twice_sees_both_inputs(hardware):
    linear = nn.Linear(4, 4, bias=False)
    network = nn.Sequential(linear, nn.Hardtanh(-0.1, 0.1), linear)
    x = torch.randn(6, 4)
    calibration = calibrate(network, [x], hardware())
    assert calibration.layers["0"].products[0].inputs.count == 2 * x.numel()
    assert list(calibration.layers) == ["0"]
    assert convert(network, Ideal(), calibration)(x).shape == (6, 4)


def test_a_network_that_is_one_layer_is_calibrated(hardware):
    network, x = nn.Linear(4, 3), torch.randn(9, 4)
    calibration = calibrate(network, [x], hardware())
    assert calibration.layers[""].inputs.step == pytest.approx(x.abs().max().item() / 127, rel=1e-6)
    assert (convert(network, Ideal(), calibration)(x) - network(x)).abs().max() < 0.05


def test_a_function_says_which_layers_are_calibrated_and_how_wide(network, batches, hardware):
    calibration = calibrate(
        network, batches, lambda name, module: hardware(inputs=FixedPoint(6, 0)) if name == "0" else None
    )
    assert list(calibration.layers) == ["0"]
    assert calibration.layers["0"].inputs.bits == 6
    assert type(convert(network, Ideal(), calibration)[4]) is nn.Linear


def test_whole_numbers_are_data_of_networks_that_take_them(hardware):
    network = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3))
    calibration = calibrate(network, [torch.tensor([[1, 2], [9, 0]])], hardware())
    assert calibration.layers["1"].products[0].inputs.count == 16

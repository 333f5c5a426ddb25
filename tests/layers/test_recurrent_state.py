"""Recurrent layers and cells: what stands on crossbars follows the weights, which keep PyTorch's names."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import convert
from geniex.converters import Dac
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

NUMBER = FixedPoint(bits=12, fraction_bits=9)
CONFIG = HardwareConfig(7, 6, NUMBER, NUMBER, dac=Dac(4), adc=None, accumulator=None)
LOSSY = LinearCircuit(CrossbarSpec(7, 6, r_source=1000.0, r_sink=500.0))

KINDS = {
    "rnn": lambda: nn.RNN(4, 5, bidirectional=True),
    "lstm": lambda: nn.LSTM(4, 5, num_layers=2),
    "projected lstm": lambda: nn.LSTM(4, 5, proj_size=3, bidirectional=True),
    "gru": lambda: nn.GRU(4, 5, num_layers=2, bidirectional=True),
    "rnn cell": lambda: nn.RNNCell(4, 5),
    "lstm cell": lambda: nn.LSTMCell(4, 5),
    "gru cell": lambda: nn.GRUCell(4, 5),
}
each = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def digital(kind):
    return KINDS[kind]().double()


def signed(kind):
    return 2 * torch.randn(*((2, 4) if "cell" in kind else (3, 2, 4)), dtype=torch.float64)


def output(network, x):
    y = network(x)
    return y if isinstance(y, torch.Tensor) else y[0]


def saved_and_loaded(network):
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def loaded_with(network, factor):
    network.load_state_dict({name: factor * value for name, value in network.state_dict().items()})
    return network


def stepped(network, x):
    output(network, x).square().sum().backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    return network


CHANGES = {
    "train and eval": lambda network, x: network.train().eval(),
    "to float32 and back": lambda network, x: network.float().double(),
    "deepcopy": lambda network, x: copy.deepcopy(network),
    "pickle": lambda network, x: pickle.loads(pickle.dumps(network)),
    "save and load": lambda network, x: saved_and_loaded(network),
    "load_state_dict": lambda network, x: loaded_with(network, 1.5),
    "optimizer step": stepped,
}


@each
@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_a_layer_equals_a_fresh_one(kind, change):
    layer = digital(kind)
    network, x = convert(layer, LOSSY, CONFIG), signed(kind)
    before = output(network, x)
    network = CHANGES[change](network, x)
    layer.load_state_dict(network.state_dict())
    found = output(network, x)
    assert torch.equal(found, output(convert(layer, LOSSY, CONFIG), x))
    if change in ("load_state_dict", "optimizer step"):
        assert not torch.equal(found, before)


@each
def test_state_dicts_load_both_ways(kind):
    layer = digital(kind)
    network = convert(layer, Ideal(), CONFIG)
    assert list(network.state_dict()) == list(layer.state_dict())
    network.load_state_dict({name: -value for name, value in layer.state_dict().items()})
    assert all(torch.equal(value, -layer.state_dict()[name]) for name, value in network.state_dict().items())


def test_weights_shared_within_a_layer_stay_shared():
    layer = digital("gru")
    layer.weight_hh_l1 = layer.weight_hh_l0
    network = convert(layer, Ideal(), CONFIG)
    assert network.weight_hh_l1 is network.weight_hh_l0
    assert output(network, signed("gru")).shape == (3, 2, 10)


@each
def test_every_parameter_that_matters_has_a_gradient(kind):
    layer = digital(kind)
    network, x = convert(layer, Ideal(), CONFIG), signed(kind).clamp(-3.9, 3.9).requires_grad_()
    for one in (layer, network):
        output(one, x).square().sum().backward()
    for name, parameter in layer.named_parameters():
        found = network.get_parameter(name).grad
        assert found.isfinite().all()
        assert (found.abs().sum() > 0) == (parameter.grad.abs().sum() > 0), name  # a cell's first state is 0

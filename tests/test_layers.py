"""Analog layers compute what PyTorch's layers compute on the same integers, and never from an old weight."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import Dac, DummyColumn
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv2d, AnalogLinear
from geniex.mapping import OffsetColumn
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

SPEC = CrossbarSpec(7, 6, r_source=1000.0, r_sink=500.0)
NUMBER = FixedPoint(bits=8, fraction_bits=5)
LOSSLESS = HardwareConfig(7, 6, NUMBER, NUMBER, slice_bits=2, adc=None, accumulator=None)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def fixed_point(x):
    """What is left of `x` in the format NUMBER, written independently, in float64."""
    return (x.detach().double() * 32).trunc().clamp(-128, 127) / 32


def signed(*shape, dtype=torch.float64):
    """Inputs on both sides of 0, some beyond the range of NUMBER."""
    return 3 * torch.randn(*shape, dtype=dtype)


def lossy_model():
    """A model whose currents differ from ideal ones, so that an old weight shows."""
    return LinearCircuit(SPEC)


# --- exactness ---


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(11,), (1, 11), (5, 11), (2, 3, 11), (0, 11)], ids=str)
@pytest.mark.parametrize("mapping", [LOSSLESS.mapping, OffsetColumn()], ids=lambda m: type(m).__name__)
def test_linear_equals_pytorch_on_integers(shape, bias, mapping):
    linear = nn.Linear(11, 5, bias=bias).double()
    config = HardwareConfig(7, 6, NUMBER, NUMBER, mapping=mapping, adc=None, accumulator=None)
    x = signed(*shape)
    y = AnalogLinear(linear, Ideal(), config)(x)
    expected = F.linear(fixed_point(x), fixed_point(linear.weight))
    assert y.shape == (*shape[:-1], 5)
    assert torch.equal(y, expected if linear.bias is None else expected + linear.bias)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_output_has_the_type_of_the_input(dtype):
    linear = nn.Linear(11, 5, bias=False).to(dtype)
    x = signed(4, 11, dtype=dtype)
    y = AnalogLinear(linear, Ideal(), LOSSLESS)(x)
    assert y.dtype == dtype
    assert torch.equal(y, F.linear(fixed_point(x), fixed_point(linear.weight)).to(dtype))


def layers():
    """A linear and a convolutional layer with inputs."""
    return [
        (AnalogLinear(nn.Linear(11, 5), lossy_model(), LOSSLESS), signed(4, 11, dtype=torch.float32)),
        (
            AnalogConv2d(nn.Conv2d(2, 4, 3, groups=2, padding=1), lossy_model(), LOSSLESS),
            signed(3, 2, 5, 5, dtype=torch.float32),
        ),
    ]


each_layer = pytest.mark.parametrize("which", [0, 1], ids=["linear", "conv2d"])


def fresh(layer, model=None):
    """A layer of the same weight that has never been read."""
    digital = nn.Linear(11, 5) if isinstance(layer, AnalogLinear) else nn.Conv2d(2, 4, 3, groups=2, padding=1)
    digital.weight, digital.bias = (nn.Parameter(x.detach().clone()) for x in (layer.weight, layer.bias))
    return type(layer)(digital, model or lossy_model(), LOSSLESS)


# --- derived state ---


def optimizer_step(layer, x):
    layer(x).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.05).step()
    return layer


def other_state(layer):
    return {name: 1.5 * value for name, value in layer.state_dict().items()}


def load(layer, **options):
    layer.load_state_dict(other_state(layer), **options)
    return layer


def in_place(layer):
    with torch.no_grad():
        layer.weight.mul_(-1)
    return layer


def behind_autograd(layer):
    layer.weight.data.mul_(-1)
    return layer


def new_parameter(layer):
    layer.weight = nn.Parameter(-layer.weight.detach())
    return layer


KEEP_THE_WEIGHT = {
    "train and eval": lambda layer, x: layer.train().eval(),
    "double": lambda layer, x: layer.double(),
    "to bfloat16 and back": lambda layer, x: layer.to(torch.bfloat16).to(torch.float32),
    "deepcopy": lambda layer, x: copy.deepcopy(layer),
    "pickle": lambda layer, x: pickle.loads(pickle.dumps(layer)),
}
CHANGE_THE_WEIGHT = {
    "optimizer step": optimizer_step,
    "load_state_dict": lambda layer, x: load(layer),
    "load_state_dict by assignment": lambda layer, x: load(layer, assign=True),
    "in place": lambda layer, x: in_place(layer),
    "in place behind autograd": lambda layer, x: behind_autograd(layer),
    "new parameter": lambda layer, x: new_parameter(layer),
    "deepcopy, then in place": lambda layer, x: in_place(copy.deepcopy(layer)),
}


@each_layer
@pytest.mark.parametrize("change", [*KEEP_THE_WEIGHT, *CHANGE_THE_WEIGHT])
@torch.no_grad()
def test_after_any_change_a_layer_equals_a_fresh_one(change, which):
    layer, x = layers()[which]
    before = layer(x)
    with torch.enable_grad():
        layer = {**KEEP_THE_WEIGHT, **CHANGE_THE_WEIGHT}[change](layer, x)
    x = x.to(layer.weight.dtype)
    assert torch.equal(layer(x), fresh(layer)(x))
    if change in CHANGE_THE_WEIGHT:
        assert not torch.equal(layer(x), before)


@each_layer
def test_an_unchanged_weight_is_programmed_once(which):
    layer, x = layers()[which]
    layer(x)
    programmed = layer.programmed()
    layer(x)
    assert layer.programmed() is programmed


@each_layer
def test_programmed_crossbars_are_never_saved(which):
    layer, x = layers()[which]
    size = len(pickle.dumps(layer))
    layer(x)
    assert len(pickle.dumps(layer)) == size


@each_layer
def test_state_dict_is_that_of_the_digital_layer(which):
    layer, x = layers()[which]
    layer(x)
    assert {name: tuple(value.shape) for name, value in layer.state_dict().items()} == {
        "weight": tuple(layer.weight.shape),
        "bias": tuple(layer.bias.shape),
    }


@each_layer
def test_layers_work_in_inference_mode(which):
    layer, x = layers()[which]
    with torch.no_grad():
        expected = layer(x)
    with torch.inference_mode():
        inside = copy.deepcopy(layer)
        assert torch.equal(layer(x), expected)
        assert torch.equal(inside(x), expected)
        inside.weight.mul_(-1)
        assert torch.equal(inside(x), fresh(inside)(x))


def emulator():
    return Geniex(SPEC, Scaling(v_max=0.25, g_min=1e-5 / 6, g_max=1e-5, f_min=0.8, f_max=1.2), hidden=8)


def test_an_emulator_keeps_its_precision_whatever_the_networks():
    """Conductances are 1e-5 S, which half precision cannot tell apart."""
    model = emulator()
    layer = AnalogLinear(nn.Linear(11, 5), model, LOSSLESS)
    x = torch.rand(4, 11).half()
    weights = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        half = layer.half()(x)
    assert half.dtype == torch.float16
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    # half's own 1e-3 in the bias and in the result; in half precision the emulator was wrong by 0.2
    torch.testing.assert_close(half.float(), fresh(layer.float(), model)(x.float()), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("drop", ["eval", "train", "float"])
def test_a_model_that_changed_is_programmed_anew_after_train_eval_or_to(drop):
    model = emulator()
    layer = AnalogLinear(nn.Linear(11, 5), model, LOSSLESS)
    x = signed(4, 11, dtype=torch.float32)
    before = layer(x)
    with torch.no_grad():
        model.output.bias.add_(1)
    assert not torch.equal(getattr(layer, drop)()(x), before)
    assert torch.equal(layer(x), fresh(layer, model)(x))


def test_the_model_moves_with_the_layer():
    layer = AnalogLinear(nn.Linear(11, 5), emulator(), LOSSLESS)
    layer.to("meta")
    assert {value.device.type for value in layer.matmul.model.parameters()} == {"meta"}


# --- gradients ---


@each_layer
def test_gradients_on_ideal_crossbars_are_those_of_the_digital_layer_on_the_same_integers(which):
    lossy, x = layers()[which]
    layer, x = fresh(lossy, Ideal()).double(), x.double().clamp(-3.9, 3.9).requires_grad_()
    upstream = torch.randn_like(layer(x))
    leaves = (x, layer.weight, layer.bias)
    analog = torch.autograd.grad((layer(x) * upstream).sum(), leaves)
    on_grid = [fixed_point(x).requires_grad_(), fixed_point(layer.weight).requires_grad_(), layer.bias]
    y = F.linear(*on_grid) if isinstance(layer, AnalogLinear) else F.conv2d(*on_grid, padding=1, groups=2)
    for found, expected in zip(analog, torch.autograd.grad((y * upstream).sum(), on_grid), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)  # float32 inside


def test_weights_of_0_have_gradients():
    linear = nn.Linear(3, 2).double()
    nn.init.zeros_(linear.weight)
    x = torch.rand(4, 3, dtype=torch.float64)
    AnalogLinear(linear, Ideal(), LOSSLESS)(x).sum().backward()
    torch.testing.assert_close(linear.weight.grad, fixed_point(x).sum(0).expand(2, -1), rtol=1e-4, atol=1e-4)


@each_layer
def test_output_is_the_same_number_with_and_without_gradients(which):
    layer, x = layers()[which]
    with torch.no_grad():
        expected = layer(x)
    assert layer(x).requires_grad
    assert torch.equal(layer(x), expected)


@each_layer
@pytest.mark.parametrize("leaf", ["weight", "bias", "input"])
def test_each_leaf_alone_can_be_trained(which, leaf):
    layer, x = layers()[which]
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    trained = x if leaf == "input" else getattr(layer, leaf)
    trained.requires_grad_()
    layer(x).sum().backward()
    assert trained.grad.abs().sum() > 0


@each_layer
def test_nothing_is_recorded_for_frozen_layers(which):
    layer, x = layers()[which]
    assert not layer.requires_grad_(False)(x).requires_grad


# --- batches ---


@each_layer
def test_results_do_not_depend_on_the_batch_or_on_chunks(which, monkeypatch):
    """8-bit digits are read in float64, where no reading comes so near to a step that the order of sums matters."""
    config = HardwareConfig(7, 6, NUMBER, NUMBER, slice_bits=8, dac=Dac(8), floor=DummyColumn())
    digital = [nn.Linear(11, 5), nn.Conv2d(2, 4, 3, stride=2, groups=2)][which].double()
    layer = [AnalogLinear, AnalogConv2d][which](digital, lossy_model(), config)
    x = signed(5, *[(11,), (2, 7, 6)][which])
    x[2] = x[2].abs()
    whole = layer(x)
    assert torch.equal(torch.cat([layer(part) for part in x.split(1)]), whole)
    monkeypatch.setattr("geniex.functional.programmed.CHUNK_CURRENTS", 1)
    assert torch.equal(layer(x), whole)


# --- errors and printing ---


@each_layer
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_inputs_must_be_finite(which, bad):
    layer, x = layers()[which]
    x.view(-1)[3] = bad
    with pytest.raises(ValueError, match=f"must be finite; 1 of {x.numel()} values are not"):
        layer(x)


@each_layer
def test_a_weight_that_became_nan_is_refused(which):
    layer, x = layers()[which]
    layer(x)
    with torch.no_grad():
        layer.weight.view(-1)[0] = math.nan
    for _ in range(2):
        with pytest.raises(ValueError, match="must be finite; 1 of"):
            layer(x)


@each_layer
def test_inputs_must_be_floating(which):
    layer, x = layers()[which]
    with torch.no_grad(), pytest.raises(ValueError, match=r"must be floating numbers; got torch.uint8"):
        layer(x.to(torch.uint8))


@pytest.mark.parametrize("shape", [(4, 10), (11, 4)])
def test_linear_refuses_other_sizes(shape):
    with pytest.raises(ValueError, match=rf"takes 11 features; got an input of shape \({shape[0]}, {shape[1]}\)"):
        layers()[0][0](torch.ones(shape))


@pytest.mark.parametrize("shape", [(1, 3, 5, 5), (5, 5), (1, 1, 2, 5, 5)])
def test_conv2d_refuses_other_sizes(shape):
    with pytest.raises(ValueError, match=rf"takes \(image, 2, height, width\); got an input of shape \({shape[0]}, "):
        layers()[1][0](torch.ones(shape))


def test_printing_names_size_and_model():
    linear, conv = (layer for layer, _ in layers())
    assert str(linear) == "AnalogLinear(11, 5, model=LinearCircuit)"
    assert str(conv) == "AnalogConv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), groups=2, model=LinearCircuit)"


def test_a_layer_uses_the_parameters_of_the_digital_one():
    linear = nn.Linear(11, 5).eval()
    layer = AnalogLinear(linear, Ideal(), LOSSLESS)
    assert layer.weight is linear.weight
    assert layer.bias is linear.bias
    assert not layer.training


def test_zero_padding_reads_as_digital_zero():
    """The border of a convolution is 0, whatever the floor of its cells."""
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(conv.weight)
    y = AnalogConv2d(conv, Ideal(), LOSSLESS)(torch.ones(1, 1, 3, 3))
    np.testing.assert_array_equal(y.detach()[0, 0], [[4, 6, 4], [6, 9, 6], [4, 6, 4]])

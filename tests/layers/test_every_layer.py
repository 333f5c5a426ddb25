"""What holds for every kind of layer: never computed from old weights, named as the digital layer, saved and copied."""

import copy
import io

import pytest
import torch
from torch import nn

from geniex import conversion
from geniex.converters import Dac
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogLSTMCell
from geniex.models.ideal import Ideal

NUMBER = FixedPoint(bits=8, fraction_bits=5)
CONFIG = HardwareConfig(7, 6, NUMBER, NUMBER, dac=Dac(4), adc=None, accumulator=None)

DIGITAL = {
    nn.Linear: (lambda: nn.Linear(5, 4), [(3, 5)]),
    nn.Conv1d: (lambda: nn.Conv1d(2, 4, 3, groups=2), [(2, 2, 5)]),
    nn.Conv2d: (lambda: nn.Conv2d(2, 4, 3, padding=1), [(2, 2, 4, 4)]),
    nn.Conv3d: (lambda: nn.Conv3d(2, 3, 2, stride=2), [(1, 2, 4, 4, 4)]),
    nn.ConvTranspose1d: (lambda: nn.ConvTranspose1d(2, 4, 3, groups=2), [(2, 2, 5)]),
    nn.ConvTranspose2d: (lambda: nn.ConvTranspose2d(3, 2, 2, stride=2), [(2, 3, 3, 3)]),
    nn.ConvTranspose3d: (lambda: nn.ConvTranspose3d(2, 2, 2), [(1, 2, 2, 2, 2)]),
    nn.RNN: (lambda: nn.RNN(3, 4), [(4, 2, 3)]),
    nn.LSTM: (lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2), [(3, 2, 3)]),
    nn.GRU: (lambda: nn.GRU(3, 4, batch_first=True), [(2, 4, 3)]),
    nn.RNNCell: (lambda: nn.RNNCell(3, 4), [(2, 3), (2, 4)]),
    nn.LSTMCell: (lambda: nn.LSTMCell(3, 4), [(2, 3), (2, 4), (2, 4)]),
    nn.GRUCell: (lambda: nn.GRUCell(3, 4), [(2, 3), (2, 4)]),
    nn.MultiheadAttention: (lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True), [(3, 2, 4)] * 3),
}
each = pytest.mark.parametrize("kind", DIGITAL, ids=lambda kind: kind.__name__)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def analog(digital):
    return conversion._BUILDERS[type(digital)](digital, Ideal(), CONFIG)


def run(layer, inputs):
    if isinstance(layer, nn.LSTMCell | AnalogLSTMCell):
        return layer(inputs[0], tuple(inputs[1:]))
    return layer(*inputs)


def made(kind):
    make, shapes = DIGITAL[kind]
    digital = make().double()
    for parameter in digital.parameters():
        nn.init.uniform_(parameter, -1, 1)  # PyTorch starts some at 0
    return digital, [torch.randn(*shape, dtype=torch.float64) for shape in shapes]


def flat(y):
    """All tensors of an output, in one."""
    if isinstance(y, torch.Tensor):
        return y.flatten()
    return torch.cat([flat(part) for part in y])


# --- never stale ---


def saved_and_loaded(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def loaded(layer, **options):
    layer.load_state_dict({name: 1.5 * value for name, value in layer.state_dict().items()}, **options)
    return layer


def in_place(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(-1)
    return layer


def optimizer_step(layer, inputs):
    flat(run(layer, inputs)).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    return layer


KEEP = {
    "train and eval": lambda layer, inputs: layer.train().eval(),
    "to float32 and back": lambda layer, inputs: layer.float().double(),
    "deepcopy": lambda layer, inputs: copy.deepcopy(layer),
    "save and load": lambda layer, inputs: saved_and_loaded(layer),
}
CHANGE = {
    "load_state_dict": lambda layer, inputs: loaded(layer),
    "load_state_dict by assignment": lambda layer, inputs: loaded(layer, assign=True),
    "in place": lambda layer, inputs: in_place(layer),
    "deepcopy, then in place": lambda layer, inputs: in_place(copy.deepcopy(layer)),
    "optimizer step": optimizer_step,
}


@each
@pytest.mark.parametrize("change", [*KEEP, *CHANGE])
def test_after_any_change_a_layer_equals_a_fresh_one(change, kind):
    digital, inputs = made(kind)
    layer = analog(digital).eval()
    with torch.no_grad():
        before = flat(run(layer, inputs))
    layer = {**KEEP, **CHANGE}[change](layer, inputs)
    digital = made(kind)[0].eval()
    digital.load_state_dict(layer.state_dict())
    with torch.no_grad():
        after = flat(run(layer, inputs))
        assert torch.equal(after, flat(run(analog(digital), inputs)))
    assert change in KEEP or not torch.equal(after, before)


@each
@torch.no_grad()
def test_digital_weights_load_and_come_back(kind):
    (digital, inputs), (other, _) = made(kind), made(kind)
    layer = analog(copy.deepcopy(digital))
    run(layer, inputs)
    assert [(name, value.shape) for name, value in layer.state_dict().items()] == [
        (name, value.shape) for name, value in digital.state_dict().items()
    ]
    layer.load_state_dict(other.state_dict())
    assert torch.equal(flat(run(layer, inputs)), flat(run(analog(other), inputs)))
    digital.load_state_dict(layer.state_dict())
    assert torch.equal(flat(run(digital, inputs)), flat(run(other, inputs)))


@each
def test_optimizers_meet_parameters_in_the_order_of_the_digital_layer(kind):
    digital, _ = made(kind)
    assert [name for name, _ in analog(digital).named_parameters()] == [name for name, _ in digital.named_parameters()]


@each
@torch.no_grad()
def test_crossbars_are_written_once_and_never_saved(kind):
    digital, inputs = made(kind)
    layer, file = analog(digital), [io.BytesIO(), io.BytesIO()]
    torch.save(layer, file[0])
    run(layer, inputs)
    programmed = layer.programmed()
    run(layer, inputs)
    assert layer.programmed() is programmed
    torch.save(layer, file[1])
    assert len(file[0].getvalue()) == len(file[1].getvalue())


# --- gradients ---


@each
def test_results_are_the_same_with_and_without_gradients(kind):
    digital, inputs = made(kind)
    layer = analog(digital)
    with torch.no_grad():
        expected = flat(run(layer, inputs))
    with torch.inference_mode():
        assert torch.equal(flat(run(layer, inputs)), expected)
    y = flat(run(layer, inputs))
    assert y.requires_grad
    assert torch.equal(y, expected)
    assert not flat(run(layer.requires_grad_(False), inputs)).requires_grad


@each
def test_gradients_reach_inputs_and_every_parameter(kind):
    digital, inputs = made(kind)
    inputs = [x.requires_grad_() for x in inputs]
    y = flat(run(analog(digital), inputs))
    y.backward(torch.randn_like(y))
    for leaf in (*inputs, *digital.parameters()):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() > 0


@each
def test_inputs_are_trained_through_frozen_layers(kind):
    digital, inputs = made(kind)
    inputs = [x.requires_grad_() for x in inputs]
    flat(run(analog(digital.requires_grad_(False)), inputs)).sum().backward()
    assert all(x.grad.abs().sum() > 0 for x in inputs)


# --- numbers ---


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@torch.no_grad()
def test_results_have_the_type_of_the_input(dtype, kind):
    digital, inputs = made(kind)
    y = flat(run(analog(digital.to(dtype)), [x.to(dtype) for x in inputs]))
    assert y.dtype == dtype
    expected = flat(run(analog(digital.double()), [x.to(dtype).double() for x in inputs]))
    # the type's own step, in intermediate results that are quantized to 2^-5, and in sums
    torch.testing.assert_close(y.double(), expected, rtol=0.05, atol=0.3 if dtype == torch.bfloat16 else 0.1)


@each
def test_inputs_must_be_floating_and_finite(kind):
    digital, inputs = made(kind)
    layer, (first, *rest) = analog(digital), inputs
    with torch.no_grad(), pytest.raises(ValueError, match=r"inputs must be floating numbers; got torch.uint8"):
        run(layer, [first.to(torch.uint8), *rest])
    first.view(-1)[1] = torch.inf
    with pytest.raises(ValueError, match=f"must be finite; 1 of {first.numel()} values are not"):
        run(layer, [first, *rest])


@each
@torch.no_grad()
def test_results_do_not_depend_on_other_entries_of_the_batch(kind):
    digital, inputs = made(kind)
    layer, batch = analog(digital), 1 if kind in (nn.RNN, nn.LSTM, nn.MultiheadAttention) else 0
    alone, together = (run(layer, x) for x in ([x.narrow(batch, 0, 1) for x in inputs], inputs))
    alone, together = (y[0] if isinstance(y, tuple) else y for y in (alone, together))
    assert torch.equal(alone, together.narrow(batch, 0, 1))


def test_every_kind_that_convert_knows_is_tested_here():
    known = {kind for kind in conversion._BUILDERS if kind.__module__.startswith("torch.nn")}
    assert known - set(DIGITAL) <= {nn.modules.linear.NonDynamicallyQuantizableLinear}

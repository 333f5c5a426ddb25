"""Recurrent layers and cells compute, sequence by sequence, what a plain loop computes on quantized numbers."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from geniex import layers
from geniex.digital import FixedPoint
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.layers import AnalogGRU, AnalogGRUCell, AnalogLSTM, AnalogLSTMCell, AnalogRNN, AnalogRNNCell
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal

NUMBER, FINE = FixedPoint(bits=8, fraction_bits=5), FixedPoint(bits=16, fraction_bits=12)
MAPPINGS = [DifferentialPair(), OffsetColumn(), TwosComplement()]
KINDS = [nn.RNN, nn.LSTM, nn.GRU]
CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]
name = lambda kind: kind.__name__  # noqa: E731


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def lossless(number=NUMBER, **changes):
    return HardwareConfig(7, 6, number, number, slice_bits=2, adc=None, accumulator=None, **changes)


def analog(layer, number=NUMBER, **changes):
    return getattr(layers, f"Analog{type(layer).__name__}")(layer, Ideal(), lossless(number, **changes))


def signed(*shape):
    """Inputs on both sides of 0, some beyond the range of NUMBER."""
    return 3 * torch.randn(*shape, dtype=torch.float64)


def several(state):
    return state if isinstance(state, tuple) else (state,)


# --- the reference: one sequence, step by step, products of quantized numbers ---


def fixed_point(x):
    return (x.detach() * 32).trunc().clamp(-128, 127) / 32


def product(x, weight, bias):
    y = fixed_point(x) @ fixed_point(weight).mT
    return y if bias is None else y + bias


def next_state(layer, place, x, state):
    """The state after an input, of the layer whose parameters' names end in `place`."""
    parameters = layer.named_parameters(remove_duplicate=False)
    weights = {key.removesuffix(place): value for key, value in parameters if key.endswith(place)}
    a = product(x, weights["weight_ih"], weights.get("bias_ih"))
    b = product(state[0], weights["weight_hh"], weights.get("bias_hh"))
    if isinstance(layer, nn.LSTM | nn.LSTMCell):
        i, f, g, o = (a + b).chunk(4)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (product(h, weights["weight_hr"], None) if "weight_hr" in weights else h, c)
    if isinstance(layer, nn.GRU | nn.GRUCell):
        (r, z, n), (r_h, z_h, n_h) = a.chunk(3), b.chunk(3)
        z = (z + z_h).sigmoid()
        return ((1 - z) * (n + (r + r_h).sigmoid() * n_h).tanh() + z * state[0],)
    return ((a + b).relu() if layer.nonlinearity == "relu" else (a + b).tanh(),)


def whole_sequence(layer, x, state):
    """Outputs (step, feature) and final states (layer and direction, feature)."""
    finals = []
    for number in range(layer.num_layers):
        outputs = []
        for direction in range(1 + layer.bidirectional):
            place = f"_l{number}" + "_reverse" * direction
            now = tuple(s[len(finals)] for s in state)
            y = []
            for step in reversed(x) if direction else x:
                now = next_state(layer, place, step, now)
                y.append(now[0])
            outputs.append(torch.stack(y[::-1] if direction else y))
            finals.append(now)
        x = torch.cat(outputs, dim=-1)
    return x, tuple(map(torch.stack, zip(*finals, strict=True)))


# --- exactness ---


@st.composite
def recurrent_layers(draw):
    """A layer of every kind that PyTorch offers, without dropout."""
    kind, hidden = draw(st.sampled_from(KINDS)), draw(st.integers(1, 4))
    options = {"nonlinearity": draw(st.sampled_from(["tanh", "relu"]))} if kind is nn.RNN else {}
    if kind is nn.LSTM:
        options = {"proj_size": draw(st.integers(0, hidden - 1))}
    return kind(
        draw(st.integers(1, 4)),
        hidden,
        num_layers=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        **options,
    ).double()


def states_of(layer, sequences, zero):
    """Initial states (layer and direction, sequence, feature)."""
    places = layer.num_layers * (1 + layer.bidirectional)
    features = [layer.proj_size or layer.hidden_size, layer.hidden_size][: 1 + isinstance(layer, nn.LSTM)]
    return tuple((0 if zero else 1) * signed(places, sequences, size) for size in features)


def check(layer, found, x, state):
    """`found` (outputs of each sequence, final states) equals the reference up to float64's rounding."""
    outputs, finals = found
    for k, (sequence, output) in enumerate(zip(x, outputs, strict=True)):
        y, final = whole_sequence(layer, sequence, tuple(s[:, k] for s in state))
        torch.testing.assert_close(output, y, rtol=1e-12, atol=1e-12)
        for one, other in zip(several(finals), final, strict=True):
            torch.testing.assert_close(one[:, k], other, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    layer=recurrent_layers(),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    mapping=st.sampled_from(MAPPINGS),
    zero=st.booleans(),
)
@torch.no_grad()
def test_layers_equal_a_loop_on_quantized_numbers(layer, shape, mapping, zero):
    sequences, steps = shape
    x, state = signed(sequences, steps, layer.input_size), states_of(layer, sequences, zero)
    given = None if zero else state if len(state) == 2 else state[0]
    y, final = analog(layer, mapping=mapping)(x if layer.batch_first else x.transpose(0, 1), given)
    check(layer, (y if layer.batch_first else y.transpose(0, 1), final), x, state)


@settings(deadline=None, max_examples=60)
@given(
    layer=recurrent_layers(),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    is_sorted=st.booleans(),
    zero=st.booleans(),
)
@torch.no_grad()
def test_packed_sequences_equal_a_loop_over_each(layer, lengths, is_sorted, zero):
    lengths = sorted(lengths, reverse=True) if is_sorted else lengths
    x, state = [signed(steps, layer.input_size) for steps in lengths], states_of(layer, len(lengths), zero)
    given = None if zero else state if len(state) == 2 else state[0]
    y, final = analog(layer)(pack_sequence(x, enforce_sorted=is_sorted), given)
    assert isinstance(y, PackedSequence)
    check(layer, (nn.utils.rnn.unpack_sequence(y), final), x, state)


@pytest.mark.parametrize(
    "layer", [kind(3, 4, 2, bidirectional=True).double() for kind in KINDS], ids=lambda m: name(type(m))
)
@torch.no_grad()
def test_one_sequence_needs_no_batch(layer):
    x, state = signed(5, 3), states_of(layer, 1, zero=False)
    y, final = analog(layer)(x, tuple(s[:, 0] for s in state) if len(state) == 2 else state[0][:, 0])
    assert y.shape == (5, 8)
    assert [tuple(s.shape) for s in several(final)] == [(4, 4)] * len(state)
    check(layer, ([y], tuple(s.unsqueeze(1) for s in several(final))), [x], state)


@pytest.mark.parametrize("batched", [True, False], ids=["batch", "one entry"])
@pytest.mark.parametrize("kind", [*CELLS, "relu"], ids=lambda kind: kind if kind == "relu" else name(kind))
@torch.no_grad()
def test_cells_equal_a_step_of_the_loop(kind, batched):
    cell = (nn.RNNCell(3, 4, nonlinearity="relu") if kind == "relu" else kind(3, 4)).double()
    x = signed(2, 3)
    for state in (None, tuple(signed(2, 4) for _ in range(1 + isinstance(cell, nn.LSTMCell)))):
        part = slice(None) if batched else 0
        given = None if state is None else tuple(s[part] for s in state)
        found = several(analog(cell)(x[part], given if given is None or len(given) == 2 else given[0]))
        state = state or (torch.zeros(2, 4, dtype=torch.float64),) * len(found)
        for k in range(2 if batched else 1):
            expected = next_state(cell, "", x[k], tuple(s[k] for s in state))
            for one, other in zip(found, expected, strict=True):
                torch.testing.assert_close(one[k] if batched else one, other, rtol=1e-12, atol=1e-12)


# --- beside PyTorch itself ---


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_with_fine_numbers_layers_and_gradients_are_near_pytorch(kind, bidirectional):
    """12 fraction bits: some 2^-12 per product of 3 to 8 numbers, over 5 steps and 2 layers."""
    layer = kind(3, 4, num_layers=2, bidirectional=bidirectional).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    leaves, tolerance = (x, *layer.parameters()), {"rtol": 0.01, "atol": 0.02}
    results = []
    for run in (layer, analog(layer, FINE)):
        y, final = run(x)
        results.append([y, *several(final), *torch.autograd.grad((y * y).sum(), leaves)])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, **tolerance)


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_dropout_lies_between_layers_in_training_alone(kind):
    """With dropout of everything there is nothing random left: the second layer sees zeros."""
    layer = kind(3, 4, num_layers=2, dropout=1.0).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    for mode in (True, False):
        y, expected = analog(layer.train(mode), FINE)(x)[0], layer(x)[0]
        torch.testing.assert_close(y, expected, rtol=0, atol=0.01)  # 12 fraction bits, over 5 steps
    assert not torch.allclose(layer.train()(x)[0], layer.eval()(x)[0])


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_all_inputs_of_a_layer_are_one_product(kind, monkeypatch):
    sizes = []
    multiply = AnalogMatmul.multiply
    monkeypatch.setattr(AnalogMatmul, "multiply", lambda self, x, w: (sizes.append(len(x)), multiply(self, x, w))[1])
    with torch.no_grad():
        analog(kind(3, 4))(torch.randn(5, 2, 3))
    assert sizes == [5 * 2, *[2] * 5]


@pytest.mark.parametrize("layer", [kind(3, 4, 2, bidirectional=True) for kind in KINDS], ids=lambda m: name(type(m)))
def test_parameters_keep_their_names(layer):
    assert list(analog(layer).state_dict()) == list(layer.state_dict())


def test_weights_shared_within_a_layer_stay_shared():
    layer, x = nn.GRU(4, 4, num_layers=2).double(), signed(3, 2, 4)
    layer.weight_hh_l1 = layer.weight_hh_l0
    found = analog(layer)
    assert found.weight_hh_l1 is found.weight_hh_l0
    check(layer, (found(x)[0].transpose(0, 1), found(x)[1]), x.transpose(0, 1), states_of(layer, 2, zero=True))


def test_networks_may_flatten_parameters_and_read_sizes():
    layer = analog(nn.LSTM(3, 4, num_layers=2, proj_size=2, batch_first=True))
    layer.flatten_parameters()
    assert (layer.input_size, layer.hidden_size, layer.proj_size, layer.num_layers) == (3, 4, 2, 2)
    assert (layer.batch_first, layer.bidirectional, layer.bias, layer.dropout) == (True, False, True, 0.0)


def test_printing_names_size_and_model():
    assert str(analog(nn.GRU(3, 4))) == "AnalogGRU(3, 4, num_layers=1, bidirectional=False, model=Ideal)"
    assert str(analog(nn.LSTMCell(3, 4))) == "AnalogLSTMCell(3, 4, model=Ideal)"


def test_a_layer_uses_the_parameters_of_the_digital_one():
    layer, cell = nn.LSTM(3, 4), nn.GRUCell(3, 4)
    assert analog(layer).weight_hh_l0 is layer.weight_hh_l0
    assert analog(cell).bias_ih is cell.bias_ih


# --- errors ---


@pytest.mark.parametrize(
    ("batch_first", "shape", "message"),
    [
        (False, (5, 2, 4), r"takes \(step, sequence, 3\) or \(step, 3\).*got an input of shape \(5, 2, 4\)"),
        (True, (2, 5, 4), r"takes \(sequence, step, 3\) or \(step, 3\).*got an input of shape \(2, 5, 4\)"),
        (False, (3,), r"got an input of shape \(3,\)"),
        (False, (0, 2, 3), r"at least 1 of each; got an input of shape \(0, 2, 3\)"),
    ],
    ids=str,
)
def test_other_inputs_are_refused(batch_first, shape, message):
    with pytest.raises(ValueError, match=message):
        analog(nn.GRU(3, 4, batch_first=batch_first))(torch.ones(shape))


def test_packed_sequences_of_other_features_are_refused():
    with pytest.raises(ValueError, match="takes 3 features; got packed sequences of 2"):
        analog(nn.GRU(3, 4))(pack_sequence([torch.ones(5, 2)]))


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 2, 4), (1, 2, 3)])
def test_other_initial_states_are_refused(shape):
    with pytest.raises(ValueError, match=rf"must be of shape \(1, 2, 4\) for this input; got \({shape[0]}, {shape[1]}"):
        analog(nn.GRU(3, 4))(torch.ones(5, 2, 3), torch.ones(shape))


def test_cells_refuse_other_inputs_and_states():
    cell = analog(nn.GRUCell(3, 4))
    with pytest.raises(ValueError, match=r"takes \(entry, 3\) or \(3,\); got an input of shape \(2, 4\)"):
        cell(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"must be of shape \(2, 4\) for this input; got \(1, 4\)"):
        cell(torch.ones(2, 3), torch.ones(1, 4))


@pytest.mark.parametrize(
    "kind", [AnalogRNN, AnalogLSTM, AnalogGRU, AnalogRNNCell, AnalogLSTMCell, AnalogGRUCell], ids=name
)
def test_inputs_must_be_finite(kind):
    digital = getattr(nn, kind.__name__.removeprefix("Analog"))(3, 4)
    x = torch.ones(5, 3)
    x[1, 1] = torch.nan
    with pytest.raises(ValueError, match="must be finite; 1 of 15 values are not"):
        kind(digital, Ideal(), lossless())(x)


def test_a_copy_does_not_follow_the_original():
    layer = analog(nn.LSTM(3, 4))
    x, other = torch.randn(5, 2, 3), copy.deepcopy(layer)
    before = layer(x)[0]
    with torch.no_grad():
        layer.weight_hh_l0.mul_(-1)
    assert torch.equal(other(x)[0], before)
    assert not torch.equal(layer(x)[0], before)

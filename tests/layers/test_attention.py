"""Attention on crossbars computes what a loop over heads computes on the same integers."""

import copy
import io
import math
import pickle

import pytest
import torch
from torch import nn

from geniex.conversion import convert
from geniex.layers import AnalogMultiheadAttention
from geniex.models.ideal import Ideal
from tests.layers.attending import CONFIG, LOSSY, PRECISE, assert_same, fixed_point, signed


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


# --- nn.MultiheadAttention ---

OPTIONS = {
    "plain": {},
    "without bias": {"bias": False},
    "other keys and values": {"kdim": 3, "vdim": 5},
    "appended": {"add_bias_kv": True, "add_zero_attn": True},
    "all": {"kdim": 3, "vdim": 5, "add_bias_kv": True, "add_zero_attn": True},
}
each = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
plain_and_all = pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["all"]], ids=["plain", "all"])


def digital(**options):
    """A layer of 2 heads of 4 features, its biases not 0 as PyTorch makes them."""
    layer = nn.MultiheadAttention(8, 2, **{"batch_first": True, **options}).double()
    for name, parameter in layer.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)
    return layer


def inputs_of(layer, batch=3):
    return signed(batch, 4, 8), signed(batch, 5, layer.kdim), signed(batch, 5, layer.vdim)


def looped(layer, query, key, value, hidden, quantized=lambda x: x):
    """One sequence, head by head; `hidden` (query, key) is True where a query does not see a key."""
    weights = (
        layer.in_proj_weight.chunk(3)
        if layer.in_proj_weight is not None
        else [layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight]
    )
    biases = [torch.zeros(8)] * 3 if layer.in_proj_bias is None else layer.in_proj_bias.detach().chunk(3)
    q, k, v = (
        fixed_point(x) @ fixed_point(w).T + b for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    if layer.bias_k is not None:
        k, v = torch.cat([k, layer.bias_k.detach()[0]]), torch.cat([v, layer.bias_v.detach()[0]])
    if layer.add_zero_attn:
        k, v = (torch.cat([x, torch.zeros(1, 8, dtype=torch.float64)]) for x in (k, v))
    outputs, shares = [], []
    for head in range(2):
        here = slice(4 * head, 4 * head + 4)
        scores = quantized(q[:, here]) @ quantized(k[:, here]).T / 2
        scores[:, : hidden.shape[1]][hidden] = -math.inf
        share = scores.exp() / scores.exp().sum(-1, keepdim=True)
        shares.append(share)
        outputs.append(quantized(share) @ quantized(v[:, here]))
    y = fixed_point(torch.cat(outputs, -1)) @ fixed_point(layer.out_proj.weight).T
    return y if layer.out_proj.bias is None else y + layer.out_proj.bias.detach(), torch.stack(shares)


@each
@pytest.mark.parametrize("attention", [None, CONFIG], ids=["digital products", "products on arrays"])
def test_attention_equals_a_loop_on_integers(options, attention):
    layer = digital(**options)
    query, key, value = inputs_of(layer)
    padding = torch.tensor([[False] * 5, [False] * 4 + [True], [False, False, True, True, True]])
    causal = torch.ones(4, 5, dtype=torch.bool).triu(1)
    network = convert(layer, Ideal(), CONFIG, attention=attention)
    y, shares = network(query, key, value, padding, attn_mask=causal, average_attn_weights=False)
    for n in range(3):
        quantized = fixed_point if attention else lambda x: x
        expected = looped(layer, query[n], key[n], value[n], causal | padding[n], quantized)
        assert_same(y[n], expected[0])
        assert_same(shares[n], expected[1])


CALLS = {
    "no mask": {},
    "boolean mask": {"attn_mask": torch.ones(4, 5, dtype=torch.bool).triu(1)},
    "floating mask": {"attn_mask": torch.linspace(-2, 2, 20, dtype=torch.float64).view(4, 5)},
    "mask of each head": {"attn_mask": torch.linspace(-2, 2, 120, dtype=torch.float64).view(6, 4, 5)},
    "causal": {"attn_mask": torch.ones(4, 5, dtype=torch.bool).triu(1), "is_causal": True},
    "padding": {"key_padding_mask": torch.arange(5) > torch.tensor([[4], [2], [0]])},
    "floating padding": {"key_padding_mask": torch.linspace(-2, 2, 15, dtype=torch.float64).view(3, 5)},
    "weights of each head": {"average_attn_weights": False},
}


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@plain_and_all
def test_calls_are_those_of_pytorch(options, call, need_weights):
    if options and call.get("is_causal") and not need_weights:
        pytest.skip("PyTorch takes the causal mask for one of appended keys, too, and only here")
    layer = digital(**options)
    inputs, call = inputs_of(layer), {**call, "need_weights": need_weights}
    found, expected = convert(layer, Ideal(), PRECISE)(*inputs, **call), layer(*inputs, **call)
    # sums of 8 products, each truncated by 2^-12, four times
    torch.testing.assert_close(found, expected, rtol=0, atol=32 * 2**-12)


@plain_and_all
def test_without_batch_first_the_batch_is_the_second_dimension(options):
    first, second = digital(**options), digital(**options, batch_first=False)
    second.load_state_dict(first.state_dict())
    inputs = inputs_of(first)
    y, shares = convert(first, Ideal(), CONFIG)(*inputs)
    moved, same = convert(second, Ideal(), CONFIG)(*(x.transpose(0, 1) for x in inputs))
    assert torch.equal(moved.transpose(0, 1), y)
    assert torch.equal(same, shares)


@pytest.mark.parametrize("batch_first", [True, False])
@plain_and_all
def test_a_sequence_needs_no_batch(options, batch_first):
    layer = digital(**options, batch_first=batch_first)
    inputs, padding = inputs_of(layer, 1), torch.tensor([False, False, False, True, True])
    y, shares = convert(layer, Ideal(), PRECISE)(*(x[0] for x in inputs), key_padding_mask=padding)
    expected, expected_shares = layer(*(x[0] for x in inputs), key_padding_mask=padding)
    torch.testing.assert_close(y, expected, rtol=0, atol=32 * 2**-12)
    torch.testing.assert_close(shares, expected_shares, rtol=0, atol=32 * 2**-12)


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_that_sees_no_key_gets_0(need_weights):
    layer = digital()
    y, _ = convert(layer, Ideal(), CONFIG)(
        *inputs_of(layer), key_padding_mask=torch.ones(3, 5, dtype=torch.bool), need_weights=need_weights
    )
    assert_same(y, layer.out_proj.bias.expand(3, 4, -1))


def test_dropout_acts_in_training_alone():
    layer = digital(dropout=0.5)
    network, inputs = convert(layer, Ideal(), CONFIG, attention=CONFIG), inputs_of(layer)
    assert not torch.equal(network.train()(*inputs)[0], network(*inputs)[0])
    assert torch.equal(network.eval()(*inputs)[0], network(*inputs)[0])


def saved_and_loaded(network):
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def loaded_with(network, factor):
    network.load_state_dict({name: factor * value for name, value in network.state_dict().items()})
    return network


def stepped(network, inputs):
    network(*inputs)[0].square().sum().backward()
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


@plain_and_all
@pytest.mark.parametrize("attention", [None, CONFIG], ids=["digital products", "products on arrays"])
@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_a_layer_equals_a_fresh_one(options, change, attention):
    layer, model = digital(**options), LOSSY if attention is None else Ideal()  # LOSSY takes long to write
    network, inputs = convert(layer, model, CONFIG, attention=attention), inputs_of(layer, 1)
    before = network(*inputs)[0]
    network = CHANGES[change](network, inputs)
    layer.load_state_dict(network.state_dict())  # names are those of PyTorch
    found = network(*inputs)[0]
    assert torch.equal(found, convert(layer, model, CONFIG, attention=attention)(*inputs)[0])
    if change in ("load_state_dict", "optimizer step"):
        assert not torch.equal(found, before)


@each
def test_state_dict_is_that_of_the_digital_layer(options):
    layer = digital(**options)
    network = convert(layer, Ideal(), CONFIG, attention=CONFIG)
    assert type(network) is AnalogMultiheadAttention
    assert sorted(network.state_dict()) == sorted(layer.state_dict())
    network.load_state_dict({name: -value for name, value in layer.state_dict().items()})
    assert all(torch.equal(value, -layer.state_dict()[name]) for name, value in network.state_dict().items())


@plain_and_all
@pytest.mark.parametrize("attention", [None, PRECISE], ids=["digital products", "products on arrays"])
def test_gradients_are_pytorchs(options, attention):
    layer = digital(**options)
    network, inputs = convert(layer, Ideal(), PRECISE, attention=attention), inputs_of(layer, 2)
    upstream = signed(2, 4, 8)
    for each_one in (layer, network):
        (each_one(*inputs)[0] * upstream).sum().backward()
    for name, parameter in layer.named_parameters():
        # numbers truncated by 2^-12; gradients of order 1 to 10
        torch.testing.assert_close(network.get_parameter(name).grad, parameter.grad, rtol=0.01, atol=0.02)


REFUSED = {
    "features": ([(2, 4, 7), (2, 5, 8), (2, 5, 8)], {}, r"must have \(8, 8, 8\) features.* got shapes \(2, 4, 7\)"),
    "dimensions": ([(4, 8), (2, 5, 8), (2, 5, 8)], {}, r"got shapes \(4, 8\), \(2, 5, 8\)"),
    "lengths": ([(2, 4, 8), (2, 5, 8), (2, 6, 8)], {}, r"got shapes \(2, 4, 8\), \(2, 5, 8\), \(2, 6, 8\)"),
    "mask": (
        [(2, 4, 8), (2, 5, 8), (2, 5, 8)],
        {"attn_mask": torch.zeros(5, 4)},
        r"`attn_mask` must be of shape \(4, 5\) or \(4, 4, 5\) for this input; got \(5, 4\)",
    ),
    "padding": (
        [(2, 4, 8), (2, 5, 8), (2, 5, 8)],
        {"key_padding_mask": torch.zeros(2, 4)},
        r"`key_padding_mask` must be of shape \(2, 5\) for this input; got \(2, 4\)",
    ),
    "causal": ([(2, 4, 8), (2, 5, 8), (2, 5, 8)], {"is_causal": True}, r"pass the causal mask, too"),
}


@pytest.mark.parametrize(("shapes", "call", "message"), REFUSED.values(), ids=REFUSED)
def test_other_inputs_are_refused(shapes, call, message):
    with pytest.raises(ValueError, match=message):
        convert(digital(), Ideal(), CONFIG)(*(signed(*shape) for shape in shapes), **call)


def test_printing_names_size_and_model():
    text = str(convert(digital(), LOSSY, CONFIG))
    assert text.startswith("AnalogMultiheadAttention(\n  8, num_heads=2, model=LinearCircuit")


@pytest.mark.parametrize("attention", [None, PRECISE], ids=["digital products", "products on arrays"])
def test_pytorchs_transformer_is_mapped_as_a_whole(attention):
    network = nn.Transformer(8, 2, 1, 1, 16, batch_first=True).double().eval()
    source, target = signed(2, 5, 8), signed(2, 4, 8)
    options = {
        "tgt_mask": torch.ones(4, 4, dtype=torch.bool).triu(1),
        "src_key_padding_mask": torch.arange(5) > torch.tensor([[4], [2]]),
        "tgt_is_causal": True,
    }
    analog = convert(network, Ideal(), PRECISE, attention=attention)
    # sums of 8 to 16 products, each truncated by 2^-12, through 5 blocks with normalization
    torch.testing.assert_close(analog(source, target, **options), network(source, target, **options), rtol=0, atol=0.1)
    with torch.no_grad():
        assert_same(analog(source, target, **options), analog(source, target, **options))
    assert {type(m).__name__ for m in analog.modules() if isinstance(m, nn.MultiheadAttention | nn.Linear)} == set()

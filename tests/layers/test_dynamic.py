"""Both products of attention on arrays: of any module that calls `scaled_dot_product_attention`, and where asked to."""

import inspect
import math
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geniex.conversion import convert
from geniex.digital import Scaled
from geniex.functional import HardwareConfig
from geniex.layers import AttentionOnArrays
from geniex.models.effects import ProgrammingError, RelativeSpread
from geniex.models.ideal import Ideal
from tests.layers.attending import CONFIG, LOSSY, NUMBER, PRECISE, assert_same, fixed_point, signed


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


class Attending(nn.Module):
    """Projects, and attends by PyTorch's function."""

    def __init__(self, **call):
        super().__init__()
        self.project, self.call = nn.Linear(4, 4).double(), call

    def forward(self, query, key, value, fail=None):
        y = F.scaled_dot_product_attention(query, key, value, **self.call)
        if fail:
            raise fail
        return self.project(y)


def attention_only(**call):
    """What the function itself gives, on crossbars, without the projection."""
    module = Attending(**call)
    nn.init.eye_(module.project.weight)
    nn.init.zeros_(module.project.bias)
    return module


SDPA = {
    "no mask": {},
    "boolean mask": {"attn_mask": torch.ones(4, 5, dtype=torch.bool).tril(1)},
    "floating mask": {"attn_mask": torch.linspace(-2, 2, 20, dtype=torch.float64).view(4, 5)},
    "mask of each head": {"attn_mask": torch.linspace(-2, 2, 80, dtype=torch.float64).view(2, 2, 4, 5)},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.3},
}


@pytest.mark.parametrize("call", SDPA.values(), ids=SDPA)
def test_both_products_are_those_of_integers(call):
    query, key, value = signed(2, 2, 4, 4), signed(2, 2, 5, 4), signed(2, 2, 5, 3).repeat(1, 1, 1, 2)[..., :4]
    found = convert(attention_only(**call), Ideal(), CONFIG, attention=CONFIG)(query, key, value)
    scores = fixed_point(query) @ fixed_point(key).mT * call.get("scale", 0.5)
    if call.get("is_causal"):
        scores[..., ~torch.ones(4, 5, dtype=torch.bool).tril()] = -math.inf
    mask = call.get("attn_mask", torch.zeros(()))
    scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    y = fixed_point(scores.softmax(-1)) @ fixed_point(value)
    assert_same(found, fixed_point(y))  # the projection passes what its inputs keep


def test_heads_that_share_keys_share_their_arrays(monkeypatch):
    query, key, value = signed(2, 6, 4, 4), signed(2, 2, 5, 4), signed(2, 2, 5, 4)
    written = []
    write = Ideal.write
    monkeypatch.setattr(Ideal, "write", lambda self, g: written.append(g) or write(self, g))
    module = attention_only(enable_gqa=True)
    network = convert(module, Ideal(), PRECISE, attention=PRECISE)
    found = network(query, key, value)
    torch.testing.assert_close(found, module(query, key, value), rtol=0, atol=16 * 2**-12)
    assert len(written) == 1 + 2 * 4  # the projection; keys and values of 2 heads of 2 sequences


def test_heads_that_share_keys_broadcast_their_batch():
    module = attention_only(enable_gqa=True)
    query, key, value = signed(2, 4, 4, 4), signed(1, 2, 5, 4), signed(1, 2, 5, 4)
    found = convert(module, Ideal(), PRECISE, attention=PRECISE)(query, key, value)
    expected = module(query, key.expand(2, -1, -1, -1), value.expand(2, -1, -1, -1))
    torch.testing.assert_close(found, expected, rtol=0, atol=16 * 2**-12)


@pytest.mark.parametrize("shape", [(2, 4, 4, 4), (4, 4)])
def test_heads_that_cannot_be_shared_evenly_are_refused(shape):
    network = convert(attention_only(enable_gqa=True), Ideal(), CONFIG, attention=CONFIG)
    with pytest.raises(ValueError, match=rf"query heads .* divide; got shapes \(2, 6, 4, 4\), \({str(shape)[1:-1]}\)"):
        network(signed(2, 6, 4, 4), signed(*shape), signed(*shape))


@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 0, 4, 4)])
def test_a_batch_may_be_empty(shape):
    network = convert(attention_only(), Ideal(), CONFIG, attention=CONFIG)
    assert network(*signed(3, *shape)).shape == shape


def test_leading_dimensions_broadcast():
    module = attention_only()
    query, key, value = signed(3, 1, 4, 4), signed(2, 5, 4), signed(5, 4)
    found = convert(module, Ideal(), PRECISE, attention=PRECISE)(query, key, value)
    torch.testing.assert_close(found, module(query, key, value.expand(2, 5, 4)), rtol=0, atol=16 * 2**-12)


def test_a_mask_besides_the_causal_one_is_refused():
    network = convert(attention_only(is_causal=True, attn_mask=torch.zeros(4, 4)), Ideal(), CONFIG, attention=CONFIG)
    with pytest.raises(ValueError, match="`is_causal=True` makes a mask of its own"):
        network(*signed(3, 1, 1, 4, 4))


def test_without_the_option_attention_stays_digital():
    inputs = signed(3, 1, 1, 4, 4)
    assert_same(convert(attention_only(), Ideal(), CONFIG)(*inputs), fixed_point(attention_only()(*inputs)))


@pytest.mark.parametrize("fail", [RuntimeError("on purpose"), KeyboardInterrupt()])
def test_after_an_error_other_networks_attend_digitally(fail):
    inputs = signed(3, 1, 1, 4, 4)
    expected = F.scaled_dot_product_attention(*inputs)
    with pytest.raises(type(fail)):
        convert(attention_only(), Ideal(), CONFIG, attention=CONFIG)(*inputs, fail=fail)
    assert torch.equal(F.scaled_dot_product_attention(*inputs), expected)


def test_converting_changes_neither_the_original_nor_the_type():
    module = attention_only()
    network = convert(module, Ideal(), CONFIG, attention=CONFIG)
    assert type(network) is Attending
    assert list(network.state_dict()) == list(module.state_dict())
    assert "forward" not in vars(module)
    assert inspect.signature(network.forward) == inspect.signature(module.forward)


def test_every_input_draws_device_effects_anew():
    model = ProgrammingError(Ideal(), RelativeSpread(0.1), generator=torch.Generator().manual_seed(0))
    network, inputs = convert(attention_only(), model, CONFIG, attention=CONFIG), signed(3, 1, 1, 4, 4)
    assert not torch.equal(network(*inputs), network(*inputs))
    fixed = convert(attention_only(), model, CONFIG)
    assert torch.equal(fixed(*inputs), fixed(*inputs))


def test_gradients_reach_queries_keys_and_values():
    inputs = [x.requires_grad_() for x in signed(3, 1, 2, 4, 4)]
    upstream = signed(1, 2, 4, 4)
    module = attention_only()
    expected = torch.autograd.grad((module(*inputs) * upstream).sum(), inputs)
    network = convert(module, Ideal(), PRECISE, attention=PRECISE)
    for found, of_pytorch in zip(
        torch.autograd.grad((network(*inputs) * upstream).sum(), inputs), expected, strict=True
    ):
        torch.testing.assert_close(found, of_pytorch, rtol=0.01, atol=0.01)  # numbers truncated by 2^-12


def test_a_network_without_attention_is_refused_when_it_runs():
    network = convert(nn.Sequential(nn.Linear(4, 4)), Ideal(), CONFIG, attention=CONFIG)
    with pytest.raises(ValueError, match=r"Sequential computed no attention.*`scaled_dot_product_attention`"):
        network(torch.zeros(1, 4))


def test_arrays_with_a_step_per_channel_are_refused():
    channels = HardwareConfig(7, 6, Scaled(8, (0.1, 0.2, 0.3)), NUMBER)
    with pytest.raises(ValueError, match=r"`attention`: Keys and values need one step .* got `weights` with 3 steps"):
        convert(attention_only(), Ideal(), CONFIG, attention=channels)


def test_a_model_of_other_arrays_is_refused_by_name():
    other = HardwareConfig(8, 8, NUMBER, NUMBER)
    with pytest.raises(ValueError, match="`attention`: LinearCircuit models crossbars of 7x6, but tiles of 8x8"):
        convert(attention_only(), LOSSY, CONFIG, attention=other)


@torch.no_grad()
def test_other_threads_attend_digitally():
    x, results = torch.rand(4, 3), []
    expected = F.scaled_dot_product_attention(x, x, x)
    with AttentionOnArrays(Ideal(), CONFIG):
        thread = threading.Thread(target=lambda: results.append(F.scaled_dot_product_attention(x, x, x)))
        thread.start()
        thread.join()
        assert not torch.equal(F.scaled_dot_product_attention(x, x, x), expected)
    assert torch.equal(results[0], expected)

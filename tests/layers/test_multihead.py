"""Multi-head attention of every kind equals PyTorch's on quantized inputs and weights, whatever the masks."""

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogMultiheadAttention
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal

NUMBER = FixedPoint(bits=8, fraction_bits=5)
MAPPINGS = [DifferentialPair(), OffsetColumn(), TwosComplement()]


def lossless(**changes):
    return HardwareConfig(7, 6, NUMBER, NUMBER, slice_bits=2, adc=None, accumulator=None, **changes)


def signed(*shape):
    return 3 * torch.randn(*shape, dtype=torch.float64)


def fixed_point(x):
    """What is left of `x` in the format NUMBER, written independently, in float64."""
    return (x.detach() * 32).trunc().clamp(-128, 127) / 32


def reference(attention, inputs, **options):
    """PyTorch's attention on quantized inputs and weights, then the quantized output projection of its result."""
    inside = copy.deepcopy(attention)
    for key, weight in inside.named_parameters():
        if key.endswith("proj_weight"):
            weight.copy_(fixed_point(weight))
    inside.out_proj.weight.copy_(torch.eye(inside.embed_dim))
    if inside.out_proj.bias is not None:
        inside.out_proj.bias.zero_()
    y, weights = inside(*map(fixed_point, inputs), **options)
    y = fixed_point(y) @ fixed_point(attention.out_proj.weight).mT
    return y if attention.out_proj.bias is None else y + attention.out_proj.bias, weights


@st.composite
def attentions(draw):
    """A layer of every kind, and inputs that fit it: (sequence, step, feature) of query, key and value."""
    heads = draw(st.integers(1, 3))
    features = heads * draw(st.integers(1, 3))
    of_key, of_value = (draw(st.one_of(st.none(), st.integers(1, 5))) for _ in range(2))
    attention = nn.MultiheadAttention(
        features,
        heads,
        bias=draw(st.booleans()),
        add_bias_kv=draw(st.booleans()),
        add_zero_attn=draw(st.booleans()),
        kdim=of_key,
        vdim=of_value,
        batch_first=draw(st.booleans()),
    ).double()
    for parameter in attention.parameters():
        nn.init.normal_(parameter)  # PyTorch starts biases at 0
    count, queries, keys = (draw(st.integers(1, 3)) for _ in range(3))
    sizes = (queries, features), (keys, of_key or features), (keys, of_value or features)
    return attention.eval(), [signed(count, *size) for size in sizes]


@st.composite
def calls(draw, heads, inputs):
    """Options of the forward pass; every query sees its first key."""
    count, queries, keys = len(inputs[0]), inputs[0].shape[1], inputs[1].shape[1]
    options = {"need_weights": draw(st.booleans()), "average_attn_weights": draw(st.booleans())}
    kind = draw(st.sampled_from([None, "boolean", "floating"]))
    shapes = {
        "attn_mask": draw(st.sampled_from([None, (queries, keys), (count * heads, queries, keys)])),
        "key_padding_mask": draw(st.sampled_from([None, (count, keys)])),
    }
    for name, shape in shapes.items() if kind else ():
        if shape is not None:
            mask = torch.rand(shape) < 0.4
            mask[..., 0] = False
            options[name] = mask if kind == "boolean" else mask * torch.randn(shape, dtype=torch.float64)
    return options


@settings(deadline=None, max_examples=100)
@given(case=attentions(), mapping=st.sampled_from(MAPPINGS), choices=st.data())
@torch.no_grad()
def test_attention_equals_pytorch_on_quantized_numbers(case, mapping, choices):
    attention, inputs = case
    options = choices.draw(calls(attention.num_heads, inputs))
    inputs = inputs if attention.batch_first else [x.transpose(0, 1) for x in inputs]
    found = AnalogMultiheadAttention(attention, Ideal(), lossless(mapping=mapping))(*inputs, **options)
    for one, other in zip(found, reference(attention, inputs, **options), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)  # float64, sums in another order

"""Convolutions of every kind compute on crossbars what PyTorch computes on the same integers. No tolerances."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from geniex import layers
from geniex.converters import DummyColumn
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv1d, AnalogConv2d, AnalogConvTranspose1d, AnalogConvTranspose2d
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.ideal import Ideal

NUMBER = FixedPoint(bits=8, fraction_bits=5)
MAPPINGS = [DifferentialPair(), OffsetColumn(), TwosComplement()]


def lossless(**changes):
    return HardwareConfig(
        **{"rows": 7, "cols": 6, "weights": NUMBER, "inputs": NUMBER, "slice_bits": 2, "adc": None, "accumulator": None}
        | changes
    )


def fixed_point(x):
    """What is left of `x` in the format NUMBER, written independently, in float64."""
    return (x.detach().double() * 32).trunc().clamp(-128, 127) / 32


def on_integers(conv):
    """The layer with the weights that crossbars hold, and no bias."""
    other = copy.deepcopy(conv)
    other.weight, other.bias = nn.Parameter(fixed_point(conv.weight)), None
    return other


def expected(conv, x, **forward):
    y = on_integers(conv)(fixed_point(x), **forward)
    return y if conv.bias is None else y + conv.bias.view(-1, *[1] * (conv.weight.dim() - 2))


def several(low, high, count):
    return st.tuples(*[st.integers(low, high)] * count)


@st.composite
def convolutions(draw):
    """A convolution of every kind, and an image size."""
    dimensions = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    padding = draw(st.one_of(several(0, 2, dimensions), st.sampled_from(["same", "valid"])))
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    conv = kind(
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 3)),
        draw(several(1, 3 if dimensions < 3 else 2, dimensions)),
        stride=1 if padding == "same" else draw(several(1, 3, dimensions)),
        padding=padding,
        dilation=draw(several(1, 2, dimensions)),
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    )
    return conv.double(), draw(several(5, 8 if dimensions < 3 else 5, dimensions))


def analog(conv, **changes):
    return getattr(layers, f"Analog{type(conv).__name__}")(conv, Ideal(), lossless(**changes))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # of the reference
@settings(deadline=None, max_examples=200)
@given(
    case=convolutions(),
    images=st.integers(0, 3),
    low=st.sampled_from([-4.0, 0.0]),
    mapping=st.sampled_from(MAPPINGS),
    pack=st.booleans(),
)
def test_convolutions_equal_pytorch_on_integers(case, images, low, mapping, pack):
    conv, size = case
    x = torch.empty(images, conv.in_channels, *size, dtype=torch.float64).uniform_(low, 4)
    assert torch.equal(analog(conv, mapping=mapping, pack_groups=pack)(x), expected(conv, x))


@st.composite
def transposed(draw):
    """A transposed convolution of every kind, and an image size."""
    dimensions, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dimensions - 1]
    stride = draw(several(1, 3, dimensions))
    conv = kind(
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 2)),
        draw(several(1, 3 if dimensions < 3 else 2, dimensions)),
        stride=stride,
        padding=draw(several(0, 1, dimensions)),
        output_padding=tuple(draw(st.integers(0, step - 1)) for step in stride),
        groups=groups,
        bias=draw(st.booleans()),
        dilation=draw(several(1, 2, dimensions)),
    )
    return conv.double(), draw(several(3, 5 if dimensions < 3 else 3, dimensions))


@settings(deadline=None, max_examples=150)
@given(case=transposed(), images=st.integers(1, 3), mapping=st.sampled_from(MAPPINGS), pack=st.booleans())
def test_transposed_convolutions_equal_pytorch_on_integers(case, images, mapping, pack):
    conv, size = case
    x = torch.empty(images, conv.in_channels, *size, dtype=torch.float64).uniform_(-4, 4)
    assert torch.equal(analog(conv, mapping=mapping, pack_groups=pack)(x), expected(conv, x))


@pytest.mark.parametrize("size", [(11,), (12,), (2, 3, 11)], ids=str)
def test_transposed_convolutions_take_an_output_size(size):
    conv = nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1).double()
    x = torch.randn(2, 4, 6, dtype=torch.float64)
    found = AnalogConvTranspose1d(conv, Ideal(), lossless())(x, output_size=size)
    assert torch.equal(found, expected(conv, x, output_size=size))


@pytest.mark.parametrize("size", [(10,), (13,), (3, 11)], ids=str)
def test_an_output_size_that_cannot_be_is_refused(size):
    layer = AnalogConvTranspose1d(nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1), Ideal(), lossless())
    with pytest.raises(ValueError, match=r"`output_size` must lie between \[11\] and \[12\] for inputs of size \[6\]"):
        layer(torch.randn(2, 4, 6), output_size=size)


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d], ids=lambda k: k.__name__)
def test_one_image_needs_no_batch(kind):
    conv = kind(3, 4, 3, padding=1)
    x = torch.randn(3, *[5] * (conv.weight.dim() - 2))
    layer = analog(conv)
    assert torch.equal(layer(x), layer(x.unsqueeze(0)).squeeze(0))


def test_depthwise_convolution_puts_each_channel_on_its_own_crossbars():
    conv = nn.Conv2d(4, 8, 3, groups=4, padding=1).double()
    assert [tuple(matrix.shape) for matrix in analog(conv).programmed()] == [(9, 2)] * 4


@pytest.mark.parametrize(
    ("rows", "cols", "floor", "packed"),
    [
        (64, 64, None, 4),
        (27, 64, None, 3),
        (64, 12, None, 3),
        (64, 12, DummyColumn(), 2),
        (9, 64, None, 1),
        (4, 3, None, 1),
    ],
)
def test_packed_groups_fill_a_crossbar(rows, cols, floor, packed):
    """Groups of 9 rows and 1 output in 4 slices."""
    conv = nn.Conv2d(4, 4, 3, groups=4, bias=False)
    layer = analog(conv, rows=rows, cols=cols, pack_groups=True, **{"floor": floor} if floor else {})
    matrices = layer.matrices()
    assert [tuple(matrix.shape) for matrix in matrices] == [
        (9 * count, count) for count in [packed] * (4 // packed) + [4 % packed] * bool(4 % packed)
    ]
    blocks = matrices[0].view(packed, 9, packed)
    for group in range(packed):
        assert torch.equal(blocks[group, :, group], conv.weight[group].flatten())
    assert math.isclose(matrices[0].abs().sum().item(), conv.weight[:packed].abs().sum().item(), rel_tol=1e-6)


def test_a_stride_beyond_the_image_reads_one_patch():
    conv = nn.Conv2d(1, 1, 1, stride=2, bias=False).double()
    x = torch.randn(1, 1, 1, 1, dtype=torch.float64)
    assert torch.equal(analog(conv)(x), fixed_point(x) * fixed_point(conv.weight))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (AnalogConv1d(nn.Conv1d(3, 4, 3), Ideal(), lossless()), (2, 4, 8), r"takes \(image, 3, length\)"),
        (AnalogConv2d(nn.Conv2d(3, 4, 3), Ideal(), lossless()), (3, 8), r"takes \(image, 3, height, width\)"),
        (
            AnalogConvTranspose2d(nn.ConvTranspose2d(3, 4, 3), Ideal(), lossless()),
            (2, 2, 8, 8),
            r"takes \(image, 3, height, width\); got an input of shape \(2, 2, 8, 8\)",
        ),
    ],
    ids=["conv1d", "conv2d", "transposed"],
)
def test_other_channels_are_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(torch.randn(*shape))


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d], ids=lambda k: k.__name__)
def test_results_do_not_depend_on_chunks(kind, monkeypatch):
    conv = kind(3, 4, 3, padding=1).double()
    x = torch.randn(5, 3, 6, 6, dtype=torch.float64)
    whole = analog(conv)(x)
    monkeypatch.setattr("geniex.layers.patches.CHUNK_VALUES", 1)
    assert torch.equal(analog(conv)(x), whole)


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d], ids=lambda k: k.__name__)
def test_gradients_with_ideal_crossbars_are_those_of_pytorch(kind):
    conv = kind(4, 4, 3, stride=2, padding=1, groups=2).double()
    with torch.no_grad():
        conv.weight.copy_(fixed_point(conv.weight))
    x = fixed_point(torch.randn(3, 4, *[6] * (conv.weight.dim() - 2))).requires_grad_()
    leaves = (x, conv.weight, conv.bias)
    reference = torch.autograd.grad(conv(x).square().sum(), leaves)
    found = torch.autograd.grad(analog(conv)(x).square().sum(), leaves)
    for one, other in zip(found, reference, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)  # float32 inside

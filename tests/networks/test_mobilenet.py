"""MobileNetV1 as Howard et al. (2017), table 1, describe it, and as TensorFlow pads and normalizes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geniex.conversion import convert
from geniex.functional import HardwareConfig
from geniex.models.ideal import Ideal
from geniex.networks import MobileNetV1, mobilenet_v1_025_imagenet

CHANNELS = [8, 16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256]  # a quarter of table 1


@pytest.fixture
def mobilenet():
    torch.manual_seed(0)
    return MobileNetV1(width=0.25, classes=10).eval()


def published_weights():
    """Names and shapes of the file: one convolution, 13 pairs, one linear layer."""
    shapes = {"conv1.weight": (8, 3, 3, 3), "classifier.weight": (1000, 256), "classifier.bias": (1000,)}
    norms = {"bn1": 8}
    for place in range(13):
        before, after = CHANNELS[place : place + 2]
        shapes[f"blocks.{place}.depthwise.weight"] = (before, 1, 3, 3)
        shapes[f"blocks.{place}.pointwise.weight"] = (after, before, 1, 1)
        norms |= {f"blocks.{place}.bn1": before, f"blocks.{place}.bn2": after}
    for name, channels in norms.items():
        shapes |= {f"{name}.{what}": (channels,) for what in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.num_batches_tracked"] = ()
    return shapes


def test_weights_have_the_published_names_and_shapes():
    found = {name: tuple(value.shape) for name, value in mobilenet_v1_025_imagenet().state_dict().items()}
    assert found == published_weights()


def test_size_is_that_of_keras():
    """470,072 trainable parameters, as `keras.applications.MobileNet(alpha=0.25)` prints."""
    assert sum(weight.numel() for weight in mobilenet_v1_025_imagenet().parameters()) == 470_072


def test_images_become_logits(mobilenet):
    with torch.no_grad():
        assert mobilenet(torch.rand(2, 3, 64, 96)).shape == (2, 10)


def test_four_pairs_halve_the_image(mobilenet):
    """Table 1: 112, 56 after pair 2, 28 after 4, 14 after 6, 7 after 12."""
    sizes = []
    for pair in mobilenet.blocks:
        pair.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-1]))
    with torch.no_grad():
        mobilenet(torch.rand(1, 3, 224, 224))
    assert sizes == [112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7]


def test_stride_2_pads_right_and_bottom_alone(mobilenet):
    """TensorFlow's SAME for a kernel of 3: the last row and column see the border, the first do not."""
    pair = mobilenet.blocks[1]
    nn.init.ones_(pair.depthwise.weight)
    seen = []
    pair.depthwise.register_forward_hook(lambda module, inputs, output: seen.append(output[0, 0]))
    with torch.no_grad():
        pair(torch.ones(1, 16, 6, 6))
    expected = torch.tensor([[9.0, 9.0, 6.0], [9.0, 9.0, 6.0], [6.0, 6.0, 4.0]])
    assert torch.equal(seen[0], expected)


def test_a_pair_by_hand(mobilenet):
    """Depthwise and pointwise with batch norm of 1e-3, cut at 0 and 6."""
    pair, x = mobilenet.blocks[0], 20 * torch.rand(1, 8, 5, 5)
    for norm in (pair.bn1, pair.bn2):
        nn.init.uniform_(norm.running_var, 0.001, 0.01)

    def normalized(y, norm):
        mean, scale = norm.running_mean.view(-1, 1, 1), (norm.running_var + 1e-3).sqrt().view(-1, 1, 1)
        return ((y - mean) / scale).clamp(0, 6)

    with torch.no_grad():
        y = normalized(F.conv2d(x, pair.depthwise.weight, padding=1, groups=8), pair.bn1)
        y = normalized(F.conv2d(y, pair.pointwise.weight), pair.bn2)
        torch.testing.assert_close(pair(x), y, rtol=1e-4, atol=1e-5)  # float32: another order of operations


def test_on_ideal_crossbars_it_stays_itself(mobilenet):
    """Stride-2 padding survives conversion; what is left is truncation to 16-bit numbers."""
    mobilenet.blocks, mobilenet.classifier = mobilenet.blocks[:2], nn.Linear(32, 10)  # all pairs take seconds
    x = torch.rand(1, 3, 32, 32)
    analog = convert(mobilenet, Ideal(), HardwareConfig())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in analog.modules()) == 5
    with torch.no_grad():
        digital = mobilenet(x)
        assert (analog(x) - digital).norm() < 0.02 * digital.norm()

"""SqueezeNet 1.1 as its authors released it and torchvision names it."""

import pytest
import torch
from torch import nn

from geniex.conversion import convert
from geniex.functional import HardwareConfig
from geniex.models.ideal import Ideal
from geniex.networks import SqueezeNet, squeezenet1_1_imagenet

FIRES = {  # position in `features`: channels before, squeezed, of each expansion (the release's deploy.prototxt)
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}


@pytest.fixture
def squeezenet():
    torch.manual_seed(0)
    return SqueezeNet(classes=10).eval()


def published_weights():
    """Names and shapes of torchvision's `squeezenet1_1`."""
    shapes = {"features.0": (64, 3, 3, 3), "classifier.1": (1000, 512, 1, 1)}
    for place, (before, squeezed, expanded) in FIRES.items():
        shapes[f"features.{place}.squeeze"] = (squeezed, before, 1, 1)
        shapes[f"features.{place}.expand1x1"] = (expanded, squeezed, 1, 1)
        shapes[f"features.{place}.expand3x3"] = (expanded, squeezed, 3, 3)
    weights = {f"{name}.weight": shape for name, shape in shapes.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in shapes.items()}


def test_weights_have_the_names_and_shapes_of_torchvision():
    found = {name: tuple(value.shape) for name, value in squeezenet1_1_imagenet().state_dict().items()}
    assert found == published_weights()


def test_size_is_that_of_the_release():
    assert sum(weight.numel() for weight in squeezenet1_1_imagenet().parameters()) == 1_235_496  # as torchvision says


def test_images_become_logits_at_several_sizes(squeezenet):
    with torch.no_grad():
        assert squeezenet(torch.rand(2, 3, 65, 65)).shape == squeezenet(torch.rand(2, 3, 64, 70)).shape == (2, 10)


def test_stages_shrink_the_image_as_caffe_does(squeezenet):
    """Pooling rounds up: 224 -> 111 -> 55 -> 27 -> 13."""
    sizes = []
    for module in squeezenet.features:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            module.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[2:])))
    with torch.no_grad():
        squeezenet(torch.rand(1, 3, 224, 224))
    assert sizes == [(111, 111), (55, 55), (27, 27), (13, 13)]


def test_a_fire_module_puts_1x1_before_3x3(squeezenet):
    fire = squeezenet.features[3]
    nn.init.zeros_(fire.expand3x3.weight)
    nn.init.constant_(fire.expand3x3.bias, 7.0)
    with torch.no_grad():
        y = fire(torch.rand(1, 64, 5, 5))
    assert y.shape == (1, 128, 5, 5)
    assert (y[:, 64:] == 7).all()


def test_on_ideal_crossbars_it_stays_itself(squeezenet):
    """What is left is truncation to 16-bit numbers, 2^-12 of activations around 1."""
    x = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        digital = squeezenet(x)
        analog = convert(squeezenet, Ideal(), HardwareConfig())(x)
    assert (analog - digital).norm() < 0.02 * digital.norm()

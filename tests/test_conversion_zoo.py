"""Networks of torchvision and timm on ideal crossbars: small images, random weights, activations of order 1."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geniex.calibration import calibrate
from geniex.conversion import check_called, convert
from geniex.converters import Dac
from geniex.digital import FixedPoint
from geniex.evaluation import LabelledImages, evaluate
from geniex.functional import HardwareConfig
from geniex.layers.base import analog_layers
from geniex.models.ideal import Ideal
from geniex.zoo import library

WEIGHTS, INPUTS = FixedPoint(16, 14), FixedPoint(16, 11)
CONFIG = HardwareConfig(64, 64, WEIGHTS, INPUTS, slice_bits=8, dac=Dac(8), adc=None, accumulator=None, pack_groups=True)

torchvision = library("torchvision").models
timm = library("timm")


NETWORKS = {
    "torchvision resnet18": (torchvision.resnet18, 64),
    "torchvision squeezenet1_1": (torchvision.squeezenet1_1, 64),
    "torchvision vit": (lambda: torchvision.VisionTransformer(32, 8, 2, 4, 64, 128), 32),
    "timm resnet18": (lambda: timm.create_model("resnet18"), 64),
    "timm vit_tiny": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=64), 64),
    "timm mobilenetv3_small": (lambda: timm.create_model("mobilenetv3_small_050"), 32),
    "timm test_efficientnet": (lambda: timm.create_model("test_efficientnet"), 32),
    "timm test_convnext": (lambda: timm.create_model("test_convnext"), 32),
    "torchvision mobilenet_v3_small": (torchvision.mobilenet_v3_small, 32),
    "timm efficientnet_b0": (lambda: timm.create_model("efficientnet_b0"), 32),
    "timm convnext_atto": (lambda: timm.create_model("convnext_atto"), 32),
}
LARGE = ("torchvision mobilenet_v3_small", "timm efficientnet_b0", "timm convnext_atto")
each = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in NETWORKS]
)


def made(name):
    """A network whose batch norms fit the image, as if it had been trained on such; a head of zeros is drawn anew."""
    torch.manual_seed(0)
    make, side = NETWORKS[name]
    network, x = make(), torch.randn(16, 3, side, side)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.02)
    with torch.no_grad():
        network.train()(x)
    return network.eval(), x[:1]


@each
def test_networks_on_ideal_crossbars_are_the_integer_computation_and_near_to_the_digital_one(name):
    """Truncation to steps of 2**-11 and 2**-14 costs up to 16 %, in the deepest; a wrong layer would cost all."""
    digital, x = made(name)
    analog, met = convert(digital, Ideal(), CONFIG), set()
    for _, layer in analog_layers(analog):
        layer.register_forward_hook(lambda layer, *_: met.add(layer))
    with torch.no_grad():
        expected, found = digital(x), analog(x)
        if "torchvision vit" not in name:  # whose attention is one layer
            assert torch.equal(found, in_whole_numbers(digital)(x))
    assert (found - expected).norm() < 0.2 * (expected - expected.mean()).norm()
    assert met == {layer for _, layer in analog_layers(analog)}
    assert not any(isinstance(module, (nn.Conv2d, nn.Linear)) for module in beside_analog(analog))


def beside_analog(network):
    """Modules that are in no analog layer."""
    inside = {child for _, layer in analog_layers(network) for child in layer.modules()}
    return [module for module in network.modules() if module not in inside]


class Integer(nn.Module):
    """A layer in whole numbers, which products in float64 are exact for."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        layer, bias = self.layer, self.layer.bias
        levels, weights = levels_of(x, INPUTS), levels_of(layer.weight, WEIGHTS)
        if isinstance(layer, nn.Linear):
            y = levels @ weights.mT
        else:
            y = F.conv2d(levels, weights, None, layer.stride, layer.padding, layer.dilation, layer.groups)
            bias = None if bias is None else bias.view(-1, 1, 1)
        y = (y * INPUTS.step * WEIGHTS.step).to(x.dtype)
        return y if bias is None else y + bias


def levels_of(values, number):
    return (values.double() / number.step).trunc().clamp(-(2**15) + 1, 2**15 - 1)


def in_whole_numbers(network):
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (nn.Conv2d, nn.Linear)):
                setattr(parent, name, Integer(child))
    return network


@pytest.mark.parametrize(
    ("make", "side", "layers"),
    [
        (
            lambda: torchvision.SwinTransformer([4, 4], 16, [2], [2], [4, 4]),
            32,
            "attn.qkv` and 3 more would stay digital",
        ),
        (
            lambda: timm.create_model("eva02_tiny_patch14_224", img_size=28, depth=1),
            28,
            "Layer `blocks.0.attn.qkv` would",
        ),
    ],
    ids=["torchvision swin", "timm eva02"],
)
def test_layers_that_are_not_called_are_noticed(make, side, layers):
    """Attention that multiplies by the weights of its layers itself."""
    network, x = make().eval(), torch.randn(1, 3, side, side)
    with pytest.raises(ValueError, match=f"{layers} .*`layers.digital`, or have `config` return None"):
        check_called(network, CONFIG, x)
    check_called(network, lambda name, module: None if "attn" in name else CONFIG, x)
    assert not any(weight.grad is not None for weight in network.parameters())


def test_an_evaluation_refuses_layers_that_are_not_called():
    network = torchvision.SwinTransformer([4, 4], 16, [2], [2], [4, 4]).eval()
    images = LabelledImages(np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2, np.int64), "black")
    with pytest.raises(ValueError, match="would stay digital unnoticed"):
        evaluate(network, images, {"ideal": Ideal()}, CONFIG)
    (result,) = evaluate(network, images, {"digital": None}, CONFIG).models
    assert result.images == 2


def test_a_calibration_refuses_layers_that_are_not_called():
    network = torchvision.SwinTransformer([4, 4], 16, [2], [2], [4, 4])
    with pytest.raises(ValueError, match="would stay digital unnoticed"):
        calibrate(network, [torch.randn(2, 3, 32, 32)], CONFIG)
    assert network.training


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ModuleDict({"used": nn.Linear(3, 2), "spare": nn.Linear(3, 2)}),
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1),
    ],
    ids=["a layer without a use", "fused inference"],
)
def test_layers_that_nothing_reads_may_stay_idle(make, monkeypatch):
    network = make().eval()
    if isinstance(network, nn.ModuleDict):
        monkeypatch.setattr(nn.ModuleDict, "forward", lambda self, x: self["used"](x))
        check_called(network, CONFIG, torch.randn(1, 3))
    else:
        check_called(network, CONFIG, torch.randn(1, 5, 4))


@pytest.mark.parametrize(("name", "layer"), [("tf_efficientnet_b0", "Conv2dSame"), ("nf_resnet26", "ScaledStdConv2d")])
def test_layers_that_compute_something_else_are_refused(name, layer):
    with pytest.raises(ValueError, match=f"is a {layer}, which has no analog version. Leave it digital"):
        convert(timm.create_model(name), Ideal(), CONFIG)

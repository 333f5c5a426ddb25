"""ResNet-20 as He et al. (2016), section 4.2, describe it."""

import pytest
import torch
from torch import nn

from geniex.conversion import convert
from geniex.functional import HardwareConfig
from geniex.models.ideal import Ideal
from geniex.networks import resnet20_cifar100


@pytest.fixture
def resnet():
    torch.manual_seed(0)
    return resnet20_cifar100().eval()


def weights_of_the_paper():
    """Names and shapes: three stages of three blocks of two 3x3 convolutions with batch norm, one linear layer."""
    shapes = {"conv1.weight": (16, 3, 3, 3), "linear.weight": (100, 64), "linear.bias": (100,)}
    norms, before = {"bn1": 16}, 16
    for stage, channels in enumerate((16, 32, 64), start=1):
        for block in range(3):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (channels, before, 3, 3)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            norms |= {f"{name}.bn1": channels, f"{name}.bn2": channels}
            before = channels
    for name, channels in norms.items():
        shapes |= {f"{name}.{what}": (channels,) for what in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.num_batches_tracked"] = ()
    return shapes


def test_weights_have_the_names_and_shapes_of_the_paper(resnet):
    assert {name: tuple(value.shape) for name, value in resnet.state_dict().items()} == weights_of_the_paper()


def test_size_is_that_of_the_published_implementation(resnet):
    """269,722 parameters for 10 classes, as `akamaster/pytorch_resnet_cifar10` prints; 90 classes more here."""
    assert sum(weight.numel() for weight in resnet.parameters()) == 269_722 + 90 * 65


def test_twenty_layers_have_weights(resnet):
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in resnet.modules()) == 20


def test_images_become_logits(resnet):
    with torch.no_grad():
        assert resnet(torch.rand(2, 3, 32, 32)).shape == (2, 100)


def test_stages_halve_the_image(resnet):
    sizes = []
    for stage in (resnet.layer1, resnet.layer2, resnet.layer3):
        stage.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    with torch.no_grad():
        resnet(torch.rand(1, 3, 32, 32))
    assert sizes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_shortcut_takes_every_other_pixel_and_adds_empty_channels(resnet):
    block = resnet.layer2[0]
    nn.init.zeros_(block.bn2.weight)
    nn.init.zeros_(block.bn2.bias)
    x = torch.rand(1, 16, 6, 6)
    with torch.no_grad():
        y = block(x)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert (y[:, :8] == 0).all()
    assert (y[:, 24:] == 0).all()


def test_in_eval_mode_an_image_does_not_depend_on_its_batch(resnet):
    x = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        together, again = resnet(x), resnet(x)
        alone = torch.cat([resnet(image) for image in x.split(1)])
    assert torch.equal(together, again)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)  # float32: other kernels for other batches


def test_on_ideal_crossbars_it_stays_itself(resnet):
    """Batch norm stays digital; what is left is truncation to 16-bit numbers, 2^-12 of activations around 1."""
    x = torch.rand(1, 3, 32, 32)
    analog = convert(resnet, Ideal(), HardwareConfig())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in analog.modules()) == 19
    with torch.no_grad():
        digital = resnet(x)
        assert (analog(x) - digital).norm() < 0.01 * digital.norm()

"""Folded networks compute what the ones with batch norms do, and nothing is folded that must not be."""

import jaxtyping
import pytest
import torch
from torch import nn

from geniex.conversion import convert
from geniex.folding import FoldedBatchNorm1d, fold_batch_norm
from geniex.functional import HardwareConfig
from geniex.models.ideal import Ideal
from geniex.networks import resnet20_cifar100


class Block(nn.Module):
    """A residual block, as in ResNets."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.conv2, self.bn2 = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)

    def forward(self, x):
        return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


def lively(network):
    """The network with batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low in ((module.running_mean, -1), (module.running_var, 0.5), (module.weight, 0.5)):
                if tensor is not None:
                    tensor.data.uniform_(low, 2, generator=generator)
    return network.double().eval()


def norms(network):
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


CASES = {
    "linear": (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), (3, 5)),
    "conv1d": (nn.Sequential(nn.Conv1d(4, 6, 3, groups=2, bias=False), nn.BatchNorm1d(6), nn.ReLU()), (3, 4, 8)),
    "conv3d": (nn.Sequential(nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3, affine=False)), (2, 2, 4, 4, 4)),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)), (2, 4, 5, 5)),
    "residual": (nn.Sequential(Block(), Block()), (2, 3, 6, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_folded_networks_compute_the_same(name):
    network, shape = CASES[name]
    lively(network)
    folded, x = fold_batch_norm(network), torch.randn(*shape, dtype=torch.float64)
    assert norms(folded) == 0
    torch.testing.assert_close(folded(x), network(x), rtol=1e-9, atol=1e-9)  # the same sums in another order


def test_the_network_itself_is_not_changed():
    network = lively(nn.Sequential(Block(), Block()))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold_batch_norm(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


class Shared(nn.Module):
    """A layer whose output is used twice, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.a, self.norm_a, self.b, self.norm_b = (
            nn.Linear(4, 4),
            nn.BatchNorm1d(4),
            nn.Linear(4, 4),
            nn.BatchNorm1d(4),
        )
        self.c, self.norm_c = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        y = self.a(x)
        y = self.norm_a(y) + y
        y = self.norm_b(self.b(self.b(y)))
        return self.norm_c(self.c(y))


def test_layers_that_are_used_elsewhere_keep_their_batch_norm():
    network = lively(Shared())
    folded, x = fold_batch_norm(network), torch.randn(5, 4, dtype=torch.float64)
    assert isinstance(folded.norm_a, nn.BatchNorm1d)
    assert isinstance(folded.norm_b, nn.BatchNorm1d)
    assert isinstance(folded.norm_c, FoldedBatchNorm1d)
    torch.testing.assert_close(folded(x), network(x), rtol=1e-9, atol=1e-9)


@pytest.fixture
def _unchecked_shapes():
    """The tests' check of annotations knows tensors alone, and torch.fx traces with stand-ins."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_unchecked_shapes")
@torch.no_grad()
def test_resnet20_is_the_same_network_without_batch_norms():
    network, x = lively(resnet20_cifar100()), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    folded = fold_batch_norm(network)
    assert norms(network) == 19
    assert norms(folded) == 0
    torch.testing.assert_close(folded(x), network(x), rtol=1e-9, atol=1e-9 * network(x).abs().max().item())


@torch.no_grad()
def test_on_crossbars_weights_have_their_scale():
    """The shift of the batch norm is in the bias, which stays digital; its scale is on the crossbars."""
    network = lively(nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3)))
    analog = convert(fold_batch_norm(network), Ideal(), HardwareConfig(adc=None, accumulator=None))
    x = torch.rand(2, 2, 5, 5, dtype=torch.float64)
    # sums of 18 products, numbers truncated by 2^-12 and 2^-13
    torch.testing.assert_close(analog(x), network(x), rtol=0, atol=18 * 2**-11)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Linear(4, 4), (5, 4, 4)), (nn.Conv1d(4, 4, 3, padding=1), (4, 4))],
    ids=["linear", "conv1d"],
)
def test_outputs_whose_channel_is_elsewhere_are_refused(layer, shape):
    """A `BatchNorm1d` takes dimension 1 for channels: of (entry, step, feature), and of one image (channel, length)."""
    folded = fold_batch_norm(lively(nn.Sequential(layer, nn.BatchNorm1d(4))))
    found = str(shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"for inputs of \d dimensions; got shape {found}"):
        folded(torch.ones(shape, dtype=torch.float64))


def test_what_is_folded_can_be_traced_again():
    network = lively(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3), nn.BatchNorm1d(3)))
    folded = fold_batch_norm(network)
    with pytest.raises(ValueError, match="has no batch norm"):
        fold_batch_norm(folded)


def test_nothing_to_fold_is_an_error():
    with pytest.raises(ValueError, match="Sequential has no batch norm with running statistics right after"):
        fold_batch_norm(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)))


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_network_that_cannot_be_traced_is_an_error():
    with pytest.raises(ValueError, match=r"Branching cannot be traced by torch.fx \(TraceError"):
        fold_batch_norm(Branching())

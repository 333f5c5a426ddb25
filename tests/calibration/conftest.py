"""A network of a convolution and a linear layer, data for it, and small crossbars."""

import pytest
import torch
from torch import nn

from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
        ).eval()


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(1)
    return [1.7 * torch.randn(5, 3, 8, 8, generator=generator) for _ in range(3)]


@pytest.fixture
def hardware():
    """Makes a configuration whose formats are far too coarse for the network."""

    def make(**changes):
        number = FixedPoint(8, 0)
        defaults = {"rows": 8, "cols": 6, "weights": number, "inputs": number, "adc": None, "accumulator": None}
        return HardwareConfig(**defaults | changes)

    return make

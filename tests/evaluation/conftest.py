"""A network of two layers, twelve images of 8x8, crossbars of 8x8: an evaluation in a fraction of a second."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geniex.circuit.spec import CrossbarSpec
from geniex.evaluation import LabelledImages
from geniex.functional import HardwareConfig

CLASSES = 5


class Recording(nn.Sequential):
    """Remembers the logits of every call, of its copies too, and can break off at one."""

    logits: ClassVar[list[Tensor]] = []
    stop_at: ClassVar[int | None] = None

    def forward(self, x):
        if len(self.logits) == self.stop_at:
            raise KeyboardInterrupt
        self.logits.append(super().forward(x))
        return self.logits[-1]


def make_network(seed: int = 0) -> Recording:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Recording(
            nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, CLASSES)
        )
    return network.eval()


@pytest.fixture
def network():
    Recording.logits.clear()
    Recording.stop_at = None
    return make_network()


@pytest.fixture
def images():
    random = np.random.default_rng(7)
    pixels = random.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    return LabelledImages(pixels, random.integers(0, CLASSES, 12), "random.npz")


@pytest.fixture
def spec():
    """Weak drivers, so that parasitics matter at 8x8."""
    return CrossbarSpec(8, 8, r_source=2000.0, r_sink=1000.0)


@pytest.fixture
def hardware():
    return HardwareConfig(rows=8, cols=8)

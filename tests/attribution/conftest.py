"""A network of two layers, forty images of 4x4, crossbars of 8x8: an attribution in a second."""

import numpy as np
import pytest
import torch
from torch import nn

from geniex.configuration import EvaluationConfig
from geniex.evaluation import LabelledImages

QUIET = {
    "crossbar": {"rows": 8, "cols": 8, "r_source": 0.0, "r_sink": 0.0, "r_row": 0.0, "r_col": 0.0},
    "cell": {"device": "ohmic"},
    "adc": "none",
    "floor": "digital",
    "batch": 16,
}
"""Crossbars without a flaw, at 16 bits."""


def configured(**tables):
    """`QUIET`, with some tables changed."""
    content = dict(QUIET)
    for name, table in tables.items():
        before = content.get(name, {})
        content[name] = {**before, **table} if isinstance(table, dict) and isinstance(before, dict) else table
    return EvaluationConfig.model_validate(content)


PREPARE = EvaluationConfig().run_options().prepare


@pytest.fixture
def pixels():
    return np.random.default_rng(7).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)


@pytest.fixture
def network(pixels):
    """Its logits are 0 on average, so that no class is safe."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5))
    with torch.no_grad():
        made[3].bias -= made(PREPARE(pixels)).mean(0)
    return made.eval()


@pytest.fixture
def images(network, pixels):
    """Labelled by the network itself, so that whatever changes a decision loses accuracy."""
    with torch.no_grad():
        labels = network(PREPARE(pixels)).argmax(-1).numpy()
    return LabelledImages(pixels, labels, "noise")

"""One tiny emulator for all tests: 8x8, trained in a second."""

import pytest

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.emulation import MixedDigits, TrainingRecipe, train
from geniex.models.circuit import Circuit
from geniex.window import Window

RECIPE = TrainingRecipe(
    steps=400,
    batch=32,
    hidden=64,
    learning_rate=3e-3,
    held_out_crossbars=32,
    held_out_inputs=8,
)


@pytest.fixture(scope="session")
def circuit():
    """Weak drivers, so that wires and cells matter at 8x8."""
    return Circuit(CrossbarSpec(8, 8, r_source=1000.0, r_sink=500.0), Sinh())


@pytest.fixture(scope="session")
def recipe():
    return RECIPE


@pytest.fixture(scope="session")
def trained(circuit, recipe):
    """(network, card); tests leave them as they are."""
    return train(circuit, MixedDigits(), Window(), recipe)

"""Conductances follow Arrhenius' law."""

import math

import numpy as np
import pytest
import torch
from scipy import constants

from geniex.models.effects import Temperature
from geniex.models.ideal import Ideal
from geniex.models.randomness import is_random
from tests.tolerances import SAME_ALGORITHM

G = torch.tensor([[1e-6, 3e-6], [8e-6, 2e-5]], dtype=torch.float64)
POINTS = ((1e-6, 0.12), (1e-5, -0.01))


def arrhenius(g, kelvin, joule, reference):
    return g * np.exp(-joule / constants.k * (1 / kelvin - 1 / reference))


@pytest.mark.parametrize("kelvin", [250.0, 300.0, 398.0])
@pytest.mark.parametrize("reference", [300.0, 320.0])
def test_one_energy_scales_all_cells_alike(kelvin, reference):
    expected = arrhenius(G.numpy(), kelvin, 0.05 * constants.eV, reference)
    g = Temperature(Ideal(), kelvin, 0.05, reference).write(G)
    torch.testing.assert_close(g, torch.from_numpy(expected), rtol=SAME_ALGORITHM, atol=0)


def test_small_conductances_may_rise_while_large_ones_fall():
    energies = np.interp(G.numpy(), *np.transpose(POINTS)) * constants.eV
    g = Temperature(Ideal(), 350.0, POINTS).write(G)
    expected = torch.from_numpy(arrhenius(G.numpy(), 350.0, energies, 300.0))
    torch.testing.assert_close(g, expected, rtol=SAME_ALGORITHM, atol=0)
    assert g[0, 0] > G[0, 0]
    assert g[1, 1] < G[1, 1]


def test_nothing_changes_at_the_reference():
    model = Temperature(Ideal(), 320.0, POINTS, 320.0)
    assert torch.equal(model.write(G), G)
    assert not is_random(model)


@pytest.mark.parametrize("energy", [0.05, POINTS], ids=["one", "points"])
def test_the_law_is_differentiable(energy):
    g = (G / 1e-5).requires_grad_()
    model = Temperature(Ideal(), 350.0, energy)
    assert torch.autograd.gradcheck(lambda g: model.write(g * 0.9e-5) / 1e-5, g)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0.0, 0.1), r"`Temperature\(kelvin=...\)` must be finite and above 0 K; got 0 K"),
        ((300.0, 0.1, -1.0), r"`Temperature\(reference=...\)` must be finite and above 0 K; got -1 K"),
        ((300.0, math.nan), r"`Temperature\(activation_energy_eV=...\)` must be finite; got nan eV"),
        ((300.0, POINTS[::-1]), r"Conductances of `Temperature\(activation_energy_eV=...\)` must ascend; got 1e-05 S"),
    ],
)
def test_bad_descriptions_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Temperature(Ideal(), *settings)

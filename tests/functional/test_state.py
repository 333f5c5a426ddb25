"""What stands on the crossbars of a layer: one chip as long as its digits are, another one when they change."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import DigitalFloor
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogLinear
from geniex.models.effects import Drift, FlickerNoise, ProgrammingError, ReadNoise, RelativeSpread
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.models.effects.statistics import seeded

SPEC = CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0)
NUMBER = FixedPoint(8, 4)
CONFIG = HardwareConfig(6, 5, NUMBER, NUMBER, slice_bits=2, adc=None, accumulator=None, floor=DigitalFloor())
X = torch.randint(-64, 64, (4, 14), generator=seeded(1)) / 16


def scattering(model=None):
    return ProgrammingError(model or LinearCircuit(SPEC), RelativeSpread(0.1), generator=seeded())


def layer_on(model):
    """A layer whose numbers are digits already."""
    linear = nn.Linear(14, 3)
    linear.weight.data = torch.randint(-64, 64, (3, 14), generator=seeded(2)) / 16
    return AnalogLinear(linear, model, CONFIG)


@torch.no_grad()
def answer(layer):
    """Products of the crossbars alone, without bias."""
    return layer.product(0, X.to(layer.weight)).float()


def through_a_file(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def reloaded(layer):
    layer.load_state_dict(copy.deepcopy(layer.state_dict()))
    return layer


def biased(layer):
    layer.bias.data += 1.0
    return layer


def nudged(layer):
    """By less than the numbers of the hardware tell apart, away from 0: they truncate toward it."""
    layer.weight.data += 0.01 * layer.weight.data.sign()
    return layer


def trained(layer):
    layer(X).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    return layer


def negated(layer):
    layer.weight.data.mul_(-1)
    return layer


def forgotten(layer):
    layer.crossbars.forget()
    return layer


SAME_CHIP = {
    "eval": lambda layer: layer.eval(),
    "train": lambda layer: layer.train(),
    "double": lambda layer: layer.double(),
    "to the cpu": lambda layer: layer.to("cpu"),
    "deepcopy": copy.deepcopy,
    "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
    "torch.save": through_a_file,
    "load_state_dict": reloaded,
    "another bias": biased,
    "the same digits": nudged,
}
OTHER_CHIP = {"a training step": trained, "other weights": negated, "forget": forgotten}


@pytest.mark.parametrize("change", SAME_CHIP.values(), ids=SAME_CHIP.keys())
def test_a_chip_is_written_once_whatever_becomes_of_its_layer(change):
    layer = layer_on(scattering())
    before = answer(layer)
    for _ in range(2):
        layer = change(layer)
        assert torch.equal(answer(layer), before)


@pytest.mark.parametrize("change", OTHER_CHIP.values(), ids=OTHER_CHIP.keys())
def test_another_chip_is_written_when_digits_change_or_it_is_forgotten(change):
    layer = layer_on(scattering())
    (first,), before = layer.written(), answer(layer)
    layer = change(layer)
    (second,) = layer.written()
    z = [matrix.tiles[0].g / CONFIG.g_off - 1 for matrix in (first, second)]
    blank = (first.tiles[0].placed.level == 0) & (second.tiles[0].placed.level == 0)
    assert blank.sum() > 10
    assert not torch.isclose(z[0][blank], z[1][blank]).any()  # every cell has another error
    assert not torch.equal(answer(layer), before)


def test_weights_that_come_back_come_back_on_another_chip():
    layer = layer_on(scattering())
    before = answer(layer)
    answer(negated(layer))
    assert not torch.equal(answer(negated(layer)), before)


def test_a_copy_is_a_chip_of_its_own():
    layer = layer_on(scattering())
    before = answer(layer)
    twin = copy.deepcopy(layer)
    answer(negated(twin))
    assert torch.equal(answer(layer), before)


def test_asking_what_is_written_writes_what_is_read():
    layer, other = layer_on(scattering()), layer_on(scattering())
    (written,) = layer.written()
    assert torch.equal(layer.programmed()[0].written.tiles[0].g, written.tiles[0].g)
    assert torch.equal(answer(layer), answer(other))


def test_read_noise_is_drawn_for_every_read_of_one_chip():
    layer = layer_on(ReadNoise(scattering(), FlickerNoise(0.1), seeded()))
    (before,) = layer.written()
    assert not torch.equal(answer(layer), answer(layer))
    assert layer.written()[0] is before


@pytest.mark.parametrize("model", [LinearCircuit(SPEC), Drift(Ideal(), 1e3, 0.1)], ids=["no effect", "drift"])
def test_what_is_the_same_whenever_it_is_written_is_not_saved(model):
    layer = layer_on(model)
    size = len(pickle.dumps(layer))
    answer(layer)
    assert len(pickle.dumps(layer)) == size
    assert torch.equal(answer(through_a_file(layer)), answer(layer))


def test_a_chip_that_was_drawn_is_saved():
    layer = layer_on(scattering())
    size = len(pickle.dumps(layer))
    (written,) = layer.written()
    cells = sum(tile.g.numel() for tile in written.tiles)
    assert len(pickle.dumps(layer)) - size > 5 * cells  # a digit in a byte, a conductance in four


def test_a_deterministic_effect_that_changed_counts_after_eval():
    model = Drift(Ideal(), 10.0, 0.1)
    layer = layer_on(model)
    answer(layer)
    model.nu = 0.2
    assert torch.equal(answer(layer.eval()), answer(layer_on(Drift(Ideal(), 10.0, 0.2))))

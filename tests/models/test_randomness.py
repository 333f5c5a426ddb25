"""Generators of models: found wherever they are, seeded, replayed."""

import copy
import pickle

import pytest
import torch

from geniex.models.base import CrossbarModel
from geniex.models.effects import FaultRates, ProgrammingError, ReadNoise, RelativeSpread, StuckCells, ThermalNoise
from geniex.models.ideal import Ideal
from geniex.models.randomness import RandomSource, generators, is_random, replaying, reseed, states

G = torch.full((5, 4), 1e-5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Jitter(CrossbarModel):
    """A user's wrapper, with a bare generator."""

    def __init__(self, model, generator):
        super().__init__()
        self.model, self.generator = model, generator

    def program(self, g):
        read = self.model.program(g)
        return lambda v: read(v) * (1 + 0.1 * torch.rand(len(v), 1, generator=self.generator))


def test_generators_are_found_in_wrappers_of_users_and_our_own_once_each():
    a, b, c = seeded(1), seeded(2), seeded(3)
    inside = StuckCells(Ideal(), FaultRates(0.1), 1e-5, 1e-6, a)
    model = ProgrammingError(Jitter(ReadNoise(inside, ThermalNoise(1e6), b), c), RelativeSpread(0.1), generator=a)
    found = generators(model)
    assert len(found) == 3
    assert all(any(one is other for other in found) for one in (a, b, c))


def test_a_model_without_generators_is_not_random():
    assert generators(Jitter(Ideal(), None)) == []
    assert not is_random(Ideal())
    assert is_random(Jitter(Ideal(), seeded()))


def test_one_seed_makes_every_generator_different_and_repeatable():
    def drawn(seed, first):
        model = Jitter(Jitter(Ideal(), seeded(first)), seeded(first))
        reseed(model, seed)
        return torch.stack([torch.rand(8, generator=one) for one in generators(model)])

    numbers = drawn(7, first=0)
    assert torch.equal(numbers, drawn(7, first=1))
    assert len(torch.cat([numbers, drawn(8, first=0)]).unique()) == 32


def test_seeds_are_not_negative():
    with pytest.raises(ValueError, match="`seed` must be at least 0; got -1"):
        reseed(Jitter(Ideal(), seeded()), -1)


def test_a_replay_draws_the_same_and_leaves_no_trace():
    model, undisturbed = (ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded()) for _ in range(2))
    recorded = states(model)
    first = model.write(G)
    with replaying(model, recorded):
        assert torch.equal(model.write(G), first)
    assert torch.equal(undisturbed.write(G), first)
    assert torch.equal(undisturbed.write(G), model.write(G))


def test_a_replay_that_fails_leaves_no_trace():
    model, undisturbed = (ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded()) for _ in range(2))
    with pytest.raises(ValueError, match="`g` must be finite"), replaying(model, states(model)):
        model.program(model.write(G) - 1)
    assert torch.equal(undisturbed.write(G), model.write(G))


def test_states_of_another_model_are_refused():
    with (
        pytest.raises(ValueError, match=r"each of the 0 generators of Ideal; got 1\. Record them with `states`"),
        replaying(Ideal(), [seeded().get_state()]),
    ):
        pass


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda source: pickle.loads(pickle.dumps(source))])
def test_a_copy_draws_the_same_by_itself(duplicate):
    source = RandomSource(seeded(5))
    source.normal(G)
    twin = duplicate(source)
    assert repr(twin) == repr(source)
    assert torch.equal(twin.normal(G), source.normal(G))


def test_a_description_tells_what_will_be_drawn():
    source, same, other = RandomSource(seeded(5)), RandomSource(seeded(5)), RandomSource(seeded(6))
    assert repr(source) == repr(same) != repr(other)
    assert "seed=5" in repr(source)
    source.uniform(G)
    assert repr(source) != repr(same)


def test_one_seed_is_one_draw_in_any_precision():
    single, double = (RandomSource(seeded()).normal(G.to(dtype)) for dtype in (torch.float32, torch.float64))
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.equal(single.double(), double)


def test_a_source_needs_a_generator():
    with pytest.raises(ValueError, match=r"`RandomSource\(generator=...\)` must be a torch.Generator.*got None\. Pass"):
        RandomSource(None)

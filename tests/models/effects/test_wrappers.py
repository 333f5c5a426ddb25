"""What all wrappers keep of the model inside, how they nest, and that they can be copied, saved and told apart."""

import copy
import io

import pytest
import torch

from geniex.evaluation.store import fingerprint
from geniex.models.base import check_range
from geniex.models.effects import (
    Drift,
    FaultMap,
    FaultRates,
    FiniteLevels,
    FlickerNoise,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    StuckCells,
    Temperature,
    ThermalNoise,
    WriteEffect,
)
from geniex.models.guard import OperatingRange, OutOfRangeWarning, RangeGuard
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.randomness import generators
from tests.models.effects.statistics import seeded
from tests.models.test_models import SCALING, SPEC, untrained
from tests.tolerances import OTHER_ALGORITHM, SAME_ALGORITHM

V = torch.linspace(0.02, 0.2, 10, dtype=torch.float64).view(2, 5)
G = torch.linspace(2e-6, 8e-6, 20, dtype=torch.float64).view(5, 4)
CORNER = torch.arange(20).view(5, 4) < 2
NOISE = ThermalNoise(1e9), ShotNoise(1e8), FlickerNoise(0.02)

WRAPPERS = {
    "programming": lambda model, seed=0: ProgrammingError(model, RelativeSpread(0.01), generator=seeded(seed)),
    "reading": lambda model, seed=0: ReadNoise(model, NOISE, seeded(seed)),
    "rates": lambda model, seed=0: StuckCells(model, FaultRates(0.1, 0.1), 8e-6, 2e-6, seeded(seed)),
    "map": lambda model, seed=0: StuckCells(model, FaultMap(CORNER, CORNER.flip(0)), 8e-6, 2e-6),
    "drift": lambda model, seed=0: Drift(model, 10.0, 0.05, 0.01, generator=seeded(seed)),
    "levels": lambda model, seed=0: FiniteLevels.between(model, 1e-6, 1e-5, 10),
    "temperature": lambda model, seed=0: Temperature(model, 310.0, 0.05),
}
each = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())


class Shifted(WriteEffect):
    """A user's effect."""

    def altered(self, g):
        return g + 1e-6


class Doubled(WriteEffect):
    """Another one."""

    def altered(self, g):
        return 2 * g


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_what_is_outermost_is_written_first():
    torch.testing.assert_close(Shifted(Doubled(Ideal())).write(G), 2 * (G + 1e-6), rtol=SAME_ALGORITHM, atol=0)
    torch.testing.assert_close(Doubled(Shifted(Ideal())).write(G), 2 * G + 1e-6, rtol=SAME_ALGORITHM, atol=0)


def test_noise_lets_writing_through_wherever_it_is():
    for model in (ReadNoise(Doubled(Ideal()), NOISE, seeded()), Doubled(ReadNoise(Ideal(), NOISE, seeded()))):
        assert torch.equal(model.write(G), 2 * G)
        assert isinstance(model.after_writing, ReadNoise)
        assert isinstance(model.after_writing.model, Ideal)


def test_effects_of_effects_are_those_of_each_in_turn():
    """With one generator per effect, an effect draws the same alone as in a pile."""
    pile = WRAPPERS["programming"](WRAPPERS["rates"](WRAPPERS["drift"](Ideal(), 3), 2), 1)
    one_by_one = G
    for name, seed in (("programming", 1), ("rates", 2), ("drift", 3)):
        one_by_one = WRAPPERS[name](Ideal(), seed).write(one_by_one)
    assert torch.equal(pile.write(G), one_by_one)
    torch.testing.assert_close(pile.after_writing(V, one_by_one), V @ one_by_one, rtol=SAME_ALGORITHM, atol=0)


@each
def test_a_wrapper_is_asked_what_the_model_inside_is(wrap):
    assert wrap(Ideal()).operating_range is None
    model = wrap(LinearCircuit(SPEC))
    assert model.operating_range == OperatingRange(SPEC.rows, SPEC.cols)
    with pytest.raises(ValueError, match="models crossbars of 5x4, but tiles of 4x5"):
        check_range(model, OperatingRange(4, 5))


@each
def test_the_guard_is_that_of_the_model_inside(wrap):
    inside = untrained(torch.float64)
    model = wrap(wrap(inside))
    with pytest.raises(ValueError, match=r"`v` spans 0.06 to 0.6 V, but this model was made for 0 to 0.25 V"):
        model(3 * V, G)
    model.guard = RangeGuard("warn")
    assert inside.guard.policy == model.guard.policy == "warn"
    with pytest.warns(OutOfRangeWarning, match="`v` spans"):
        model(3 * V, G)


def test_conductances_that_leave_the_range_are_out_of_range():
    drifted = Drift(untrained(torch.float64), 1e6, 0.1)
    with pytest.raises(ValueError, match=rf"`g` spans 5.024e-07 .* made for {SCALING.g_min:g} to"):
        drifted.program(G)


@each
def test_the_model_inside_moves_with_its_wrapper(wrap):
    model = wrap(untrained(torch.float32)).to(torch.float64)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert model(V, G).dtype == torch.float64


@each
@pytest.mark.parametrize("duplicate", [copy.deepcopy, saved])
def test_copies_compute_the_same_and_draw_by_themselves(wrap, duplicate):
    model = wrap(LinearCircuit(SPEC))
    twin = duplicate(model)
    first = twin(V, G)
    assert torch.equal(model(V, G), first)
    assert not {id(one) for one in generators(model)} & {id(one) for one in generators(twin)}
    assert torch.equal(model(V, G), twin(V, G))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, saved])
def test_a_generator_that_wrappers_share_is_shared_in_copies(duplicate):
    one = seeded()
    twin = duplicate(ProgrammingError(ReadNoise(Ideal(), NOISE, one), RelativeSpread(0.1), generator=one))
    assert len(generators(twin)) == 1


@each
def test_a_fingerprint_tells_models_apart_by_what_they_compute(wrap):
    model = wrap(LinearCircuit(SPEC))
    assert fingerprint(model) == fingerprint(wrap(LinearCircuit(SPEC))) == fingerprint(copy.deepcopy(model))
    if generators(model):
        assert fingerprint(model) != fingerprint(wrap(LinearCircuit(SPEC), 1))
        before = fingerprint(model)
        model(V, G)
        assert fingerprint(model) != before  # it will draw something else


def test_a_fingerprint_knows_the_description():
    pairs = [
        (ProgrammingError(Ideal(), RelativeSpread(std), generator=seeded()) for std in (0.1, 0.2)),
        (ReadNoise(Ideal(), FlickerNoise(std), seeded()) for std in (0.1, 0.2)),
        (StuckCells(Ideal(), FaultMap(map_, ~map_), 1e-5, 1e-6) for map_ in (CORNER, CORNER.flip(0))),
        (FiniteLevels(Ideal(), levels) for levels in ((1e-6,), (2e-6,))),
        (Temperature(Ideal(), kelvin, 0.1) for kelvin in (300.0, 310.0)),
    ]
    for one, other in pairs:
        assert fingerprint(one) != fingerprint(other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each
def test_one_seed_is_one_chip_on_any_device(wrap):
    on_cpu, on_gpu = (wrap(Ideal())(V.to(device), G.to(device)).cpu() for device in ("cpu", "cuda"))
    torch.testing.assert_close(on_gpu, on_cpu, rtol=OTHER_ALGORITHM, atol=0)


@each
def test_bad_conductances_are_named_before_anything_is_drawn(wrap):
    model = wrap(Ideal())
    with pytest.raises(ValueError, match=r"`g` must be finite and at least 0 S; 20 of 20 values are not"):
        model.program(-G)

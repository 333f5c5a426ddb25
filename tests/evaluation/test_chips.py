"""Evaluations where crossbars differ from chip to chip and from read to read: what is drawn, and what depends on it."""

import json
from dataclasses import replace
from statistics import fmean, stdev

import pytest
import torch
from torch import nn

from geniex.chip import chip_of, load_chip
from geniex.conversion import convert
from geniex.converters import Adc
from geniex.devices import Sinh
from geniex.evaluation import RunOptions, evaluate
from geniex.functional import HardwareConfig
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.effects import Drift, FlickerNoise, ProgrammingError, ReadNoise, RelativeSpread
from geniex.models.geniex import Geniex, Scaling
from geniex.models.guard import OutOfRangeWarning, RangeGuard
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.randomness import generators, reseed
from tests.evaluation.conftest import CLASSES, Recording, make_network
from tests.models.effects.statistics import seeded

NOISE = FlickerNoise(0.1)


def scattering(model=None, std=0.3, seed=9):
    return ProgrammingError(model or Ideal(), RelativeSpread(std), generator=seeded(seed))


def noisy(model=None):
    return ReadNoise(model or Ideal(), NOISE, seeded(9))


class OfAUser(CrossbarModel):
    """Draws where it should not, and holds its generator bare."""

    def __init__(self):
        super().__init__()
        self.generator = seeded(9)

    def program(self, g):
        return Ideal().program(g * (1 + 0.3 * torch.rand(g.shape, generator=self.generator)))


def logits():
    """Of all batches since the last call, in their order, without the check on one image."""
    found = torch.cat(Recording.logits[1:])
    Recording.logits.clear()
    return found


def without_times(evaluation):
    return [replace(result, seconds_per_image=0.0) for result in evaluation.models]


def chip_for(network, hardware, model, seed=0):
    reseed(model, seed)
    return chip_of(convert(network, model, hardware))


# Several chips


def test_several_chips_are_measured_and_their_mean_and_spread_told(network, images, hardware):
    result, again = (
        evaluate(network, images, {"ideal": scattering()}, hardware, RunOptions(chips=3)).models[0] for _ in range(2)
    )
    assert len(result.chips) == 3
    assert result.top1 == pytest.approx(fmean(result.chips), abs=1e-15)
    assert result.spread == pytest.approx(stdev(result.chips), abs=1e-15)
    assert replace(again, seconds_per_image=0) == replace(result, seconds_per_image=0)


def test_agreement_and_difference_are_means_over_chips(network, images, hardware):
    models = {"digital": None, "ideal": scattering()}
    digital, ideal = evaluate(network, images, models, hardware, RunOptions(chips=3, batch=12)).models
    classes = logits().argmax(-1).view(4, 12)
    right = (classes == torch.from_numpy(images.labels)).double().mean(-1)
    assert ideal.chips == right[1:].tolist()
    assert ideal.difference == pytest.approx((right[1:].mean() - right[0]).item(), abs=1e-15)
    assert ideal.agreement == pytest.approx((classes[1:] == classes[0]).double().mean().item(), abs=1e-15)
    assert (digital.chips, digital.spread, digital.difference, digital.agreement) == ([], None, 0, 1)


def test_every_seed_is_a_chip_whatever_was_measured_before(network, images, hardware):
    seen = []
    for seed, chips in ((0, 3), (1, 2)):
        evaluate(network, images, {"ideal": scattering()}, hardware, RunOptions(chips=chips, seed=seed, batch=12))
        seen.append(logits().view(chips, 12, CLASSES))
    assert torch.equal(seen[0][1:], seen[1])
    assert not torch.equal(seen[0][0], seen[0][1])


def test_chips_are_stages_of_their_own(network, images, hardware):
    stages = {}
    options = RunOptions(chips=3, progress=lambda stage, done, total: stages.update({stage: done}))
    evaluate(network, images, {"digital": None, "ideal": scattering()}, hardware, options)
    assert stages == {"digital": 12, "ideal": 12, "ideal, chip 2": 12, "ideal, chip 3": 12}


@pytest.mark.parametrize("model", [LinearCircuit, lambda spec: Drift(Ideal(), 1e3, 0.1)], ids=["no effect", "drift"])
def test_models_that_draw_nothing_are_measured_once(network, images, spec, hardware, model):
    (result,) = evaluate(network, images, {"mine": model(spec)}, hardware, RunOptions(chips=3, batch=12)).models
    assert (result.chips, result.spread) == ([], None)
    assert len(logits()) == 12


@pytest.mark.parametrize("chips", [0, -1])
def test_there_is_at_least_one_chip(chips):
    with pytest.raises(ValueError, match=f"`chips` must be at least 1; got {chips}"):
        RunOptions(chips=chips)


def test_chips_and_their_spread_are_in_the_json(network, images, hardware):
    evaluation = evaluate(network, images, {"digital": None, "ideal": scattering()}, hardware, RunOptions(chips=2))
    digital, ideal = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))["models"]
    assert (digital["chips"], digital["spread"]) == ([], None)
    assert ideal["chips"] == evaluation.models[1].chips
    assert ideal["spread"] == evaluation.models[1].spread


# Runs that are repeated, broken off, continued

RANDOM = {
    "chips": lambda: scattering(),
    "reads": lambda: noisy(),
    "both": lambda: scattering(noisy()),
    "in program": OfAUser,
}


def noisy_converters():
    return HardwareConfig(rows=8, cols=8, adc=Adc(14, noise=50.0, generator=seeded(9)))


@pytest.mark.parametrize(("what", "stop_at"), [*zip(RANDOM, (2, 8, 5, 5), strict=True)])
def test_a_killed_run_that_is_continued_says_what_an_uninterrupted_one_says(
    images, spec, tmp_path, monkeypatch, what, stop_at
):
    """Also where models share a generator, and converters draw too."""

    def run(folder):
        Recording.logits.clear()
        models = {"digital": None, "ideal": RANDOM[what](), "linear": scattering(LinearCircuit(spec))}
        models["linear"].source.generator = generators(models["ideal"])[-1]
        exact = Circuit(spec, Sinh())
        options = RunOptions(batch=6, chips=2, seed=4, folder=folder, exact=exact, reads=20, read_images=2)
        return evaluate(make_network(), images, models, noisy_converters(), options)

    monkeypatch.setattr(Recording, "stop_at", None)
    whole = run(tmp_path / "whole")
    everything = logits()
    monkeypatch.setattr(Recording, "stop_at", stop_at)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    monkeypatch.setattr(Recording, "stop_at", None)
    continued = run(tmp_path / "killed")
    assert torch.equal(logits(), everything[6 * (stop_at - 1) :])
    assert without_times(continued) == without_times(whole)
    assert continued.provenance == whole.provenance
    assert continued.sample == whole.sample


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM.keys())
def test_a_run_that_is_repeated_computes_nothing(network, images, tmp_path, make):
    options, hardware = RunOptions(batch=6, chips=2, folder=tmp_path), noisy_converters()
    for computed in (5, 1):
        evaluate(network, images, {"ideal": make()}, hardware, options)
        assert len(Recording.logits) == computed
        Recording.logits.clear()


@pytest.mark.parametrize("where", ["model", "converters"])
def test_what_a_batch_draws_does_not_depend_on_those_before(network, images, hardware, where):
    model, config = (noisy(), hardware) if where == "model" else (Ideal(), noisy_converters())
    evaluate(network, images, {"ideal": model}, config, RunOptions(batch=6))
    first = logits()
    second_half = replace(images, images=images.images[6:], labels=images.labels[6:])
    evaluate(network, second_half, {"ideal": model}, config, RunOptions(batch=6))
    assert torch.equal(logits(), first[6:])


def test_the_same_images_are_read_with_the_same_noise_by_every_run_and_another_by_every_seed(network, images):
    seen = []
    for seed in (0, 0, 1):
        evaluate(network, images, {"ideal": Ideal()}, noisy_converters(), RunOptions(batch=12, seed=seed))
        seen.append(logits())
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("threads", [2, 3])
def test_batches_of_a_chip_are_read_in_threads_and_those_with_noise_one_by_one(network, images, hardware, threads):
    for make in (scattering, noisy):
        alone, together = (
            evaluate(network, images, {"ideal": make()}, hardware, RunOptions(batch=2, threads=n)).models
            for n in (1, threads)
        )
        assert replace(alone[0], seconds_per_image=0) == replace(together[0], seconds_per_image=0)


# A chip that was written before


def test_all_models_read_the_chip_that_is_given(network, images, spec, hardware, tmp_path):
    """One seed is one chip, so models that write it themselves are the reference."""
    models = {"ideal": scattering(), "linear": scattering(LinearCircuit(spec))}
    chip_for(network, hardware, scattering()).save(tmp_path / "chip")
    expected = evaluate(network, images, models, hardware)
    seen = logits()
    for effects in (True, False):
        given = models if effects else {"ideal": Ideal(), "linear": LinearCircuit(spec)}
        options = RunOptions(chip=load_chip(tmp_path / "chip"), chips=3)
        assert without_times(evaluate(network, images, given, hardware, options)) == without_times(expected)
        assert torch.equal(logits(), seen)


@pytest.mark.parametrize("make", [RANDOM["both"], noisy], ids=["with effects of writing", "without"])
def test_noise_on_a_given_chip_is_the_same_in_every_run(network, images, hardware, tmp_path, make):
    """Whatever effects of writing the models have: they are on the chip."""
    chip = chip_for(network, hardware, scattering())
    shared = noisy()
    first = evaluate(network, images, {"ideal": noisy()}, hardware, RunOptions(chip=chip, batch=6))
    seen, options = logits(), RunOptions(chip=chip, batch=6, folder=tmp_path)
    for computed in (12, 0):
        models = {"ideal": make(), "again": ReadNoise(Ideal(), NOISE, shared.source.generator)}
        evaluation = evaluate(network, images, models, hardware, options)
        (alone,) = without_times(first)
        assert replace(without_times(evaluation)[0], against={}) == alone
        assert torch.equal(torch.cat(Recording.logits[1:] or [seen]), seen)
        assert sum(map(len, Recording.logits[1:])) == computed
        Recording.logits.clear()


def test_the_chip_is_part_of_what_is_stored_and_told(network, images, hardware, tmp_path):
    chips = [chip_for(network, hardware, scattering(), seed) for seed in (0, 1)]
    for which in (0, 1, 0):
        options = RunOptions(chip=chips[which], folder=tmp_path / "batches", batch=12)
        told = evaluate(network, images, {"ideal": Ideal()}, hardware, options).provenance["chip"]
        chips[which].save(tmp_path / "chip")
        from_file = replace(options, chip=load_chip(tmp_path / "chip"))
        assert evaluate(network, images, {"ideal": Ideal()}, hardware, from_file).provenance["chip"] == told
    assert len(list((tmp_path / "batches").iterdir())) == 2
    assert evaluate(network, images, {"ideal": Ideal()}, hardware).provenance["chip"] is None


def test_another_chip_is_refused_before_the_first_batch(network, images, hardware):
    chip = chip_for(make_network(1), hardware, scattering())
    with pytest.raises(ValueError, match=r"written from other weights: in layer `0`, \d+ of 108 differ"):
        evaluate(network, images, {"digital": None, "ideal": Ideal()}, hardware, RunOptions(chip=chip))
    assert len(Recording.logits) == 1  # the check on one image


# The comparison with the exact circuit


def test_models_are_compared_on_crossbars_as_they_were_written(network, images, spec, hardware):
    """How well a model computes is no matter of what was written: the circuit errs by its tolerance on any chip."""
    exact = Circuit(spec, Sinh())
    options = RunOptions(exact=exact, reads=40, read_images=2)
    models = {"circuit": scattering(Circuit(spec, Sinh())), "ideal": scattering()}
    evaluation = evaluate(network, images.first(1), models, hardware, options)
    assert evaluation.models[0].nf.rmse < 1e-3 < evaluation.models[1].nf.rmse  # percent; float32 in the run
    plain = evaluate(network, images.first(1), {"circuit": exact, "ideal": Ideal()}, hardware, options)
    assert evaluation.sample.i_exact != plain.sample.i_exact
    on_chip = replace(options, chip=chip_for(network, hardware, scattering()))
    assert evaluate(network, images.first(1), models, hardware, on_chip).sample == evaluation.sample


# Conductances that a model was not made for


@pytest.fixture
def emulator(spec):
    return Geniex(spec, Scaling(0.25, 1e-5 / 6, 1e-5, 0.5, 2.0), hidden=2)


def test_conductances_beyond_an_emulators_are_refused_before_the_run(network, images, hardware, emulator):
    message = (
        r"Layer `0`: `g` spans .* S, but this model was made for 1\.667e-06 to 1e-05 S: .* %.*`outside = \"warn\"`"
    )
    with pytest.raises(ValueError, match=message):
        evaluate(network, images, {"digital": None, "geniex": scattering(emulator)}, hardware)
    assert len(Recording.logits) == 1  # the check on one image
    chip = chip_for(network, hardware, scattering())
    with pytest.raises(ValueError, match="Layer `0`: `g` spans"):
        evaluate(network, images, {"geniex": emulator}, hardware, RunOptions(chip=chip))


def test_conductances_beyond_an_emulators_can_be_a_warning_and_are_told(network, images, spec, hardware, emulator):
    model = scattering(emulator)
    model.guard = RangeGuard("warn")
    options = RunOptions(chips=2, exact=Circuit(spec, Sinh()), reads=20, read_images=2)
    with pytest.warns(OutOfRangeWarning, match="`g` spans .* It computes all the same, and says this once"):
        evaluation = evaluate(network, images, {"digital": None, "geniex": model}, hardware, options)
    assert 0.1 < evaluation.models[1].outside["g"] < 0.9
    assert len(evaluation.models[1].chips) == 2


def test_conductances_within_an_emulators_range_are_no_matter(network, images, hardware, emulator):
    (result,) = evaluate(network, images, {"geniex": scattering(emulator, std=1e-9)}, hardware).models
    assert result.images == 12


# Settings of layers


def test_a_network_of_one_layer_is_stored_by_its_settings(images, hardware, tmp_path):
    class Flat(nn.Linear):
        """Takes images."""

        def forward(self, x):
            return super().forward(x.flatten(1))

    one, options = nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES)).eval(), RunOptions(folder=tmp_path, batch=12)
    for changed in (hardware, replace(hardware, adc=Adc(2)), hardware):
        evaluate(one, images, {"ideal": Ideal()}, lambda name, _, config=changed: config, options)
    assert len(list(tmp_path.iterdir())) == 2

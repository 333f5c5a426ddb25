"""Training is repeatable and worth it: on crossbars it has never seen, an emulator beats the linear circuit."""

import dataclasses
import math
import sys

import pytest
import torch

import geniex
from geniex.devices import Sinh
from geniex.emulation import FreshSamples, MixedDigits, TrainingRecipe, TrainingRun, solve_samples, train
from geniex.models.circuit import Circuit
from geniex.models.linear import LinearCircuit
from geniex.window import Window

TRAIN = sys.modules["geniex.emulation.train"]  # the package has a function of that name
SHORT = TrainingRecipe(steps=8, batch=16, hidden=8, checks=2, held_out_crossbars=4, held_out_inputs=2)


def short(circuit, **changes):
    return train(circuit, MixedDigits(), Window(), dataclasses.replace(SHORT, **changes))[0]


def rms_error_of_nf(model, samples, dtype):
    """Written independently: NF = (i_ideal - i) / i_ideal, against 1 - 1 / f."""
    v, g = samples.inputs(dtype)
    nf = 1 - (model(v, g) / (v @ g)).double()
    return (nf - (1 - 1 / samples.f.double()))[~samples.f.isnan()].square().mean().sqrt().item()


def test_an_emulator_beats_the_linear_circuit_on_unseen_crossbars(circuit, trained):
    network, _ = trained
    unseen = solve_samples(circuit, MixedDigits(), Window(), (48, 6), torch.Generator().manual_seed(77))
    emulated = rms_error_of_nf(network, unseen, torch.float32)
    linear = rms_error_of_nf(LinearCircuit(circuit.solver.spec), unseen, torch.float64)
    assert emulated < linear / 2


def test_an_emulator_is_ready_to_read(trained):
    network, _ = trained
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_scaling_is_the_window_and_the_range_of_ratios(circuit, trained):
    scaling = trained[0].scaling
    assert (scaling.v_max, scaling.g_min, scaling.g_max) == (0.25, 1e-5 / 6, 1e-5)
    samples = solve_samples(circuit, MixedDigits(), Window(), (64, 4), torch.Generator().manual_seed(5))
    v, g = samples.inputs(torch.float64)
    f = (trained[0].double().reference(v, g) / (v @ g) * samples.f)[~samples.f.isnan()]
    trained[0].float()
    assert scaling.f_min < f.median() < scaling.f_max
    assert (scaling.f_min < f).double().mean() > 0.99
    assert (f < scaling.f_max).double().mean() > 0.99


def test_the_reference_current_is_closer_to_the_exact_one_than_ohms_law(circuit, trained):
    samples = solve_samples(circuit, MixedDigits(), Window(), (64, 4), torch.Generator().manual_seed(6))
    v, g = samples.inputs(torch.float32)
    driven = ~samples.f.isnan()
    exact = 1 / samples.f[driven]
    fitted = (trained[0].reference(v, g) / (v @ g))[driven]
    assert (fitted - exact).square().mean() < 0.5 * (1 - exact).square().mean()


def test_a_curve_of_one_coefficient_is_the_papers_ohms_law(circuit):
    assert short(circuit, curve=1).scaling.curve == (1.0,)


def test_the_range_is_all_that_was_seen(circuit, monkeypatch):
    """Few crossbars to begin with: those of the checks lie outside of what these span, which ends no run."""
    monkeypatch.setattr(TRAIN, "STARTING_CROSSBARS", 2)
    network, seen = short(circuit), FreshSamples(circuit, MixedDigits(), Window(), SHORT.inputs)
    batches = [batch for batch, _ in zip(seen.batches(SHORT.batch, SHORT.seed, 0), range(SHORT.steps), strict=False)]
    densities = torch.cat([batch.g_level.double().mean((-2, -1)) / 15 for batch in batches])
    low, high = network.scaling.g_density
    assert low <= densities.min() + 1e-6
    assert high >= densities.max() - 1e-6
    assert network.guard.policy == "raise"


def test_the_same_recipe_gives_identical_weights(circuit):
    one, two, other = short(circuit), short(circuit), short(circuit, seed=1)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name])
        assert not torch.equal(weight, other.state_dict()[name])


def test_global_randomness_does_not_reach_the_weights(circuit):
    torch.manual_seed(1)
    one = short(circuit)
    torch.manual_seed(2)
    assert torch.equal(one.output.weight, short(circuit).output.weight)


def test_progress_is_reported(circuit):
    told, logged = [], []
    run = TrainingRun(advance=lambda *news: told.append(news), log=lambda *news: logged.append(news))
    train(circuit, MixedDigits(), Window(), SHORT, run)
    assert [news[:3] for news in told] == [("fit", step, 8) for step in range(1, 9)]
    assert "RMSE of NF" in told[-1][3]
    assert [step for step, _ in logged] == [4, 8]
    assert set(logged[0][1]) == {"training", "unseen", "rate"}


def test_batches_do_not_depend_on_threads(circuit):
    streams = [FreshSamples(circuit, MixedDigits(), Window(), 2, threads).batches(3, 9, 5) for threads in (1, 3)]
    for _ in range(6):
        one, other = (next(stream) for stream in streams)
        assert torch.equal(one.g_level, other.g_level)
        assert torch.equal(one.f.nan_to_num(), other.f.nan_to_num())
    for stream in streams:
        stream.close()


def test_a_killed_run_goes_on_where_it_was_and_ends_the_same(circuit, tmp_path):
    """The third check never comes; the state of the second stays."""
    recipe, state = dataclasses.replace(SHORT, steps=12, checks=4), tmp_path / "state"
    whole = train(circuit, MixedDigits(), Window(), recipe)[0]

    def killed(step, numbers):
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(circuit, MixedDigits(), Window(), recipe, TrainingRun(state=state, log=killed))
    assert state.exists()
    steps = []
    run = TrainingRun(state=state, advance=lambda stage, done, total, note: steps.append(done))
    continued = train(circuit, MixedDigits(), Window(), recipe, run)[0]
    assert steps == [7, 8, 9, 10, 11, 12]
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, continued.state_dict()[name])
    assert (whole.scaling.v_density, whole.scaling.g_density) == (
        continued.scaling.v_density,
        continued.scaling.g_density,
    )
    train(circuit, MixedDigits(), Window(), recipe, run)  # the state stays: whoever has the result may remove it
    assert steps == [7, 8, 9, 10, 11, 12]


def test_the_state_of_another_run_is_refused_and_kept(circuit, tmp_path):
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        train(
            circuit,
            MixedDigits(),
            Window(),
            SHORT,
            TrainingRun(state=state, advance=lambda *news: _stop_after(news, 5)),
        )
    with pytest.raises(ValueError, match=r"left by another run: recipe.seed = 0 instead of 1. Remove it"):
        train(circuit, MixedDigits(), Window(), dataclasses.replace(SHORT, seed=1), TrainingRun(state=state))
    assert state.exists()
    loose = Circuit(circuit.solver.spec, circuit.solver.device, rtol=1e-3)
    with pytest.raises(ValueError, match=r"left by another run: tolerance = 1e-10 instead of 0.001"):
        train(loose, MixedDigits(), Window(), SHORT, TrainingRun(state=state))
    content = state.read_bytes()
    for damaged in (content[:1000], content[:5000] + bytes([content[5000] ^ 1]) + content[5001:], b""):
        state.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a whole state of a training run"):
            train(circuit, MixedDigits(), Window(), SHORT, TrainingRun(state=state))


@dataclasses.dataclass(frozen=True)
class SeldomDriven(MixedDigits):
    """One input in ten drives rows."""

    def voltage_levels(self, count, rows, generator):
        levels = super().voltage_levels(count, rows, generator)
        return levels * (torch.rand(count, 1, generator=generator) < 0.1)


def test_batches_that_drive_nothing_teach_nothing_and_harm_nothing(circuit):
    recipe = dataclasses.replace(SHORT, batch=1, inputs=1, steps=30, held_out_crossbars=32, held_out_inputs=8)
    network, _ = train(circuit, SeldomDriven(), Window(), recipe)
    assert all(weight.isfinite().all() for weight in network.parameters())


def test_a_run_that_finds_nothing_says_so(circuit, monkeypatch):
    monkeypatch.setattr(TRAIN, "_error", lambda network, samples: math.nan)
    with pytest.raises(RuntimeError, match=r"found no network.*`learning_rate` = 0.001, or raise .* = 2"):
        short(circuit)


def test_checks_are_as_many_as_asked_for(circuit):
    steps = []
    recipe = dataclasses.replace(SHORT, steps=11, checks=4)
    train(circuit, MixedDigits(), Window(), recipe, TrainingRun(log=lambda step, numbers: steps.append(step)))
    assert steps == [3, 6, 9, 11]


def _stop_after(news, step):
    if news[1] == step:
        raise KeyboardInterrupt


def test_training_ends_early_with_the_best_network(circuit):
    """A rate that diverges: no check is better than the first few."""
    recipe = dataclasses.replace(SHORT, steps=60, checks=20, patience=2, learning_rate=30.0)
    steps, errors = [], []
    run = TrainingRun(
        advance=lambda stage, done, total, note: steps.append(done),
        log=lambda step, numbers: errors.append(numbers["unseen"]),
    )
    network = train(circuit, MixedDigits(), Window(), recipe, run)[0]
    assert steps[-1] < 60
    best = min(range(len(errors)), key=errors.__getitem__)
    assert len(errors) == best + 1 + 2
    assert all(weight.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("changes", [{"optimizer": "sgd", "learning_rate": 0.1}, {"precision": "bfloat16"}], ids=str)
def test_other_ways_to_train_learn_too(circuit, changes):
    errors = []
    recipe = dataclasses.replace(SHORT, steps=200, batch=32, hidden=64, curve=1, checks=10, **changes)
    train(circuit, MixedDigits(), Window(), recipe, TrainingRun(log=lambda step, n: errors.append(n["unseen"])))
    assert errors[-1] < 0.8 * errors[0]


def test_digits_must_fit_the_window(circuit):
    message = "`sampling` draws digits of 4 and 2 bits, `window` has 4 and 4"
    with pytest.raises(ValueError, match=message):
        train(circuit, MixedDigits(g_bits=2), Window(), SHORT)


COUNTS = ["steps", "inputs", "batch", "hidden", "curve", "checks", "patience", "held_out_crossbars", "held_out_inputs"]
RATES = [("learning_rate", rate) for rate in (0.0, -1e-3, math.nan)]


@pytest.mark.parametrize(("name", "value"), [*((name, count) for name in COUNTS for count in (0, -1)), *RATES])
def test_amounts_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be positive; got {value}"):
        dataclasses.replace(SHORT, **{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checks": 9}, "`checks` must be at most `steps` = 8; got 9"),
        ({"optimizer": "adam"}, "`optimizer` must be adamw or sgd; got 'adam'"),
        ({"precision": "float16"}, "`precision` must be float32 or bfloat16; got 'float16'"),
    ],
)
def test_bad_recipes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SHORT, **changes)


def test_any_seed_will_do():
    assert dataclasses.replace(SHORT, seed=0).seed == 0


def test_the_card_says_what_was_trained(circuit, trained, recipe):
    _, card = trained
    assert card.spec == circuit.solver.spec
    assert card.device == {"type": "Sinh", "v0": Sinh().v0}
    assert card.window == Window()
    assert card.recipe == dataclasses.asdict(recipe)
    assert card.sampling == {"type": "MixedDigits", **dataclasses.asdict(MixedDigits())}
    assert card.provenance["torch"] == torch.__version__
    assert card.provenance["geniex"] == geniex.__version__

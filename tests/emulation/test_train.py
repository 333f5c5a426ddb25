"""Training is repeatable and worth it: on crossbars it has never seen, an emulator beats the linear circuit."""

import dataclasses
import math

import pytest
import torch

import geniex
from geniex.devices import Sinh
from geniex.emulation import MixedDigits, TrainingRecipe, solve_samples, train
from geniex.models.linear import LinearCircuit
from geniex.window import Window

SHORT = TrainingRecipe(crossbars=64, epochs=2, batch=16, hidden=8, held_out_crossbars=4, held_out_inputs=2)


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


def test_scaling_is_the_window_and_the_range_of_the_training_data(circuit, trained, recipe):
    scaling = trained[0].scaling
    assert (scaling.v_max, scaling.g_min, scaling.g_max) == (0.25, 1e-5 / 6, 1e-5)
    size, generator = (recipe.crossbars, recipe.inputs), torch.Generator().manual_seed(recipe.seed)
    f = solve_samples(circuit, MixedDigits(), Window(), size, generator).f
    f = f[~f.isnan()]
    # training solves in float32: 2e-6 of the drive
    assert scaling.f_min == pytest.approx(f.min().item(), rel=1e-4)
    assert scaling.f_max == pytest.approx(f.max().item(), rel=1e-4)


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


def test_progress_is_reported_by_stage(circuit):
    told = []
    train(circuit, MixedDigits(), Window(), SHORT, lambda *news: told.append(news))
    assert [news[0] for news in told] == sorted((news[0] for news in told), reverse=True)  # "solve", then "fit"
    for stage, total in (("solve", 64 * 4), ("fit", 2 * 4)):
        done = [news[1] for news in told if news[0] == stage]
        assert done == sorted(done)
        assert done[-1] == total
        assert {news[2] for news in told if news[0] == stage} == {total}
    assert "training RMSE of NF" in told[-1][3]


def test_digits_must_fit_the_window(circuit):
    message = "`sampling` draws digits of 4 and 2 bits, `window` has 4 and 4"
    with pytest.raises(ValueError, match=message):
        train(circuit, MixedDigits(g_bits=2), Window(), SHORT)


COUNTS = ["crossbars", "inputs", "epochs", "batch", "hidden", "held_out_crossbars", "held_out_inputs"]
RATES = [("learning_rate", rate) for rate in (0.0, -1e-3, math.nan)]


@pytest.mark.parametrize(("name", "value"), [*((name, count) for name in COUNTS for count in (0, -1)), *RATES])
def test_amounts_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be positive; got {value}"):
        dataclasses.replace(SHORT, **{name: value})


def test_a_batch_is_at_most_all_crossbars():
    with pytest.raises(ValueError, match="`batch` must be at most `crossbars` = 64; got 65"):
        dataclasses.replace(SHORT, batch=65)


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

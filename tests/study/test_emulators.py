"""Points get the emulator that fits them: one that is named, one that ships, or one that is trained for them once."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from geniex import presets
from geniex.configuration import EvaluationConfig, TrainingConfig
from geniex.emulation import RecordedDigits, load_card, save_digits
from geniex.evaluation import LabelledImages
from geniex.files import exclusive
from geniex.study import PointStore, StudyConfig, Subject, emulators, outcomes, points_of, run_study
from geniex.study.emulators import digest_of, fitting, recipe_for, trained, with_emulator

SMALL = EvaluationConfig.model_validate(
    {"crossbar": {"rows": 4, "cols": 5}, "exact": {"reads": 5, "images": 1}, "outside": "ignore"}
)
RECIPE = TrainingConfig.model_validate(
    {
        "training": {
            "steps": 6,
            "batch": 8,
            "inputs": 2,
            "checks": 3,
            "hidden": 8,
            "held_out_crossbars": 6,
            "held_out_inputs": 3,
        }
    }
)


class Killed(Exception):
    pass


@pytest.fixture
def subject(tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, 4, 4, 3), dtype=np.uint8)
    labelled = LabelledImages(images, random.integers(0, 3, 4), "noise")
    return Subject(network, labelled, ("ideal", "geniex"), tmp_path, "trained", RECIPE)


@pytest.fixture
def trainings(monkeypatch):
    """The crossbar of every call of `train`."""
    calls, train = [], emulators.train

    def counting(circuit, *args):
        calls.append(circuit.solver.spec)
        return train(circuit, *args)

    monkeypatch.setattr(emulators, "train", counting)
    return calls


def quiet(stage, done, total):
    pass


def run(subject, folder, base=SMALL, axes=None):
    points, store = points_of(StudyConfig.model_validate({"axes": axes or {}}), base), PointStore(folder)
    return list(run_study(outcomes(points, subject, store), subject, store))


def models(outcome):
    assert outcome.error is None
    return [model["name"] for model in outcome.result["models"]]


# One that fits


def test_every_emulator_that_ships_is_found_by_its_crossbar(tmp_path):
    """Whichever is named first: the name in the configuration is that of another."""
    for name in presets.emulators():
        card = presets.emulator_card(name)
        crossbar = {"rows": card.spec.rows, "cols": card.spec.cols}
        inputs, cell = {"v_max": card.window.v_max}, {"v0": card.device["v0"]}
        other = next(each for each in presets.emulators() if each != name)
        config = {"crossbar": crossbar, "inputs": inputs, "cell": cell, "emulator": {"file": other}}
        assert fitting(EvaluationConfig.model_validate(config), tmp_path) == name


@pytest.mark.parametrize(
    "change",
    [{"crossbar": {"rows": 63}}, {"cell": {"r_on": 9e4}}, {"cell": {"device": "ohmic"}}, {"inputs": {"v_max": 0.6}}],
)
def test_no_emulator_is_taken_for_another_crossbar(tmp_path, change):
    assert fitting(EvaluationConfig.model_validate(change), tmp_path) is None


def test_an_emulator_of_higher_voltages_fits_lower_ones(tmp_path):
    assert fitting(EvaluationConfig.model_validate({"inputs": {"v_max": 0.3}}), tmp_path) == "nominal_64x64_v500"


def test_the_emulator_of_the_configuration_comes_first(tmp_path):
    own = presets.emulators()[0]
    nominal = EvaluationConfig()
    found = fitting(nominal, tmp_path)
    emulator, card = presets.emulator(found), presets.emulator_card(found)
    emulators.save(tmp_path / "mine.safetensors", emulator, card)
    assert fitting(with_emulator(nominal, "mine.safetensors"), tmp_path) == "mine.safetensors"
    assert fitting(with_emulator(nominal, own), tmp_path) == found


def test_an_emulator_that_is_named_and_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no emulator file \S*gone.safetensors"):
        fitting(with_emulator(SMALL, "gone.safetensors"), tmp_path)


def test_points_without_an_emulator_leave_geniex_out(subject, tmp_path):
    base = SMALL.model_copy(update=EvaluationConfig.model_validate({"exact": {"reads": 4, "images": 1}}).__dict__)
    axes = {"crossbar.rows, crossbar.cols": [4, 64]}
    fitted = replace(subject, emulators="fitting")
    assert [models(outcome) for outcome in run(fitted, tmp_path, base, axes)] == [["ideal"], ["ideal", "geniex"]]
    given = replace(subject, emulators="given")
    with pytest.raises(ValueError, match="1 of 2 points cannot be run"):
        run(given, tmp_path, base, axes)


# One that is trained


def test_the_recipe_is_that_of_the_point(tmp_path):
    config = EvaluationConfig.model_validate(
        {
            "crossbar": {"rows": 4, "cols": 7},
            "cell": {"r_on": 5e4},
            "inputs": {"v_max": 0.4, "stream_bits": 2},
            "weights": {"slice_bits": 1},
        }
    )
    recipe = recipe_for(config, RECIPE)
    assert (recipe.crossbar.rows, recipe.crossbar.cols, recipe.cell.r_on) == (4, 7, 5e4)
    assert (recipe.digits.v_max, recipe.digits.v_bits, recipe.digits.g_bits) == (0.4, 2, 1)
    assert recipe.training == RECIPE.training
    path = trained(recipe, tmp_path, quiet)
    assert fitting(with_emulator(config, str(path)), tmp_path) == str(path)


def test_an_emulator_is_trained_once_for_all_points_and_studies(subject, tmp_path, trainings):
    axes = {"crossbar.cols": [5, 6], "weights.fraction_bits": [12, 13]}
    found = run(subject, tmp_path, axes=axes)
    assert [models(outcome) for outcome in found] == [["ideal", "geniex"]] * 4
    assert [spec.cols for spec in trainings] == [5, 6]
    assert len(list((tmp_path / "emulators").iterdir())) == 2  # nothing of the training is left
    other = run(subject, tmp_path, axes={"inputs.fraction_bits": [10]})
    assert models(other[0]) == ["ideal", "geniex"]
    assert len(trainings) == 2
    more_steps = {"training": {**RECIPE.training.model_dump(), "steps": 7}}
    run(replace(subject, recipe=TrainingConfig.model_validate(more_steps)), tmp_path)
    assert len(trainings) == 3


def test_recorded_digits_lie_beside_the_recipe_and_count_by_what_they_are(tmp_path):
    def recipe(folder, levels):
        folder.mkdir()
        save_digits(folder / "digits.npz", RecordedDigits(levels(3, 4), levels(2, 4, 5), 4, 4))
        content = RECIPE.model_dump() | {"digits": {"recorded": "digits.npz"}}
        return recipe_for(SMALL, TrainingConfig.model_validate(content).named_from(folder))

    ones = recipe(tmp_path / "one", lambda *shape: torch.ones(shape, dtype=torch.uint8))
    same = recipe(tmp_path / "same", lambda *shape: torch.ones(shape, dtype=torch.uint8))
    other = recipe(tmp_path / "other", lambda *shape: torch.full(shape, 2, dtype=torch.uint8))
    assert digest_of(ones) == digest_of(same) != digest_of(other)
    path = trained(ones, tmp_path / "cache", quiet)
    (tmp_path / "same" / "digits.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file of recorded digits .*same/digits\.npz"):
        digest_of(same)
    assert path.stem == digest_of(ones)


def test_where_one_fits_none_is_trained(subject, tmp_path, trainings):
    (tmp_path / "mine.safetensors").write_bytes(trained(recipe_for(SMALL, RECIPE), tmp_path, quiet).read_bytes())
    trainings.clear()
    assert models(run(subject, tmp_path / "cache", with_emulator(SMALL, "mine.safetensors"))[0]) == ["ideal", "geniex"]
    assert not trainings


def test_training_that_was_killed_goes_on_and_ends_with_the_same_emulator(tmp_path):
    recipe, told = recipe_for(SMALL, RECIPE), []

    def kill(stage, done, total):
        if stage == "fit" and done >= 4:
            raise Killed

    def listen(stage, done, total):
        told.append((stage, done))

    with pytest.raises(Killed):
        trained(recipe, tmp_path / "killed", kill)
    there = trained(recipe, tmp_path / "killed", listen)
    here = trained(recipe, tmp_path / "alone", quiet)
    assert min(done for stage, done in told if stage == "fit") >= 2  # not from the start
    assert load_card(there).errors == load_card(here).errors
    for one, other in zip(emulators.load(there).parameters(), emulators.load(here).parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_damaged_emulator_or_state_is_made_anew(tmp_path, trainings):
    recipe = recipe_for(SMALL, RECIPE)
    path = trained(recipe, tmp_path, quiet)
    whole = emulators.load(path)
    for content in (path.read_bytes()[:-8], b""):
        path.write_bytes(content)
        state = path.with_suffix("") / "state"
        state.parent.mkdir()
        state.write_bytes(b"half of a state")
        assert trained(recipe, tmp_path, quiet) == path
        for one, other in zip(emulators.load(path).parameters(), whole.parameters(), strict=True):
            assert torch.equal(one, other)


def test_points_that_run_at_once_train_one_emulator(tmp_path, trainings):
    recipe = recipe_for(SMALL, RECIPE)
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: trained(recipe, tmp_path, quiet), range(4)))
    assert len(paths) == len(trainings) == 1


def test_another_process_at_work_is_named(tmp_path):
    recipe = recipe_for(SMALL, RECIPE)
    name = trained(recipe, tmp_path / "elsewhere", quiet).stem
    os.makedirs(tmp_path / name)
    with exclusive(tmp_path / name), pytest.raises(OSError, match=rf"Another process is at work in \S*{name}"):
        trained(recipe, tmp_path, quiet)

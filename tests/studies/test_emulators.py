"""The studies of emulators: their words against their results, and both at a small size."""

import json

import pytest
import torch
from studies.emulators import claim, curves
from studies.emulators.plot import draw

from geniex import Circuit, LinearCircuit, Sinh, presets
from geniex.emulation import MixedDigits, solve_samples
from geniex.window import Window

README = (curves.FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def cases():
    return json.loads((curves.FOLDER / "curves.json").read_text())


def test_the_readme_has_the_table_of_the_results(cases):
    assert curves.table(cases) in README


def test_every_case_was_run_once(cases):
    run = [(case["axis"], case["name"]) for case in cases]
    assert sorted(run) == sorted((case.axis, case.name) for case in curves.CASES)
    assert all(case["curve"][-1][0] == curves.RECIPE.steps for case in cases)


def test_the_picture_is_drawn_from_the_results_alone(cases, tmp_path):
    for name, shown in (("all", cases), ("again", cases), ("some", cases[:3])):
        draw(shown, tmp_path / f"{name}.svg")
    drawn = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}
    assert drawn["all"] == drawn["again"] != drawn["some"]


@pytest.mark.parametrize("crossbars", [None, 256])
def test_a_case_is_trained_and_judged(crossbars, monkeypatch):
    changes = {"steps": 4, "hidden": 8, "checks": 2, "held_out_crossbars": 4, "held_out_inputs": 4, "batch": 32}
    found = curves.run(curves.Case("a", "b", changes=changes, crossbars=crossbars))
    assert [step for step, _, _ in found["curve"]] == [2, 4]
    assert found["reference"]["linear"] == pytest.approx(4.80, abs=0.01)
    assert 0 < found["reference"]["geniex"] < 20


@pytest.mark.parametrize("name", presets.emulators())
def test_the_claim_in_the_readme_is_that_of_the_shipped_emulators(name):
    """On the kinds that are quick; the whole table is `python -m studies.emulators.claim`."""
    card = presets.emulator_card(name)
    lines = [line for line in README.splitlines() if line.startswith(f"| {name} | ") and "times |" in line]
    assert len(lines) == (3 if card.spec.rows == 64 else 1)
    circuit = Circuit(card.spec, Sinh(0.25))
    samples = solve_samples(circuit, MixedDigits(), card.window, (24, 8), torch.Generator().manual_seed(1))
    v, g = samples.inputs(torch.float64)
    reads = v, g, circuit(v, g)
    learned, linear = (claim._error(model, reads).rmse for model in (presets.emulator(name), LinearCircuit(card.spec)))
    (claimed,) = (float(line.split("|")[-2].split()[0]) for line in lines if "| mixed digits |" in line)
    assert linear / learned == pytest.approx(claimed, rel=0.25)  # 24 crossbars: a tenth of the study's


def test_errors_are_taken_of_the_models_that_are_named():
    window, spec = Window(0.25), presets.nominal_crossbar(16, 16)
    circuit = Circuit(spec, Sinh(0.25))
    samples = solve_samples(circuit, MixedDigits(), window, (4, 4), torch.Generator().manual_seed(1))
    v, g = samples.inputs(torch.float64)
    errors = {
        key: claim._error(model, (v, g, circuit(v, g))) for key, model in claim._models("nominal_16x16_v250").items()
    }
    assert errors["reduced"].rmse < errors["geniex"].rmse < errors["linear"].rmse

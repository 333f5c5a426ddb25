"""`geniex fit-device`: measured curves to files of cells that other commands accept."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import geniex
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig, read_config
from geniex.devices import Filament, Ohmic, SeriesAccess
from geniex.devices.description import describe_device, read_device
from geniex.models.circuit import Circuit
from tests.cli.commands import EVALUATE, EVALUATION, TRAINING, fail, plain, solved, succeed
from tests.tolerances import SAME_ALGORITHM


def test_fitted_cells_are_those_that_were_measured(measured):
    printed = succeed("fit-device", "data.csv", "cells/mine.toml")
    device = read_device("cells/mine.toml")
    assert isinstance(device, Filament)
    assert (device.i0, device.d0, device.v0) == pytest.approx((1e-3, 0.25e-9, 0.25), rel=0.03)
    assert sorted(path.name for path in Path("cells").iterdir()) == ["mine.html", "mine.toml"]
    text = plain(printed)
    assert "filament *" in text
    assert all(f" {model} " in text for model in ("ohmic", "sinh", "tabulated"))
    assert "filament written to cells/mine.toml. Page: " in printed
    assert str(measured / "cells" / "mine.html") in printed
    comment = Path("cells/mine.toml").read_text().split("type =")[0]
    assert "Cells fitted to data.csv by geniex" in comment
    assert "8e-10 m" in comment


@pytest.mark.parametrize("model", ["ohmic", "sinh", "filament", "tabulated"])
def test_a_model_can_be_forced_and_its_file_is_accepted_everywhere(measured, circuits, model):
    printed = succeed("fit-device", "data.csv", "mine.toml", "--model", model)
    assert f"{model} written to mine.toml" in printed
    device = read_device("mine.toml")
    assert type(device).__name__.casefold() == model
    given = circuits(g=np.random.default_rng(0).uniform(4e-5, 1e-4, (6, 4)))
    succeed("solve", "circuits.npz", "solved.npz", "--device", "mine.toml")
    current = Circuit(CrossbarSpec(6, 4), device)(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    np.testing.assert_allclose(solved()["i"], current, rtol=SAME_ALGORITHM, atol=1e-18)


def test_an_emulator_of_fitted_cells_is_trained_and_evaluated(workspace, measured):
    """From a measurement to the accuracy of a network; `workspace` and `measured` are the same folder."""
    cell = '[cell]\nfile = "mine.toml"\nr_access = 500\nr_on = 1.2e4\n'
    succeed("fit-device", "data.csv", "mine.toml", "--model", "tabulated")
    Path("train.toml").write_text(TRAINING + cell)
    Path("run.toml").write_text(EVALUATION + cell)
    succeed("train", "train.toml", "tiny.safetensors", "--replace")
    card = geniex.emulation.load_card("tiny.safetensors")
    assert card.device == describe_device(SeriesAccess(read_device("mine.toml"), 500.0))
    assert "Tabulated" in plain(succeed("info", "tiny.safetensors"))
    succeed(*EVALUATE, "--models", "ideal,geniex,circuit", "--images", 3)
    results = json.loads(Path("out/results.json").read_text())
    assert results["config"]["cell"]["device"]["type"] == "Tabulated"
    assert {result["name"]: result["nf"]["rmse"] for result in results["models"]}["circuit"] < 1e-3
    Path("mine.toml").unlink()
    Path("again.yaml").write_text(json.dumps(results["config"]))  # needs no file of cells any more
    assert describe_device(read_config("again.yaml", EvaluationConfig).cell.build()) == card.device
    Path("run.toml").write_text(EVALUATION + cell.replace('file = "mine.toml"', "v0 = 0.25"))
    message = fail(*EVALUATE, "--models", "geniex")
    assert "was made for another crossbar: device.type = Tabulated instead of Sinh" in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.csv", "mine.toml"], "There is no file none.csv."),
        (["data.csv", "mine.json"], "The device file must end in .toml; got mine.json."),
        (["bad.csv", "mine.toml"], "bad.csv cannot be used: the column 'I' has no unit"),
        (
            ["one.csv", "mine.toml", "--model", "filament"],
            "it needs a column `gap (nm)` with at least 2 different gaps",
        ),
        (
            ["one.csv", "mine.toml", "--model", "cubic"],
            "`--model` must be one of ohmic, sinh, filament, tabulated, all;",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_and_nothing_is_written(measured, args, message):
    Path("bad.csv").write_text("V (V),I\n1,1\n")
    Path("one.csv").write_text("V (V),I (A)\n" + "\n".join(f"{n},{n}e-6" for n in range(1, 6)))
    assert message in fail("fit-device", *args)
    assert not Path("mine.toml").exists()
    assert not Path("mine.html").exists()


def test_what_could_not_be_fitted_is_said(measured):
    Path("one.csv").write_text("V (V),I (A)\n" + "\n".join(f"{n},{n}e-6" for n in range(1, 6)))
    printed = succeed("fit-device", "one.csv", "mine.toml")
    assert "filament was not fitted: it needs a column `gap (nm)` with at least 2 different gaps.\n" in printed
    assert read_device("mine.toml") == Ohmic()


def test_corrections_of_a_table_are_told(measured):
    text = Path("data.csv").read_text().replace(";50.0000;", ";351.0000;")
    Path("data.csv").write_text(text)
    printed = succeed("fit-device", "data.csv", "mine.toml", "--model", "tabulated")
    assert re.search(r"\d+ of \d+ currents of the table were changed to make it monotone", printed)


def test_states_are_shown_on_the_page_as_they_are_named(measured):
    rows = [f"<b>{name}</b>,{v},{g * v}" for name, g in (("[red]", 1e-6), ("high", 1e-5)) for v in (0.1, 0.2, 0.3, 0.4)]
    Path("data.csv").write_text("\n".join(["state,V (V),I (A)", *rows]))
    assert "<b>[red]</b>" in succeed("fit-device", "data.csv", "mine.toml")
    page = Path("mine.html").read_text()
    assert "&lt;b&gt;[red]&lt;/b&gt;" in page
    assert "<b>[red]" not in page
    assert "https://" not in page.split('<script type="application/json"')[0]

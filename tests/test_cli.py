"""The command line as a shell sees it: files, exit codes, what is printed where."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

import geniex
from geniex import cli
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig, TrainingConfig, read_config
from geniex.devices import Filament, Ohmic, SeriesAccess, Sinh
from geniex.devices.description import describe_device, read_device, write_device
from geniex.evaluation import load_images
from geniex.models.circuit import Circuit
from geniex.models.linear import LinearCircuit
from tests.tolerances import FLOAT32, SAME_ALGORITHM

COMMANDS = tuple("demo evaluate solve spice record dataset train info card fit-device pack template".split())
MODELS = ("digital", "ideal", "linear", "geniex", "reduced", "circuit")
CONSOLE_SCRIPT = Path(sys.executable).with_name("geniex")

TRAINING = """
[crossbar]
rows = 4
cols = 5
[dataset]
crossbars = 30
inputs = 2
crossbars_per_shard = 8
[training]
steps = 10
batch = 12
checks = 2
hidden = 8
held_out_crossbars = 6
held_out_inputs = 4
"""
EVALUATION = """
batch = 3
[crossbar]
rows = 4
cols = 5
[emulator]
file = "tiny.safetensors"
[exact]
reads = 20
images = 1
"""
NETWORK = """
import os
import time

import torch
from torch import nn


class Tiny(nn.Sequential):
    def forward(self, x):
        time.sleep(float(os.environ.get("SECONDS_PER_BATCH", "0")))
        return super().forward(x)


def make():
    torch.manual_seed(0)
    return Tiny(nn.Conv2d(3, 2, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def other_size():
    return nn.Sequential(nn.Flatten(), nn.Linear(7, 3))


def with_lstm():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.fc = nn.LSTM(64, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(self.lstm(x.flatten(2))[0][:, -1])

    return Net()
"""


@pytest.fixture(autouse=True)
def _as_users_run_it(monkeypatch):
    """Without checks of annotations, which would come before the command's own."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def run(*args):
    """The command in this process; nothing but its own exit may end it."""
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeed(*args):
    result = run(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def fail(*args, code=2):
    """The one message with which a command fails."""
    result = run(*args)
    assert result.exit_code == code
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with an emulator of 4x5 cells, made by the command itself."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.toml").write_text(TRAINING)
    stdout = succeed("train", folder / "train.toml", folder / "tiny.safetensors")
    return folder, stdout


@pytest.fixture
def workspace(tmp_path, monkeypatch, trained):
    """The current folder of a user: a network, weights, images, a configuration, an emulator."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_tiny_network.py").write_text(NETWORK)
    (tmp_path / "run.toml").write_text(EVALUATION)
    (tmp_path / "tiny.safetensors").write_bytes((trained[0] / "tiny.safetensors").read_bytes())
    random = np.random.default_rng(1)
    np.savez("data.npz", images=random.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8), labels=random.integers(0, 3, 8))
    yield tmp_path
    sys.modules.pop("my_tiny_network", None)


EVALUATE = (
    "evaluate",
    "--config",
    "run.toml",
    "--network",
    "my_tiny_network:make",
    "--data",
    "data.npz",
    "--out",
    "out",
)


# Help and version


def parameters(name):
    return typer.main.get_command(cli.app).commands[name].params


def plain(text):
    """Words without the frames and line breaks of the terminal."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def test_help_names_every_command_and_what_it_does():
    text = plain(succeed("--help"))
    commands = typer.main.get_command(cli.app).commands
    assert set(commands) == set(COMMANDS)
    for name, command in commands.items():
        assert f" {name} " in text
        assert command.help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_explains_every_argument_and_option(name):
    text = plain(succeed(name, "--help"))
    for parameter in parameters(name):
        assert parameter.help, f"{parameter.name} is not explained"
        assert re.sub(r"\s", "", parameter.help) in re.sub(r"\s", "", text)  # lines break anywhere
        for option in parameter.opts:
            assert option in text


@pytest.mark.parametrize("name", ["demo", "evaluate"])
def test_help_names_every_model(name):
    text = plain(succeed(name, "--help"))
    assert all(f"{model} (" in text for model in MODELS)


def test_help_names_defaults():
    text = plain(succeed("evaluate", "--help"))
    assert "[default: digital,ideal,linear,geniex]" in text
    assert "[default: runs/evaluate]" in text


def test_version_is_printed():
    assert succeed("--version") == f"geniex {version('geniex')}\n"
    assert geniex.__version__ == version("geniex")


@pytest.mark.parametrize(
    "args",
    [
        ["frobnicate"],
        ["evaluate", "--bogus"],
        ["solve", "only.npz"],
        ["template", "demo"],
        ["evaluate", "--seed", "-1"],
        ["evaluate", "--images", "many"],
        ["solve", "a.npz", "b.npz", "--device", "cubic"],
        ["train", "a.toml", "b", "--dtype", "int8"],
        ["dataset", "a.toml", "b", "--workers", "0"],
    ],
)
def test_mistyped_commands_end_with_2_and_a_word(args):
    result = run(*args)
    assert result.exit_code == 2
    assert "Error" in result.stderr
    assert "Traceback" not in result.output


# template


@pytest.mark.parametrize(("command", "kind"), [("evaluate", EvaluationConfig), ("train", TrainingConfig)])
def test_a_printed_template_is_a_configuration_of_defaults(tmp_path, command, kind):
    (tmp_path / "run.toml").write_text(succeed("template", command))
    assert read_config(tmp_path / "run.toml", kind) == kind()


# solve


@pytest.fixture
def circuits(tmp_path, monkeypatch):
    """Writes an input file of `solve`; changes by name, None leaves out."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    arrays = {"v": random.uniform(-0.25, 0.25, (2, 3, 6)), "g": random.uniform(1e-6, 1e-5, (2, 6, 4))}

    def write(**changes):
        content = {name: array for name, array in (arrays | changes).items() if array is not None}
        np.savez("circuits.npz", **content)
        return content

    return write


def solved():
    with np.load("solved.npz") as arrays:
        return dict(arrays)


def test_solve_writes_the_operating_points_of_rectangular_crossbars(circuits):
    given = circuits()
    printed = succeed("solve", "circuits.npz", "solved.npz")
    found = solved()
    expected = Circuit(CrossbarSpec(6, 4), Sinh(0.25)).solve(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    assert set(found) == {"i", "u", "residual", "steps", "converged"}
    for name, array in found.items():
        reference = getattr(expected, name).numpy()
        assert array.dtype == reference.dtype
        np.testing.assert_allclose(array, reference, rtol=SAME_ALGORITHM, atol=1e-18)
    assert found["u"].shape == (2, 3, 6, 4)
    assert found["converged"].all()
    assert printed.startswith("6 circuits of 6x4, Sinh(v0=0.25): ")
    assert f"worst residual {found['residual'].max():.2e} V. Written to solved.npz." in printed


def test_solve_of_one_ohmic_cell_is_ohms_law(circuits):
    circuits(v=np.array([[0.2], [-0.1]]), g=np.array([[1e-5]]), r_source=250.0, r_sink=40, r_row=7.0, r_col=7.0)
    succeed("solve", "circuits.npz", "solved.npz", "--device", "ohmic")
    current = np.array([[0.2], [-0.1]]) / (250 + 40 + 1e5)
    np.testing.assert_allclose(solved()["i"], current, rtol=1e-9)  # solved to 1e-10 of the drive


def test_solve_takes_resistances_and_cells(circuits):
    given = circuits(r_source=10.0, r_sink=np.array([20.0]), r_row=0, r_col=np.float32(1.5))
    spec = CrossbarSpec(6, 4, 10.0, 20.0, 0.0, 1.5)
    v, g = torch.from_numpy(given["v"]), torch.from_numpy(given["g"])
    for options, device in ((["--v0", "0.1"], Sinh(0.1)), (["--device", "ohmic"], Ohmic())):
        succeed("solve", "circuits.npz", "solved.npz", *options)
        np.testing.assert_allclose(solved()["i"], Circuit(spec, device)(v, g), rtol=SAME_ALGORITHM, atol=1e-18)
    linear = LinearCircuit(spec)(v, g).numpy()
    np.testing.assert_allclose(solved()["i"], linear, rtol=0, atol=1e-8 * np.abs(linear).max())  # another algorithm


def test_solve_takes_device_files(circuits):
    given = circuits()
    write_device("cells/mine.toml", SeriesAccess(Sinh(0.1), 1e4))
    printed = succeed("solve", "circuits.npz", "solved.npz", "--device", "cells/mine.toml")
    expected = Circuit(CrossbarSpec(6, 4), SeriesAccess(Sinh(0.1), 1e4))
    current = expected(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    np.testing.assert_allclose(solved()["i"], current, rtol=SAME_ALGORITHM, atol=1e-18)
    assert "SeriesAccess(device=Sinh(v0=0.1), resistance=10000.0)" in printed


def test_solve_takes_lines_driven_and_sensed_from_both_ends(circuits):
    given = circuits(driven_ends=2, sensed_ends=np.array([2]))
    succeed("solve", "circuits.npz", "solved.npz")
    expected = Circuit(CrossbarSpec(6, 4, driven_ends=2, sensed_ends=2), Sinh(0.25))
    current = expected(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    np.testing.assert_allclose(solved()["i"], current, rtol=SAME_ALGORITHM, atol=1e-18)


def test_solve_writes_the_inside_of_crossbars(circuits):
    """What enters a column's sense amplifier came through its cells."""
    circuits()
    succeed("solve", "circuits.npz", "solved.npz", "--nodes")
    found = solved()
    assert set(found) == {*cli.circuits.WRITTEN, "cell_currents", "word_lines", "bit_lines", "power"}
    for name in ("cell_currents", "word_lines", "bit_lines"):
        assert found[name].shape == (2, 3, 6, 4)
    np.testing.assert_allclose(found["cell_currents"].sum(-2), found["i"], rtol=1e-6)
    np.testing.assert_allclose(found["word_lines"] - found["bit_lines"], found["u"], rtol=1e-6, atol=1e-12)
    assert found["power"].shape == (2, 3)


def test_solve_keeps_float32(circuits):
    given = circuits()
    succeed("solve", "circuits.npz", "solved.npz")
    exact = solved()["i"]
    circuits(v=given["v"].astype(np.float32), g=given["g"].astype(np.float32))
    succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].dtype == np.float32
    np.testing.assert_allclose(solved()["i"], exact, rtol=0, atol=FLOAT32 * np.abs(exact).max())


def test_solve_shares_crossbars_between_inputs(circuits):
    given = circuits()
    circuits(g=given["g"][:1])
    succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].shape == (2, 3, 4)


def test_solve_of_nothing_is_nothing(circuits):
    circuits(v=np.zeros((2, 0, 6)))
    assert "0 circuits of 6x4" in succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].shape == (2, 0, 4)


def test_solve_makes_the_folder_of_its_result(circuits):
    circuits()
    succeed("solve", "circuits.npz", "new/deep/solved.npz")
    assert [path.name for path in Path("new/deep").iterdir()] == ["solved.npz"]


def test_circuits_that_do_not_converge_are_written_and_end_with_1(circuits):
    circuits(v=np.random.default_rng(0).uniform(0, 0.25, (2, 50, 6)))
    message = fail("solve", "circuits.npz", "solved.npz", "--rtol", "1e-18", code=1)
    failed = int((~solved()["converged"]).sum())
    assert failed > 0
    assert f"{failed} circuits did not converge; `converged` in solved.npz says which. Use float64 or a larg" in message


BAD_CIRCUITS = {
    "no g": ({"g": None}, r"must hold v, g and any of .* found \(no g\)\."),
    "neither": ({"g": None, "v": None}, r"found \(no v\), \(no g\)\."),
    "unknown": (
        {"rsource": 3.0},
        "any of r_source, r_sink, r_row, r_col, driven_ends, sensed_ends, nothing else; found rsource",
    ),
    "NaN voltage": ({"v": np.full((1, 6), np.nan)}, "`v` must be finite; 6 of 6 values are not"),
    "NaN conductance": ({"g": np.full((6, 4), np.nan)}, "`g` must be finite .* the first is nan"),
    "negative": ({"g": np.full((6, 4), -1e-6)}, "`g` must be finite and at least 0 S; 24 of 24 .* the first is -1e-06"),
    "whole numbers": (
        {"v": np.ones((1, 6), int)},
        r"`v` in circuits.npz must be float32 or float64 .* got int64 \(1, 6\)",
    ),
    "half": ({"g": np.ones((6, 4), np.float16)}, r"`g` in circuits.npz must be float32 or .* got float16 \(6, 4\)"),
    "one dimension": ({"v": np.ones(6)}, r"`v` in circuits.npz .* at least 2 dimensions; got float64 \(6,\)"),
    "rows": ({"v": np.ones((1, 5))}, r"`v` must be \(\*tile, input, row\) in volt with row = 6; got float64 \(1, 5\)"),
    "tiles": ({"v": np.ones((3, 1, 6))}, r"broadcast with those of `g`, \(2,\); got float64 \(3, 1, 6\)"),
    "mixed": ({"v": np.ones((1, 6), np.float32)}, "`v` must have the dtype and device of `g`, float64"),
    "no cells": ({"v": np.ones((1, 0)), "g": np.ones((0, 4))}, r"`CrossbarSpec\(rows=...\)` must be .* got 0"),
    "resistance": ({"r_row": -1.0}, r"`CrossbarSpec\(r_row=...\)` must be finite and at least 0; got -1.0 ohm"),
    "resistances": ({"r_row": np.ones(3)}, r"`r_row` in circuits.npz must be one number in ohm; got float64 \(3,\)"),
    "text": ({"r_row": "2.5"}, r"`r_row` in circuits.npz must be one number in ohm; got <U3 \(\)"),
    "half an end": ({"sensed_ends": 1.5}, r"`sensed_ends` in circuits.npz must be one whole number; got float64 \(\)"),
    "three ends": ({"driven_ends": 3}, r"`CrossbarSpec\(driven_ends=...\)` must be 1 or 2; got 3"),
    "objects": ({"v": np.array([[None]])}, "circuits.npz cannot be used: it is damaged, or holds Python objects"),
}


@pytest.mark.parametrize(("changes", "message"), BAD_CIRCUITS.values(), ids=BAD_CIRCUITS.keys())
def test_bad_circuits_are_refused_and_nothing_is_written(circuits, changes, message):
    circuits(**changes)
    assert re.search(message, fail("solve", "circuits.npz", "solved.npz"))
    assert not Path("solved.npz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--v0", "0"], r"`Sinh\(v0=...\)` must be positive; got 0.0 V"),
        (["--v0", "nan"], r"`Sinh\(v0=...\)` must be positive; got nan V"),
        (["--device", "cubic"], r"`--device` must be sinh, ohmic, or a device file that ends in \.toml; got 'cubic'"),
        (["--device", "none.toml"], r"There is no device file none\.toml"),
        (["--rtol", "0"], "`rtol` must lie between 0 and 1; got 0.0"),
        (["--rtol", "1"], "`rtol` must lie between 0 and 1; got 1.0"),
    ],
)
def test_bad_options_of_solve_are_refused(circuits, options, message):
    circuits()
    assert re.search(message, fail("solve", "circuits.npz", "solved.npz", *options))


@pytest.mark.parametrize("content", [b"", b"text", None], ids=["empty", "text", "cut"])
def test_broken_files_of_circuits_are_refused(circuits, content):
    circuits()
    path = Path("circuits.npz")
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    assert "circuits.npz cannot be used: it is not an npz file, or its end is missing." in fail(
        "solve", "circuits.npz", "solved.npz"
    )


def test_a_missing_file_of_circuits_is_named():
    assert "There is no file none.npz." in fail("solve", "none.npz", "solved.npz")


# train and info


def test_train_says_what_it_made_and_how_good_it_is(trained):
    folder, printed = trained
    text = plain(printed)
    assert re.search(r"fit .* 10/10 .* RMSE of NF \d+\.\d\d %, unseen \d+\.\d\d %", text)
    assert "CrossbarSpec(rows=4, cols=5" in text
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.safetensors", "train.toml"]


def test_info_says_what_an_emulator_is(trained):
    text = plain(succeed("info", trained[0] / "tiny.safetensors"))
    for words in ("rows=4, cols=5", "r_source=500.0", "'Sinh'", "v_max=0.25", "'steps': 10", version("geniex")):
        assert words in text
    card = geniex.emulation.load_card(trained[0] / "tiny.safetensors")
    for model, error in card.errors.items():
        assert f"{error.rmse:.2f}" in text, model
        assert f"{error.low:.2f} to {error.high:.2f}" in text


def test_info_knows_shipped_emulators_by_name():
    assert "rows=64, cols=64" in plain(succeed("info", "nominal_64x64_v250"))


def test_float16_halves_the_file(trained, tmp_path):
    folder, _ = trained
    succeed("train", folder / "train.toml", tmp_path / "new" / "half.safetensors", "--dtype", "float16")
    full = (folder / "tiny.safetensors").stat().st_size
    weights = sum(x.numel() for x in geniex.load(folder / "tiny.safetensors").parameters())
    half = (tmp_path / "new" / "half.safetensors").stat().st_size
    assert abs((full - half) - 2 * weights) < 100  # the header differs by a few bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nstep = 3", "`training.step` is not a field. Did you mean 'steps'?"),
        ("[training]\nsteps = 3\nchecks = 4", "`checks` must be at most `steps` = 3; got 4."),
        ("[digits]\nrecorded = 'none.npz'", "There is no file of recorded digits"),
        ("[digits]\nrecorded = 'none.npz'\ncorner_share = 0.7", "corner_share + recorded_share must be at most 1"),
        ("[digits]\nv_bits = 9", "`digits.v_bits` must be at most 8; got 9."),
        ("adc = 'none'", "`adc` is not a field."),
    ],
)
def test_bad_recipes_are_refused_before_any_circuit_is_solved(tmp_path, text, message):
    (tmp_path / "train.toml").write_text(text)
    assert message in fail("train", tmp_path / "train.toml", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_folder_for_an_emulator_is_refused_before_any_circuit_is_solved(trained, tmp_path):
    assert f"{tmp_path} is a folder; give the name of the file to write." in fail(
        "train", trained[0] / "train.toml", tmp_path
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no emulator file"),
        (b"", "is not a whole safetensors file"),
        (b"text", "is not a whole safetensors file"),
        (200, "is not a whole safetensors file"),
    ],
    ids=["missing", "empty", "text", "cut"],
)
def test_what_is_no_emulator_is_refused(trained, tmp_path, content, message):
    path = tmp_path / "some.safetensors"
    if content is not None:
        path.write_bytes(
            content if isinstance(content, bytes) else (trained[0] / "tiny.safetensors").read_bytes()[:content]
        )
    assert message in fail("info", path)


def test_a_state_dict_is_no_emulator(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    assert "is not an emulator of this version" in fail("info", tmp_path / "weights.safetensors")


# dataset


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A current folder with a configuration and the dataset that it makes."""
    monkeypatch.chdir(tmp_path)
    Path("train.toml").write_text(TRAINING)
    return succeed("dataset", "train.toml", "data", "--workers", "2")


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_dataset_is_made_and_an_emulator_of_it(dataset):
    text = plain(dataset)
    assert re.search(r"solve .* 30/30 ", text)
    found = re.search(r"(dataset \w{16}: 30 crossbars with 2 inputs each, seed 0); 4 shards in data, 0\.\d+ MB\.", text)
    assert found
    for name in ("one", "two"):
        succeed("train", "train.toml", f"{name}.safetensors", "--data", "data")
    assert geniex.emulation.load_card("one.safetensors").provenance["samples"] == found[1]
    one, two = (geniex.load(f"{name}.safetensors").state_dict() for name in ("one", "two"))
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())


def test_damaged_and_missing_shards_are_made_anew_and_named(dataset):
    before = contents("data")
    Path("data/shard-00001.npz").write_bytes(before["shard-00001.npz"][:-9])
    Path("data/shard-00003.npz").unlink()
    assert "is not finished: 1 of 4 shards miss." in fail("train", "train.toml", "a.safetensors", "--data", "data")
    printed = plain(succeed("dataset", "train.toml", "data"))
    assert "data/shard-00001.npz is made anew: it is not an npz file, or its end is missing." in printed
    assert re.search(r"check .* 3/3 .* solve .* 30/30", printed)
    assert contents("data") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cols = 5", "cols = 5\nr_sink = 1"), "spec.r_sink = 100.0 instead of 1.0"),
        (("crossbars = 30", "crossbars = 30\nseed = 1"), "recipe.seed = 0 instead of 1"),
    ],
)
def test_a_folder_of_another_dataset_is_left_alone(dataset, change, message):
    before = contents("data")
    Path("train.toml").write_text(TRAINING.replace(*change))
    assert f"data holds another dataset: {message}. Give another folder" in fail("dataset", "train.toml", "data")
    assert contents("data") == before


def test_a_dataset_of_another_crossbar_is_not_learned_from(dataset):
    Path("train.toml").write_text(TRAINING.replace("cols = 5", "cols = 5\nr_sink = 1"))
    message = "The dataset data was made for something else: spec.r_sink = 100.0 instead of 1.0. Make one"
    assert message in fail("train", "train.toml", "a.safetensors", "--data", "data")
    assert "There is no dataset in none." in fail("train", "train.toml", "a.safetensors", "--data", "none")
    assert sorted(path.name for path in Path().iterdir()) == ["data", "train.toml"]


def test_a_full_disk_ends_a_dataset_in_words(dataset, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    for shard in (0, 2):
        Path(f"data/shard-0000{shard}.npz").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        message = "data/shard-00000.npz cannot be written: No space left on device. 2 of 4 shards are whole and stay."
        assert message in fail("dataset", "train.toml", "data")
    assert sorted(contents("data")) == ["manifest.json", "shard-00001.npz", "shard-00003.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:8786"], "A Dask cluster needs Dask: pip install 'geniex[dask]'."),
        (["--scheduler", "tcp://127.0.0.1:8786", "--workers", "2"], "`workers` are threads of this machine"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused(dataset, monkeypatch, options, message):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert message in fail("dataset", "train.toml", "data", *options)


# fit-device


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A current folder with curves of a filament by NumPy, with 1 % noise, in 3 states of known gap."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    rows = ["# made up", "gap (nm);voltage (mV);current (uA)"]
    for gap in (0.8, 1.0, 1.2):
        for v in np.linspace(-0.4, 0.4, 17):
            i = 1e-3 * np.exp(-gap / 0.25) * np.sinh(v / 0.25) * (1 + 0.01 * random.standard_normal())
            rows.append(f"{gap};{1e3 * v:.4f};{1e6 * i:.6f}")
    Path("data.csv").write_text("\n".join(rows))
    return tmp_path


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
    succeed("train", "train.toml", "tiny.safetensors")
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


# pack


def test_pack_makes_what_evaluate_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("dog/1.png", "cat/1.png", "cat/2.png"):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(Path("photos", name))
    printed = succeed("pack", "photos", "packed.npz", "--resize", 10, "--crop", 8)
    assert printed == "3 images of 8x8 in 2 classes written to packed.npz.\n"
    images = load_images("packed.npz")
    assert images.labels.tolist() == [0, 0, 1]
    assert images.images.shape == (3, 8, 8, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], r"2 sizes, such as .* Give `--resize` and `--crop`."),
        (["--resize", "0"], "`resize` must be at least 1 pixel; got 0."),
        (["--crop", "9"], "`crop` of 9 pixels does not fit images of 8x8."),
    ],
)
def test_bad_packing_is_refused(tmp_path, options, message):
    for side in (8, 9):
        (tmp_path / "photos" / "a").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side)).save(tmp_path / "photos" / "a" / f"{side}.png")
    assert re.search(message, fail("pack", tmp_path / "photos", tmp_path / "o.npz", *options))
    assert not (tmp_path / "o.npz").exists()


def test_pack_of_no_folder_is_refused(tmp_path):
    assert "has no subfolders with images" in fail("pack", tmp_path / "none", tmp_path / "o.npz")


# evaluate


def test_evaluate_of_a_users_network_under_every_model(workspace):
    stdout = succeed(*EVALUATE, "--models", "digital, ideal,linear,geniex,reduced,circuit", "--images", 6)
    results = json.loads(Path("out/results.json").read_text())
    assert [result["name"] for result in results["models"]] == list(MODELS)
    by_name = {result["name"]: result for result in results["models"]}
    assert all(result["images"] == 6 for result in results["models"])
    assert (by_name["digital"]["difference"], by_name["digital"]["agreement"]) == (0, 1)
    assert by_name["digital"]["nf"] is None
    assert by_name["ideal"]["agreement"] == 1
    for name in MODELS[1:]:
        nf = by_name[name]["nf"]
        assert nf["low"] <= nf["rmse"] <= nf["high"]
        assert 0 < nf["reads"] <= 20
    errors = [by_name[name]["nf"]["rmse"] for name in ("circuit", "reduced", "linear")]
    assert errors[0] < 1e-3 < 10 * errors[1] < errors[2]
    assert set(results["sample"]["i_model"]) == set(MODELS[1:])
    assert results["config"]["crossbar"]["rows"] == 4
    assert results["config"]["adc"] == {"bits": 14, "full_scale": None}
    assert results["provenance"]["torch"] == torch.__version__
    assert results["title"] == "Tiny on data.npz, 4 x 5 crossbars at 0.25 V"
    page = Path("out/report.html").read_text()
    assert all(name in page for name in MODELS)
    text = plain(stdout)
    assert f"Page: {workspace / 'out' / 'report.html'}" in stdout
    assert f"Data: {workspace / 'out' / 'results.json'}" in stdout
    assert all(f" {name} " in text for name in MODELS)
    assert len(list(Path("out/batches").iterdir())) == 6 * 2


def test_the_configuration_in_the_results_gives_the_same_run(workspace):
    """What the results and the page show is a configuration file."""
    succeed(*EVALUATE, "--models", "digital,ideal")
    config = json.loads(Path("out/results.json").read_text())["config"]
    Path("again.yaml").write_text(json.dumps(config))  # YAML contains JSON
    assert read_config("again.yaml", EvaluationConfig) == read_config("run.toml", EvaluationConfig)


def stored():
    return {path.name: path.stat().st_mtime_ns for path in Path("out/batches").iterdir()}


def test_evaluate_again_uses_what_is_stored(workspace):
    succeed(*EVALUATE, "--models", "digital,linear")
    before, first = stored(), json.loads(Path("out/results.json").read_text())
    assert len(before) == 2 * 3
    succeed(*EVALUATE, "--models", "digital,linear")
    assert stored() == before
    assert json.loads(Path("out/results.json").read_text())["models"] == first["models"]
    succeed(*EVALUATE, "--models", "digital,linear,ideal")
    assert before.items() < stored().items()
    assert len(stored()) == 3 * 3


def test_another_configuration_uses_nothing_that_is_stored(workspace):
    succeed(*EVALUATE, "--models", "linear")
    before = stored()
    Path("run.toml").write_text(EVALUATION.replace("[crossbar]", "[crossbar]\nr_sink = 101.0"))
    succeed(*EVALUATE, "--models", "linear")
    assert before.items() < stored().items()
    assert len(stored()) == 2 * len(before)


def test_images_are_drawn_by_the_seed(workspace):
    for seed in (0, 0, 1):
        succeed(*EVALUATE, "--models", "digital", "--images", 3, "--seed", seed)
    assert len(stored()) == 2


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_weights_from_a_file_count(workspace, name):
    weights = {"0.weight": torch.zeros(2, 3, 3, 3), "0.bias": torch.zeros(2), "3.weight": torch.zeros(3, 8)}
    weights["3.bias"] = torch.tensor([0.0, 0.0, 1.0])  # always the last class
    save_file(weights, name) if name.endswith("safetensors") else torch.save(weights, name)
    succeed(*EVALUATE, "--models", "digital", "--weights", name)
    (result,) = json.loads(Path("out/results.json").read_text())["models"]
    assert result["top1"] == (load_images("data.npz").labels == 2).mean()


def test_the_emulator_is_sought_beside_the_configuration(workspace):
    Path("elsewhere").mkdir()
    Path("run.toml").rename("elsewhere/run.toml")
    Path("tiny.safetensors").rename("elsewhere/tiny.safetensors")
    args = [arg.replace("run.toml", "elsewhere/run.toml") for arg in EVALUATE]
    succeed(*args, "--models", "geniex", "--images", 1)


def test_the_comparison_is_that_of_the_configuration(workspace):
    samples = []
    for old, new in (
        ("", ""),
        ("images = 1", "images = 8"),
        ("[exact]", "[exact]\nseed = 3"),
        ("reads = 20", "reads = 5"),
    ):
        Path("run.toml").write_text(EVALUATION.replace(old, new))
        succeed(*EVALUATE, "--models", "ideal")
        results = json.loads(Path("out/results.json").read_text())
        samples.append(tuple(results["sample"]["i_exact"]))
    assert len(set(samples)) == 4
    assert results["models"][0]["nf"]["reads"] <= 5


def test_layers_can_be_left_digital_by_the_configuration(workspace):
    Path("run.toml").write_text(EVALUATION + '[layers]\ndigital = ["3"]\n')
    succeed(*EVALUATE, "--models", "ideal")
    Path("run.toml").write_text(EVALUATION + '[layers]\ndigital = ["5"]\n')
    assert "`layers.digital` names '5', but no layer is called so. Possible: 0, 1, 2, 3." in fail(*EVALUATE)


BAD_EVALUATIONS = {
    "no model": (
        ["--models", ","],
        "Models are some of digital, ideal, linear, geniex, reduced, circuit, each once; got none.",
    ),
    "unknown model": (["--models", "digital,spice"], "each once; got digital, spice."),
    "twice": (["--models", "ideal,ideal"], "each once; got ideal, ideal."),
    "too many images": (["--images", "9"], "The number of images must lie between 1 and 8, all of data.npz; got 9."),
    "no images": (["--images", "0"], "The number of images must lie between 1 and 8, all of data.npz; got 0."),
    "no file of images": (["--data", "none.npz"], "There is no image file none.npz. `geniex pack` makes one"),
    "foreign images": (["--data", "run.toml"], "run.toml is not an image file of geniex: it is not an npz file"),
    "no configuration": (["--config", "none.toml"], "There is no configuration file none.toml."),
    "no weights": (["--weights", "none.pt"], "There is no weights file none.pt."),
    "foreign weights": (["--weights", "run.toml"], "run.toml is not a whole state dict"),
    "an emulator's weights": (
        ["--weights", "tiny.safetensors"],
        "The weights in tiny.safetensors do not fit Tiny: 4 are missing",
    ),
    "no network": (
        ["--network", "my_tiny_network"],
        "A network is named as `package.module:name`; got 'my_tiny_network'.",
    ),
    "unknown network": (
        ["--network", "my_tiny_network:mak"],
        "The network 'my_tiny_network:mak' cannot be found: Attri",
    ),
    "other size": (
        ["--network", "my_tiny_network:other_size"],
        "Sequential does not take images that are prepared to (3, 8, 8)",
    ),
    "unmapped layer": (
        ["--network", "my_tiny_network:with_lstm"],
        "Layer `lstm` is a LSTM, which has no analog version.",
    ),
    "a file as folder": (["--out", "run.toml"], "run.toml"),
}


@pytest.mark.parametrize(("options", "message"), BAD_EVALUATIONS.values(), ids=BAD_EVALUATIONS.keys())
def test_bad_evaluations_are_refused_and_nothing_is_computed(workspace, options, message):
    assert message in fail(*EVALUATE, *options)
    assert not Path("out/results.json").exists()
    assert not Path("out/batches").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[weights]\nslice_bits = 3\n",
            "run.toml cannot be used:\n  `weights`: slice_bits must divide bits = 16; got 3.",
        ),
        ("[inputs]\nv_max = 0.3\n", "Layer `0`: Geniex holds for v from 0 to 0.25 V, but 0 to 0.3 V was asked for."),
        (
            "[cell]\nv0 = 0.3\n",
            "The emulator 'tiny.safetensors' was made for another crossbar: v0 = 0.25 instead of 0.3.",
        ),
        ("[cell]\nr_on = 1e4\n", "Layer `0`: Geniex holds for g from 1.66667e-06 to 1e-05 S, but"),
        (
            "[preprocess]\ncrop = 9\n",
            "`crop` of 9 pixels does not fit images of 8x8. Give a smaller `crop` or a `resize`.",
        ),
        (
            "[preprocess]\ncrop = 4\n",
            "Tiny does not take images that are prepared to (3, 4, 4) (RuntimeError: mat1 and mat2",
        ),
        ("[bogus]\n", "`bogus` is not a field. Possible: adc, accumulator, floor,"),
    ],
)
def test_configurations_that_do_not_fit_are_refused_and_nothing_is_computed(workspace, text, message):
    Path("run.toml").write_text(EVALUATION + text)
    assert message in fail(*EVALUATE)
    assert not Path("out/batches").exists()


def test_weights_without_a_network_are_refused(workspace):
    assert "`--weights` needs `--network`: the embedded network brings its own." in fail(
        "evaluate", "--weights", "w.pt", "--data", "data.npz"
    )


def test_labels_beyond_the_classes_are_refused(workspace):
    np.savez("data.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 3]))
    assert "data.npz has labels from 0 to 3, but the network has 3 classes." in fail(*EVALUATE)


def test_black_images_fail_the_comparison_with_a_reason(workspace):
    np.savez("data.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 1]))
    weights = {"0.weight": torch.zeros(2, 3, 3, 3), "0.bias": torch.zeros(2), "3.weight": torch.zeros(3, 8)}
    save_file(weights | {"3.bias": torch.zeros(3)}, "w.safetensors")
    assert "No read with a voltage other than 0 V was seen: are all images black?" in fail(
        *EVALUATE, "--weights", "w.safetensors", "--models", "ideal", code=1
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("3 of 4 circuits did not converge"), 1, "Error: 3 of 4 circuits did not converge\n"),
        (MemoryError(), 1, "Error: MemoryError\n"),
        (
            KeyboardInterrupt(),
            1,
            "Error: Stopped. `demo`, `evaluate`, `dataset` and `train` continue where they were; others",
        ),
        (OSError(28, "No space left on device"), 2, "Error: [Errno 28] No space left on device\n"),
        (
            ValueError("[bold]a[/] b :x: " + "long " * 60 + "end"),
            2,
            "Error: [bold]a[/] b :x: " + "long " * 60 + "end\n",
        ),
    ],
    ids=["runtime", "memory", "interrupt", "disk", "markup"],
)
def test_failures_of_a_run_are_one_message_as_it_is(workspace, monkeypatch, error, code, message):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(cli.evaluate, "evaluate", broken)
    assert fail(*EVALUATE, code=code).startswith(message)


def test_file_names_are_printed_as_they_are(workspace):
    """Square brackets are no markup, long names are not broken."""
    out = "out [bold] [/red] " + "x" * 100
    stdout = succeed(*EVALUATE, "--models", "digital", "--out", out)
    assert f"Page: {workspace / out / 'report.html'}\n" in stdout
    Path("[x]").mkdir()
    Path("tiny.safetensors").rename("[x]/[y].safetensors")
    assert "[x]/[y].safetensors" in plain(succeed("info", "[x]/[y].safetensors"))


# The demo


def test_too_many_images_for_the_demo_are_refused(tmp_path):
    message = fail("demo", "--images", 513, "--out", tmp_path)
    assert "between 1 and 512, all of CIFAR-100 test images; got 513" in message


@pytest.mark.slow
def test_the_demo_runs_on_two_images(tmp_path):
    stdout = succeed("demo", "--images", 2, "--out", tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert [result["name"] for result in results["models"]] == ["digital", "ideal", "linear", "geniex"]
    by_name = {result["name"]: result for result in results["models"]}
    assert by_name["ideal"]["agreement"] == 1
    assert by_name["geniex"]["nf"]["rmse"] < by_name["linear"]["nf"]["rmse"]
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert f"Page: {tmp_path / 'report.html'}" in stdout


def test_the_demo_with_the_digital_network_alone(tmp_path):
    """Its weights, images and preprocessing belong together: the published accuracy on the test set is 68 %."""
    succeed("demo", "--images", 64, "--models", "digital", "--out", tmp_path)
    (result,) = json.loads((tmp_path / "results.json").read_text())["models"]
    assert result["low"] < 0.68 < result["high"]


# In a process of its own


def start(*args, **environment):
    return subprocess.Popen(
        [CONSOLE_SCRIPT, *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_failure_in_a_process_is_one_line_on_stderr(tmp_path):
    process = start("info", tmp_path / "none.safetensors")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert stderr == f"Error: There is no emulator file {tmp_path / 'none.safetensors'}.\n"


def whole():
    """Batches that are stored, without those that are being written beside."""
    found = stored() if Path("out/batches").exists() else {}
    return {name: when for name, when in found.items() if not name.startswith(".")}


def test_a_killed_run_leaves_whole_batches_and_continues(workspace):
    args = [*EVALUATE, "--models", "digital,ideal"]
    Path("run.toml").write_text(EVALUATION.replace("batch = 3", "batch = 1"))
    process = start(*args, SECONDS_PER_BATCH="0.2")
    deadline = time.monotonic() + 60
    while len(whole()) < 3 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    before = whole()
    assert 3 <= len(before) < 16
    assert not Path("out/results.json").exists()
    process = start(*args)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert before.items() < stored().items()
    assert len(whole()) == 16
    continued = json.loads(Path("out/results.json").read_text())["models"]
    succeed(*args[:-3], "elsewhere", *args[-2:])
    in_one_go = json.loads(Path("elsewhere/results.json").read_text())["models"]
    for one, other in zip(continued, in_one_go, strict=True):
        assert one | {"seconds_per_image": 0} == other | {"seconds_per_image": 0}


def test_a_killed_dataset_keeps_whole_shards_and_continues(tmp_path):
    config, folder = tmp_path / "train.toml", tmp_path / "data"
    config.write_text(TRAINING.replace("crossbars = 30", "crossbars = 4000"))
    process = start("dataset", config, folder)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("shard-*.npz"))) < 3 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.npz")}
    assert 3 <= len(before) < 500
    process = start("dataset", config, folder, "--workers", "2")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert "made anew" not in stdout
    assert before.items() < {path: path.stat().st_mtime_ns for path in folder.iterdir()}.items()
    succeed("dataset", config, tmp_path / "elsewhere", "--workers", "1")
    assert contents(folder) == contents(tmp_path / "elsewhere")

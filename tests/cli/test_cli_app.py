"""The command line as a shell sees it: help, version, exit codes, and the files that other commands read."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

import geniex
from geniex import cli
from geniex.configuration import EvaluationConfig, TrainingConfig, read_config
from geniex.evaluation import load_images
from tests.cli.commands import COMMANDS, MODELS, fail, plain, run, start, succeed

# Help and version


def parameters(name):
    return typer.main.get_command(cli.app).commands[name].params


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
    assert "[default:digital,ideal,linear,geniex,reduced]" in text.replace(" ", "")  # lines break anywhere
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


def test_a_failure_in_a_process_is_one_line_on_stderr(tmp_path):
    process = start("info", tmp_path / "none.safetensors")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert stderr.startswith(
        f"Error: There is no emulator file {tmp_path / 'none.safetensors'}, and none of that name "
    )
    assert stderr.count("\n") == 1


# template


@pytest.mark.parametrize(("command", "kind"), [("evaluate", EvaluationConfig), ("train", TrainingConfig)])
def test_a_printed_template_is_a_configuration_of_defaults(tmp_path, command, kind):
    (tmp_path / "run.toml").write_text(succeed("template", command))
    assert read_config(tmp_path / "run.toml", kind) == kind()


# pack


def test_pack_makes_what_evaluate_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("dog/1.png", "cat/1.png", "cat/2.png"):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(Path("photos", name))
    printed = succeed("pack", "photos", "packed.npz", "--resize", 10, "--crop", 8)
    assert printed.endswith("3 images of 8x8 in 2 classes written to packed.npz.\n")
    images = load_images("packed.npz")
    assert images.labels.tolist() == [0, 0, 1]
    assert images.images.shape == (3, 8, 8, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], r"photos have several sizes, such as 8x8 and 9x9\. Give `resize` and `crop`\."),
        (["--resize", "0"], "`resize` must be at least 1 pixel; got 0."),
        (["--crop", "9"], r"`crop` of 9 pixels does not fit .*8\.png of 8x8\."),
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

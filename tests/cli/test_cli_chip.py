"""`geniex program`, `chip` and `evaluate --chip`: a network written once, looked into, and read again."""

import json
from pathlib import Path

import pytest
import torch

from geniex.chip import load_chip
from tests.cli.commands import EVALUATE, EVALUATION, fail, plain, run, succeed

EFFECTS = "\n[effects]\nprogramming_relative = 0.05\n"
PROGRAM = ("program", "chip.safetensors", "--config", "run.toml", "--network", "my_tiny_network:make")


@pytest.fixture
def scattered(workspace):
    """The workspace, with errors of writing and two chips."""
    Path("run.toml").write_text(f"chips = 2\n{EVALUATION}{EFFECTS}")
    return workspace


def results(folder="out"):
    return json.loads(Path(folder, "results.json").read_text())


def models(folder="out"):
    return [{**result, "seconds_per_image": 0} for result in results(folder)["models"]]


# Several chips


def test_the_demos_network_on_two_chips(tmp_path):
    (tmp_path / "run.toml").write_text("chips = 2\n[effects]\nprogramming_relative = 0.05\n[exact]\nreads = 4\n")
    args = ("--config", tmp_path / "run.toml", "--images", 4, "--models", "digital,ideal", "--out", tmp_path)
    text = plain(succeed("evaluate", *args))
    digital, ideal = models(tmp_path)
    assert (digital["chips"], digital["spread"]) == ([], None)
    assert len(ideal["chips"]) == 2
    assert ideal["top1"] == sum(ideal["chips"]) / 2
    assert "ideal, chip 2" in text
    assert "Accuracies are means over chips, with standard deviations of" in text
    assert results(tmp_path)["config"]["effects"]["programming_relative"] == 0.05


def test_chips_are_found_again(scattered):
    args = (*EVALUATE, "--models", "ideal,linear")
    succeed(*args)
    first, batches = results()["models"], sorted(Path("out/batches").iterdir())
    assert len(batches) == 2 * 2 * 3
    succeed(*args)
    assert results()["models"] == first
    assert sorted(Path("out/batches").iterdir()) == batches


# Programming and looking


def test_a_chip_is_written_and_looked_into(scattered):
    printed = plain(succeed(*PROGRAM, "--seed", 3))
    assert "0 Conv2d 27 x 2" in printed
    assert "3 Linear 8 x 3" in printed
    assert f"Chip: {scattered / 'chip.safetensors'}" in printed
    chip = load_chip("chip.safetensors")
    assert chip.provenance == {
        "network": "my_tiny_network:make",
        "weights": "the network's own",
        "effects": "programming_relative = 0.05",
        "seed": "3",
    }
    looked = plain(succeed("chip", "chip.safetensors"))
    assert printed.split("Chip:")[0].strip() in looked
    for name, value in {**chip.provenance, "written": chip.written, "geniex": chip.version}.items():
        assert f"{name}: {value}" in looked


def test_the_table_adds_crossbars_up(workspace):
    """27 rows are 7 tiles of 4, 2 x 4 columns are 2 of 5; 8 rows are 2 tiles, 3 x 4 columns are 3; W+ and W- double."""
    looked = succeed(*PROGRAM)
    *layers, total = [line.split() for line in looked.splitlines() if " x " in line or line.split()[:1] == ["all"]]
    crossbars = [(int(line[5]), int(line[6])) for line in layers]
    assert [sum(pair) for pair in crossbars] == [7 * 2 * 2, 2 * 3 * 2]
    assert total[:3] == ["all", *(str(sum(part)) for part in zip(*crossbars, strict=True))]
    in_use = 2 * 4 * (27 * 2 + 8 * 3) / (20 * (28 + 12))
    assert total[3] == f"{100 * in_use:.1f}"


def test_one_seed_is_one_chip(scattered):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        succeed("program", name, *PROGRAM[2:], "--seed", seed)
    a, b, c = (load_chip(name).layers["3"].matrices[0].tiles[0].g for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_a_chip_without_effects_has_no_seeds(workspace):
    succeed(*PROGRAM)
    assert load_chip("chip.safetensors").provenance["effects"] == "none"
    assert load_chip("chip.safetensors").seeds == []


# Evaluating on a chip


def test_a_chip_is_evaluated_the_same_each_time_and_as_when_it_was_written(scattered):
    """The first chip of an evaluation has the seed 0, as `program` has."""
    Path("run.toml").write_text(EVALUATION + EFFECTS)
    succeed(*EVALUATE, "--models", "ideal,linear")
    expected = models()
    succeed(*PROGRAM)
    for folder in ("out", "elsewhere"):
        args = [folder if arg == "out" else arg for arg in EVALUATE]
        succeed(*args, "--models", "ideal,linear", "--chip", "chip.safetensors")
        assert models(folder) == expected
    assert results()["provenance"]["chip"] == results("elsewhere")["provenance"]["chip"]


def test_a_calibrated_network_is_written_and_read_and_its_digits_are_others(scattered):
    Path("elsewhere").mkdir()
    succeed(*PROGRAM[:1], "before", *PROGRAM[2:])
    succeed("calibrate", *PROGRAM[2:], "--data", "data.npz", "--images", 8, "--out", "elsewhere/calibration.json")
    Path("elsewhere/run.toml").write_text(f'calibration = "calibration.json"\n{EVALUATION}{EFFECTS}')
    program, evaluate = (
        [arg.replace("run.toml", "elsewhere/run.toml") for arg in args] for args in (PROGRAM, EVALUATE)
    )
    succeed(*program)
    for _ in range(2):
        succeed(*evaluate, "--models", "digital,ideal", "--chip", "chip.safetensors")
        assert models()[1]["agreement"] > 0.5
    assert "in layer `0`, weights = FixedPoint" in fail(*evaluate, "--models", "ideal", "--chip", "before")


def test_a_chip_with_effects_is_read_without_them_in_the_configuration(scattered):
    succeed(*PROGRAM)
    found = []
    for text in (EVALUATION, f"chips = 2\n{EVALUATION}{EFFECTS}"):
        Path("run.toml").write_text(text)
        succeed(*EVALUATE, "--models", "ideal", "--chip", "chip.safetensors")
        found.append(models())
    assert found[0] == found[1]
    assert found[0][0]["chips"] == []


# What is refused


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["chip", "none.safetensors"], "There is no chip file none.safetensors. `geniex program` writes one."),
        (["chip", "run.toml"], "run.toml is not a whole safetensors file"),
        (["chip", "tiny.safetensors"], 'its format is "geniex-emulator/1", not geniex-chip/1.'),
        ([*EVALUATE, "--chip", "none"], "There is no chip file none."),
        ([*EVALUATE, "--chip", "tiny.safetensors"], "tiny.safetensors is not a chip of this version"),
        (["program", "data.npz/chip", *PROGRAM[2:]], "data.npz/chip cannot be written"),
        ([*PROGRAM, "--weights", "none.pt"], "There is no weights file none.pt."),
        (["program", "chip", "--weights", "w.pt"], "`--weights` needs `--network`"),
        (["program", "chip", "--network", "my_tiny_network:mak"], "The network 'my_tiny_network:mak' cannot be found"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message(workspace, args, message):
    assert message in fail(*args)
    assert not Path("out/batches").exists()


def test_a_negative_seed_is_refused(workspace):
    assert run(*PROGRAM, "--seed", "-1").exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cell]\non_off = 8.0\n", "The chip was written for other hardware: in layer `0`, g_off = 1.666"),
        ("[weights]\nslice_bits = 2\n", "in layer `0`, slice_bits = 4 instead of 2. Use a chip of this network"),
        ('[layers]\ndigital = ["0"]\n', "another network: of its 2 layers 1 are not here ['0']"),
    ],
)
def test_a_chip_of_other_hardware_is_refused_and_nothing_is_computed(workspace, text, message):
    succeed(*PROGRAM)
    Path("run.toml").write_text(EVALUATION + text)
    assert message in fail(*EVALUATE, "--models", "digital,ideal", "--chip", "chip.safetensors")
    assert not Path("out/batches").exists()


def test_errors_of_writing_beyond_an_emulators_range_are_refused_before_the_run_or_told(scattered):
    message = fail(*EVALUATE, "--models", "digital,geniex")
    assert "Layer `0`: `g` spans" in message
    assert "but this model was made for 1.667e-06 to 1e-05 S" in message
    assert 'let it warn: `outside = "warn"` in a configuration' in message
    assert not Path("out/batches").exists()
    Path("run.toml").write_text(f'outside = "ignore"\nchips = 2\n{EVALUATION}{EFFECTS}')
    text = plain(succeed(*EVALUATE, "--models", "digital,geniex"))
    assert results()["models"][1]["outside"]["g"] > 0.1
    assert "Outside of what the model was made for: geniex:" in text

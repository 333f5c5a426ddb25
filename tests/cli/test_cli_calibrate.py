"""`geniex calibrate`: formats in a file, a table of what they hold, and `evaluate` with them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geniex.calibration import load_calibration
from geniex.cli.subjects import chosen_network
from geniex.configuration import EvaluationConfig, read_config
from tests.cli.commands import EVALUATE, EVALUATION, fail, plain, run, succeed

CALIBRATE = ("calibrate", "--config", "run.toml", "--network", "my_tiny_network:make", "--data", "data.npz")
COARSE = EVALUATION + "[weights]\nbits = 8\nfraction_bits = 3\n[inputs]\nbits = 8\nfraction_bits = 1\n"


@pytest.fixture
def coarse(workspace):
    """A folder whose configuration has formats that are far too coarse."""
    Path("run.toml").write_text(COARSE)
    return workspace


def calibrated(*args):
    """What the command prints, and the file that it writes."""
    printed = succeed(*CALIBRATE, "--images", 8, "--out", "found.json", *args)
    return printed, load_calibration("found.json", read_config("run.toml", EvaluationConfig).hardware())


def entering():
    """Inputs (image, channel, row, col) and weights of the first layer."""
    settings, network = read_config("run.toml", EvaluationConfig), chosen_network("my_tiny_network:make", None)
    with np.load("data.npz") as arrays:
        x = settings.preprocess.build()(arrays["images"])
    return x[..., :6, :6], network[0].weight.detach()  # the stride leaves the last rows and columns out


def test_steps_are_those_of_weights_and_activations(coarse):
    _, calibration = calibrated()
    x, w = entering()
    assert list(calibration.layers) == ["0", "3"]
    # 1e-6: float32
    assert calibration.layers["0"].inputs.step == pytest.approx(x.abs().max().item() / 127, rel=1e-6)
    assert calibration.layers["0"].weights.step == pytest.approx(w.abs().max().item() / 127, rel=1e-6)
    assert calibration.layers["0"].full_scale is None


def test_options_reach_the_calibration(coarse):
    _, calibration = calibrated("--method", "percentile", "--percentile", 90, "--per-channel", "--adc", "column")
    x, w = entering()
    held = [np.percentile(np.abs(channel), 90) for channel in w.flatten(1).numpy()]
    np.testing.assert_allclose(calibration.layers["0"].weights.step, np.array(held) / 127, rtol=1e-6)
    assert calibration.layers["0"].inputs.step < x.abs().max().item() / 127
    assert calibration.layers["0"].full_scale.amperes
    assert calibration.about["method"] == "Percentile(percent=90.0)"
    assert calibration.about["adc"] == "per column, Percentile(percent=90.0)"
    _, calibration = calibrated("--method", "mse", "--adc", "layer")
    assert calibration.about["method"] == "MeanSquaredError()"
    assert isinstance(calibration.layers["0"].full_scale, float)


def test_the_same_images_are_drawn_each_time(coarse):
    files = []
    for seed in (0, 0, 1):
        succeed(*CALIBRATE, "--images", 2, "--seed", seed, "--out", "found.json")
        files.append(json.loads(Path("found.json").read_text())["layers"])
    assert files[0] == files[1] != files[2]


def test_the_table_shows_ranges_steps_and_what_is_clipped(coarse):
    printed, calibration = calibrated("--method", "percentile", "--percentile", 90, "--adc", "layer")
    text = plain(printed)
    for name, layer in calibration.layers.items():
        (product,) = layer.products
        reach = max(-product.weights.least, product.weights.most)
        assert f" {name} {layer.kind} " in text
        assert f" {reach:.3g} {layer.weights.step:.2g} {100 * product.weights.share:.2f} " in text
        assert f" {1e6 * layer.full_scale:.3g} {100 * product.readings.share:.2f} " in text
    assert f"Calibration: {Path('found.json').resolve()}" in printed
    assert "pass 3" in printed


def test_layers_that_no_image_reaches_are_told(coarse):
    Path("my_tiny_network.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.used, self.idle = nn.Linear(192, 3), nn.Linear(4, 4)\n"
        "    def forward(self, x):\n        return self.used(x.flatten(1))\ndef make():\n    return Net()\n"
    )
    printed, calibration = calibrated("--per-channel")
    assert "No data reached idle: formats as configured." in printed
    assert not calibration.layers["idle"].is_reached
    assert " used Linear 1 0.0079 0.00 " in plain(printed)
    assert "<=" in printed


def test_an_evaluation_with_a_calibration_is_better(coarse):
    agreement = []
    for calibration in ("", 'calibration = "formats/found.json"\n'):
        Path("run.toml").write_text(calibration + COARSE)
        if calibration:
            succeed(*CALIBRATE, "--images", 8, "--out", "formats/found.json")  # which the configuration names already
        succeed(*EVALUATE, "--models", "digital,ideal,linear")
        results = json.loads(Path("out/results.json").read_text())
        agreement.append({model["name"]: model["agreement"] for model in results["models"]}["ideal"])
    assert agreement[1] == 1.0 > agreement[0]
    assert results["provenance"]["calibration"]["method"] == "Max()"
    assert results["config"]["calibration"] == "formats/found.json"


def test_other_commands_use_the_calibration_of_a_configuration(coarse):
    succeed(*CALIBRATE, "--images", 8, "--out", "found.json")
    Path("run.toml").write_text('calibration = "found.json"\n' + COARSE)
    subject = ("--config", "run.toml", "--network", "my_tiny_network:make")
    succeed("program", "chip.safetensors", *subject)
    assert "Scaled" in Path("chip.safetensors").read_bytes()[:20_000].decode("latin-1")
    succeed("record", "digits.npz", *subject, "--data", "data.npz", "--images", 2, "--reads", 5)


def test_a_calibration_of_other_weights_is_refused_by_name(coarse):
    succeed(*CALIBRATE, "--images", 2, "--out", "found.json")
    Path("run.toml").write_text('calibration = "found.json"\n' + COARSE)
    state = chosen_network("my_tiny_network:make", None).state_dict()
    torch.save({name: value + 1 for name, value in state.items()}, "other.pt")
    message = fail(*EVALUATE, "--weights", "other.pt", "--models", "ideal")
    assert "of a network with other values in 4 of 4 weights and buffers ['0.weight', '0.bias', '3.weight']" in message


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--out", "found.txt"), "The file of a calibration must end in .json; got found.txt."),
        (
            ("--percentile", 99),
            "`--percentile` is of `--method percentile`; got `--method max`. Leave one of them out.",
        ),
        (("--method", "percentile", "--percentile", 0), "`Percentile(percent=...)` must be above 0 and at most 100"),
        (("--images", 9), "The number of images must lie between 1 and 8, all of data.npz; got 9."),
        (("--network", "my_tiny_network:other_size"), "The network does not take batch 0 of shape (3, 3, 8, 8)"),
        (("--data", "none.npz"), "none.npz"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(coarse, args, message):
    assert message in fail(*CALIBRATE, *([] if "--images" in args else ["--images", 8]), *args)
    assert not Path("calibration.json").exists()


def test_full_scales_of_no_adc_are_refused(coarse):
    Path("run.toml").write_text('adc = "none"\n' + COARSE)
    assert "`adc` asks for full scales, but no layer has an ADC." in fail(*CALIBRATE, "--images", 8, "--adc", "layer")


@pytest.mark.parametrize("args", [("--method", "min"), ("--adc", "row"), ("--images", 0), ("--seed", -1)])
def test_mistyped_options_end_with_2(coarse, args):
    assert run(*CALIBRATE, *args).exit_code == 2

"""`geniex evaluate` and `demo`: accuracies, what is stored, what is refused."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from geniex import cli
from geniex.configuration import EvaluationConfig, read_config
from geniex.evaluation import load_images
from tests.cli.commands import EVALUATE, EVALUATION, MODELS, fail, plain, said, start, succeed


def stored():
    return {path.name: path.stat().st_mtime_ns for path in Path("out/batches").iterdir()}


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
    assert errors[0] < 1e-4 < 10 * errors[1] < errors[2]  # float32 where a read of a run is in float32
    assert set(results["sample"]["i_model"]) == set(MODELS[1:])
    assert results["config"]["crossbar"]["rows"] == 4
    assert results["config"]["adc"]["bits"] == 14
    assert results["config"]["adc"]["full_scale"] is None
    assert results["provenance"]["torch"] == torch.__version__
    assert results["title"] == "Tiny on data.npz, 4x5 crossbars at 0.25 V"
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
        ["--network", "my_tiny_network:with_bilinear"],
        "Layer `both` is a Bilinear, which has no analog version.",
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
            "[weights]\nslice_bits = [8, 4]\n",
            "run.toml cannot be used:\n  `slice_bits=(8, 4)`: Digits of (8, 4) bits make up 12 bits, but the word has",
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
        ("[xyzzy]\n", "`xyzzy` is not a field. Possible: adc, accumulator, costs, floor,"),
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
            130,
            "Error: Stopped. What was computed is kept: the same command goes on where it was.\n",
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
    assert [result["name"] for result in results["models"]] == ["digital", "ideal", "linear", "geniex", "reduced"]
    by_name = {result["name"]: result for result in results["models"]}
    assert by_name["ideal"]["agreement"] == 1
    errors = [by_name[name]["nf"]["rmse"] for name in ("reduced", "geniex", "linear")]
    assert 50 * errors[0] < 5 * errors[1] < errors[2]
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert f"Page: {tmp_path / 'report.html'}" in stdout


def test_the_demo_with_the_digital_network_alone(tmp_path):
    """Its weights, images and preprocessing belong together: the published accuracy on the test set is 68 %."""
    succeed("demo", "--images", 64, "--models", "digital", "--out", tmp_path)
    (result,) = json.loads((tmp_path / "results.json").read_text())["models"]
    assert result["low"] < 0.68 < result["high"]


@pytest.mark.parametrize("preprocess", ["", "[preprocess]\nscale = 0.5\n"], ids=["its own", "the file's"])
def test_the_embedded_network_has_its_images_prepared_as_it_was_trained(tmp_path, preprocess):
    """Unless a configuration says otherwise."""
    (tmp_path / "run.toml").write_text(f"[crossbar]\nrows = 32\ncols = 32\n{preprocess}")
    out = tmp_path / "out"
    succeed("evaluate", "--config", tmp_path / "run.toml", "--models", "digital", "--images", 64, "--out", out)
    (result,) = json.loads((out / "results.json").read_text())["models"]
    assert (result["top1"] > 0.5) == (not preprocess)


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
    assert (process.returncode, said(stderr)) == (0, "")
    assert before.items() < stored().items()
    assert len(whole()) == 16
    continued = json.loads(Path("out/results.json").read_text())["models"]
    succeed(*args[:-3], "elsewhere", *args[-2:])
    in_one_go = json.loads(Path("elsewhere/results.json").read_text())["models"]
    for one, other in zip(continued, in_one_go, strict=True):
        assert one | {"seconds_per_image": 0} == other | {"seconds_per_image": 0}

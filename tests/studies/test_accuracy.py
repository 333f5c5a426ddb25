"""The study of accuracy: its scripts at a small size, and its README against its results."""

import json
import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from studies.accuracy import data, logits, run
from studies.accuracy.cases import CASES, HERE, Subject, chosen, put, read
from studies.accuracy.plot import draw
from studies.accuracy.summary import difference, summarize
from studies.accuracy.tables import MODELS, logits_table, tables
from torch import nn

from geniex.configuration import EvaluationConfig, read_config
from geniex.evaluation import Evaluation, LabelledImages, ModelResult, load_images
from geniex.evaluation.statistics import wilson_interval
from geniex.loading import load_models
from tests.tolerances import SAME_ALGORITHM

README = (HERE / "README.md").read_text()
SETTINGS = {"crossbar": {"rows": 8, "cols": 8}, "exact": {"reads": 20, "images": 1}, "batch": 2}


@pytest.fixture
def subject():
    """A network of two layers on 8x8 crossbars, with six images of 6x6."""
    random = np.random.default_rng(0)
    images = LabelledImages(random.integers(0, 256, (6, 6, 6, 3), np.uint8), random.integers(0, 5, 6), "random")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)).eval()
    return Subject(EvaluationConfig.model_validate(SETTINGS), network, images)


@pytest.fixture
def folder(tmp_path):
    """What `data` writes, with two of the embedded images of CIFAR-100."""
    images = load_images(files("geniex") / "assets" / "cifar100_512.npz").first(2)
    np.savez(tmp_path / "cifar100_test.npz", images=images.images, labels=images.labels)
    return tmp_path


def evaluation(images, **correct):
    """One in which so many of the images are right."""
    models = [
        ModelResult(name, images, right / images, 0, 1, None, right / images, 0.5) for name, right in correct.items()
    ]
    return Evaluation("", "0", "now", {}, {}, models, None)


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_a_configuration_that_its_emulator_fits(name):
    config = read_config(HERE / f"{name}.toml", EvaluationConfig)
    assert load_models(list(MODELS), config, HERE).keys() == set(MODELS)
    assert config.outside == "warn"


def test_the_voltage_is_all_that_sets_the_nominal_cases_apart():
    low, high = (read_config(HERE / f"nominal_v{mv}.toml", EvaluationConfig) for mv in (250, 500))
    changes = {"inputs": high.inputs.model_copy(update={"v_max": 0.25}), "emulator": low.emulator}
    assert (high.inputs.v_max, high.model_copy(update=changes)) == (0.5, low)


def test_the_run_is_written_piece_by_piece_and_continues(subject, tmp_path):
    models = ["digital", "ideal", "linear"]
    found = list(run.classify(subject, models, 4, tmp_path, threads=1))
    assert [result["images"] for result in found] == [[4], [4, 2]]
    assert [model["name"] for model in found[-1]["models"]] == models
    assert all(sum(model["correct"]) == round(6 * model["top1"]) for model in found[-1]["models"])
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = list(run.classify(subject, models, 4, tmp_path, threads=1))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == kept
    assert again[-1]["models"] == found[-1]["models"]


def test_the_commands_run_from_end_to_end(folder, tmp_path, monkeypatch, capsys):
    """ResNet-20 on its whole crossbars; results go where the study's own are not."""
    for module in (run, logits):
        monkeypatch.setattr(module, "HERE", tmp_path)
    text = (HERE / "nominal_v250.toml").read_text() + "\n[exact]\nreads = 50\nimages = 1\n"
    (tmp_path / "nominal_v250.toml").write_text(text)
    run.main(["nominal_v250"], folder, tmp_path / "work", "digital, ideal", threads=1)
    result = read(tmp_path / "results.json")["nominal_v250"]
    assert result["images"] == [2]
    assert result["models"][1]["nf"] > 5  # percent; ideal crossbars know of no NF
    assert "<svg" in (tmp_path / "accuracy.svg").read_text()
    logits.main(["nominal_v250"], folder, tmp_path / "logits", "digital,ideal", images=2, threads=2)
    assert not (tmp_path / "logits.json").exists()  # without the circuit there is nothing to compare with
    assert "ideal: 2 of 2" in capsys.readouterr().out


def test_accuracies_of_pieces_add_up():
    found = summarize([evaluation(4, digital=3, linear=1), evaluation(6, digital=5, linear=4)])
    digital, linear = found["models"]
    assert (found["images"], linear["correct"]) == ([4, 6], [1, 4])
    assert (digital["top1"], linear["top1"], linear["agreement"]) == (0.8, 0.5, 0.5)
    assert (linear["low"], linear["high"]) == wilson_interval(0.5, 10)
    assert linear["seconds_per_image"] == 0.5


def test_a_difference_by_hand():
    """Gains of 2 and 1 of 10 images: mean 0.15, deviation 0.05 sqrt(2), t of 12.706 at one degree of freedom."""
    found = summarize([evaluation(10, a=5, b=3), evaluation(10, a=6, b=5)])
    gain, margin = difference(found, "a", "b")
    assert gain == pytest.approx(0.15)
    assert margin == pytest.approx(12.706 * 0.05, rel=1e-4)
    one = difference(summarize([evaluation(10, a=5, b=3)]), "a", "b")
    assert one[0] == pytest.approx(0.2)
    assert math.isnan(one[1])


def test_distances_by_hand():
    found = logits.compare(
        {
            "circuit": torch.tensor([[3.0, 4.0], [0.0, 0.0]]),
            "ideal": torch.tensor([[3.0, 4.0], [0.0, 2.0]]),
            "linear": torch.tensor([[4.0, 3.5], [0.0, 0.0]]),
        }
    )
    assert found.keys() == {"ideal", "linear"}
    assert found["ideal"] == {"of_effect": 1, "of_logits": 0.4, "largest": 2, "agree": 1}
    assert found["linear"]["of_effect"] == pytest.approx(math.sqrt(1.25) / 2, rel=SAME_ALGORITHM)
    assert (found["linear"]["largest"], found["linear"]["agree"]) == (1, 1)


def test_logits_are_kept_image_by_image(subject, tmp_path):
    """What is in the file is not computed again, the rest is; a damaged file is not believed."""
    models = load_models(["digital", "ideal", "linear", "reduced", "circuit"], subject.config, HERE)
    whole = logits.classify(subject, models, tmp_path / "whole", threads=2)
    name, path = "reduced", next((tmp_path / "whole").glob("reduced_*"))
    np.savez(path, logits=np.load(path)["logits"][:2] + 1)
    continued = logits.classify(subject, {name: models[name]}, tmp_path / "whole", threads=1)[name]
    assert torch.equal(continued[:2], whole[name][:2] + 1)
    assert torch.equal(continued[2:], whole[name][2:])
    path.write_bytes(path.read_bytes()[:-30])
    assert torch.equal(logits.classify(subject, {name: models[name]}, tmp_path / "whole", 1)[name], whole[name])


def test_the_reduced_model_is_nearer_to_the_circuit_than_the_linear_one(subject, tmp_path):
    models = load_models(["ideal", "linear", "reduced", "circuit"], subject.config, HERE)
    found = logits.compare(logits.classify(subject, models, tmp_path, threads=1))
    assert found["reduced"]["of_effect"] < 0.1 * found["linear"]["of_effect"] < 1
    assert found["reduced"]["agree"] == 6


def test_data_writes_what_the_cases_read(tmp_path):
    source = tmp_path / "source"
    (source / "weights").mkdir(parents=True)
    for name in data.WEIGHTS:
        (source / "weights" / name).write_bytes(name.encode())
    (source / "load.py").write_text(
        "import numpy as np\n"
        "def cifar(name, split):\n"
        "    assert (name, split) == ('cifar100', 'test')\n"
        "    return np.full((2, 32, 32, 3), 7, np.uint8), np.array([1, 2]), np.array(['a', 'b'])\n"
        "def imagenet_val1300():\n"
        "    return np.zeros((3, 9, 9, 3), np.uint8), np.array([3, 4, 5], np.int16)\n"
    )
    data.main(source, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {case.images for case in CASES.values()} | set(data.WEIGHTS)
    cifar, imagenet = (load_images(tmp_path / "out" / f"{name}.npz") for name in ("cifar100_test", "imagenet_val1300"))
    assert (cifar.images.shape, cifar.images.max(), cifar.labels.tolist()) == ((2, 32, 32, 3), 7, [1, 2])
    assert (imagenet.labels.dtype, imagenet.labels.tolist()) == (np.int64, [3, 4, 5])


def test_a_folder_without_a_reader_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no .*load\.py\. Name a folder"):
        data.main(tmp_path, tmp_path / "out")


def test_an_unknown_case_is_named():
    assert chosen(["mobilenet"]) == {"mobilenet": CASES["mobilenet"]}
    with pytest.raises(ValueError, match=r"Cases are some of nominal_v250, .*; got resnet, vgg"):
        chosen(["mobilenet", "resnet", "vgg"])


def test_the_readme_shows_the_tables_of_the_results():
    results, logits = read(HERE / "results.json"), read(HERE / "logits.json")
    for name, table in tables(results).items() if results else ():
        assert table in README, name
    assert not logits or logits_table(logits) in README


def test_tables_and_picture_are_made_from_the_results_alone(tmp_path):
    digital = {"digital": 7, "ideal": 7, "linear": 3, "geniex": 5, "reduced": 6}
    found = summarize([evaluation(10, **digital), evaluation(10, **{**digital, "linear": 4, "reduced": 5})])
    for name in ("nominal_v250", "squeezenet"):
        put(tmp_path / "results.json", name, found)
    results = json.loads((tmp_path / "results.json").read_text())
    made = tables(results)
    assert "| linear | 35.00 % | 18.1 to 56.7 % | -35.00 ± 63.53 | 35.0 % | 0.5 |  |" in made["nominal_v250"]
    assert "| ResNet-20, CIFAR-100, 0.25 V | 15.00 ± 63.53 | 20.00 ± 127.06 |" in made["claim"]
    assert made["mobilenet"] == tables({})["mobilenet"]
    for name, shown in (("all", results), ("again", results), ("one", {"squeezenet": found})):
        draw(shown, tmp_path / f"{name}.svg")
    drawn = {path.stem: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert drawn["all"] == drawn["again"] != drawn["one"]
    compared = {"images": 2, "models": {"linear": {"of_effect": 0.5, "of_logits": 0.25, "largest": 1.234, "agree": 1}}}
    assert "| ResNet-20, CIFAR-100, 0.5 V | linear | 50 % | 25 % | 1.2 | 1 of 2 |" in logits_table(
        {"nominal_v500": compared}
    )


def test_a_subject_can_be_cut_short(subject):
    assert len(subject.first(2).images) == 2
    assert replace(subject.first(2), images=subject.images) == subject

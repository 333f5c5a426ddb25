"""Networks of torchvision and timm, and folders of photos, as commands take them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geniex.cli.subjects import chosen_config, drawn_images, weights_of
from geniex.configuration.evaluation import PreprocessSection
from geniex.evaluation import Preprocess, load_images, pack_folder
from geniex.loading import load_network
from tests.cli.commands import EVALUATE, EVALUATION, fail, plain, succeed


@pytest.fixture
def photos(workspace):
    """Nine photos of three classes, each of its own size, in the current folder."""
    random = np.random.default_rng(0)
    for k in range(9):
        path = workspace / "photos" / "abc"[k % 3] / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12 + k, 30 - k, 3), dtype=np.uint8)).save(path)
    (workspace / "run.toml").write_text(EVALUATION + "[preprocess]\nresize = 10\ncrop = 8\n")
    return workspace / "photos"


def results(out="out"):
    return json.loads((Path(out) / "results.json").read_text())


def test_a_folder_gives_the_results_of_the_file_that_is_packed_from_it(photos):
    options = ("--images", 5, "--models", "digital,ideal")
    packed = pack_folder(photos, "data.npz", Preprocess(resize=10, crop=8))
    succeed(*EVALUATE, *options)
    assert len(packed) == 9
    expected = results()
    succeed(*EVALUATE, *options, "--data", "photos", "--out", "of_folder")
    found = results("of_folder")
    assert found["provenance"]["images"]["digest"] == expected["provenance"]["images"]["digest"]
    assert [model["top1"] for model in found["models"]] == [model["top1"] for model in expected["models"]]


def test_a_study_takes_a_folder(photos, workspace):
    text = 'config = "run.toml"\nnetwork = "my_tiny_network:make"\ndata = "photos"\nimages = 4\nmodels = ["digital"]\n'
    (workspace / "study.toml").write_text(text)
    assert "1 of 1 point is done." in plain(succeed("study", "run", "study.toml"))


def test_photos_of_several_sizes_need_a_size(photos, workspace):
    (workspace / "run.toml").write_text(EVALUATION)
    assert "photos have several sizes, such as" in fail(*EVALUATE, "--data", "photos")


def test_a_network_of_a_library_prepares_photos_in_its_own_way(photos):
    """1000 classes, 160 x 160 pixels: labels and sizes fit; weights come from a file as for any network."""
    torch.save(load_network("timm:test_resnet", None).state_dict(), "w.pth")
    options = ("--network", "timm:test_resnet", "--weights", "w.pth", "--data", "photos", "--models", "digital")
    printed = succeed("evaluate", *options, "--images", 3)
    assert "ResNet on photos" in results("runs/evaluate")["title"]
    assert results("runs/evaluate")["config"]["preprocess"]["crop"] == 160
    assert "photos" in printed
    assert "has labels from 0 to 2, but the network has 2 classes" not in printed


@pytest.mark.parametrize("given", [False, True])
def test_what_a_file_says_of_images_is_what_is_done(tmp_path, given):
    (tmp_path / "run.toml").write_text("[preprocess]\ncrop = 100\n" if given else "batch = 2\n")
    settings, folder = chosen_config(tmp_path / "run.toml", "torchvision:resnet18")
    assert folder == tmp_path
    assert (settings.preprocess.resize, settings.preprocess.crop) == ((None, 100) if given else (256, 224))
    assert chosen_config(None, "torchvision:resnet18")[0].preprocess.crop == 224


def test_weights_of_a_study_are_beside_its_file_but_for_those_that_are_downloaded(tmp_path):
    assert weights_of("w.pth", tmp_path) == tmp_path / "w.pth"
    assert weights_of("pretrained", tmp_path) == Path("pretrained")
    assert weights_of(None, tmp_path) is None


def test_files_and_folders_are_drawn_alike(photos):
    preprocess = PreprocessSection(resize=10, crop=8)
    pack_folder(photos, "packed.npz", preprocess.build())
    file, folder = (drawn_images(Path(name), 4, 6, preprocess) for name in ("packed.npz", "photos"))
    np.testing.assert_array_equal(file.images, folder.images)
    np.testing.assert_array_equal(file.labels, folder.labels)
    assert len(load_images("packed.npz")) == 9

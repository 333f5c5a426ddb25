"""Networks of torchvision and timm by name: made, prepared for and given weights as their libraries do it."""

import sys
from urllib.error import URLError

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from geniex import zoo
from geniex.evaluation import list_photos
from geniex.loading import load_network
from geniex.zoo import library, zoo_preprocess
from tests.tolerances import FLOAT32

SMALL = "torchvision:squeezenet1_1"


def test_a_name_makes_the_network_of_its_library():
    assert type(load_network("torchvision:squeezenet1_1", None)) is library("torchvision").models.SqueezeNet
    network = load_network("timm:test_resnet.r160_in1k", None)
    assert type(network) is library("timm").models.ResNet
    assert not network.training


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("path", [SMALL, "timm:test_resnet"])
def test_a_file_of_weights_is_loaded(tmp_path, path, name):
    weights = load_network(path, None).state_dict()
    if name.endswith("pth"):
        torch.save(weights, tmp_path / name)
    else:
        save_file(weights, tmp_path / name)
    loaded = load_network(path, tmp_path / name).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in weights.items())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("torchvision:resnet81", r"torchvision has no network 'resnet81' that classifies\. Did you mean 'resnet18'\?"),
        ("torchvision:fcn_resnet50", r"no network 'fcn_resnet50' that classifies\. Did you mean 'resnet50'"),
        ("torchvision:", r"torchvision has no network '' that classifies\. Possible: alexnet"),
        (
            "torchvision:resnet50.IMAGENET1K_V3",
            r"weights 'IMAGENET1K_V3' of resnet50\. Did you mean 'IMAGENET1K_V2'",
        ),
        ("timm:resnet18x", r"timm has no network 'resnet18x'\. Did you mean 'resnet18'"),
        ("timm:resnet18.tv", r"timm has no weights 'tv' of resnet18\. Did you mean 'resnet18.tv_in1k'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(path, message):
    with pytest.raises(ValueError, match=message):
        load_network(path, None)
    with pytest.raises(ValueError, match=message):
        zoo_preprocess(path)


@pytest.mark.parametrize("name", ["torchvision", "timm"])
def test_a_missing_library_is_named_with_the_remedy(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"`{name}:NAME` need {name}, .*`pip install 'geniex\[zoo\]'`"):
        load_network(f"{name}:resnet18", None)


def test_a_torchvision_of_another_build_of_torch_is_imported(monkeypatch):
    """Where its operators do not load, it fails to describe them to torch, and comes in once they have names."""
    tries, defined = [], []

    def importing(name):
        tries.append(name)
        if len(tries) == 1:
            raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(zoo.importlib, "import_module", importing)
    monkeypatch.setattr(zoo.torch.library, "define", lambda *what: defined.append(what[0]))
    zoo._import_torchvision()
    assert (tries, defined) == (["torchvision"] * 2, ["torchvision::nms", "torchvision::qnms"])


# Preparing images


def photo_folder(tmp_path, height, width):
    (tmp_path / "photos" / "a").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "a" / "1.png")
    return tmp_path / "photos"


def transform_of(path):
    """The library's own."""
    source, _, name = path.partition(":")
    if source == "torchvision":
        base, _, tag = name.partition(".")
        return library("torchvision").models.get_model_weights(base)[tag or "DEFAULT"].transforms()
    data = library("timm").data
    return data.create_transform(**data.resolve_model_data_config(library("timm").create_model(name)))


@pytest.mark.parametrize(
    "path",
    [
        "torchvision:resnet18",  # 256, then 224
        "torchvision:resnet50.IMAGENET1K_V2",  # 232, then 224
        "torchvision:efficientnet_b0",  # bicubic
        "timm:resnet18.tv_in1k",  # bilinear
        "timm:test_vit",  # bicubic, 0.95 of 160
        "timm:vit_tiny_patch16_224",  # another mean
    ],
)
@pytest.mark.parametrize(("height", "width"), [(331, 500), (411, 277)])
def test_photos_become_the_tensors_of_the_library(tmp_path, path, height, width):
    prepare, folder = zoo_preprocess(path), photo_folder(tmp_path, height, width)
    with Image.open(folder / "a" / "1.png") as photo:
        expected = transform_of(path)(photo)
    x = prepare(list_photos(folder).read(prepare).images)[0]
    torch.testing.assert_close(x, expected, rtol=FLOAT32, atol=FLOAT32)


def test_images_of_one_size_become_nearly_the_tensors_of_the_library():
    """Those of a file: bilinear without Pillow's roundings, of half a level after each direction."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    prepare = zoo_preprocess("torchvision:resnet18")
    expected = transform_of("torchvision:resnet18")(Image.fromarray(pixels))
    assert (prepare(pixels[None])[0] - expected).abs().max() < 1.01 / 255 / min(prepare.deviation)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "timm:convnextv2_huge",
            r"'timm:convnextv2_huge' are brought to size by 'squash', .* Say in `preprocess`",
        ),
        ("timm:dm_nfnet_f0", "'timm:dm_nfnet_f0' are brought to size by 'squash'"),
    ],
)
def test_what_a_resize_and_a_crop_cannot_do_is_refused(path, message):
    with pytest.raises(ValueError, match=message):
        zoo_preprocess(path)


def test_a_network_without_published_weights_has_the_usual_preparation():
    assert zoo_preprocess("timm:bat_resnext26ts").mean == (0.485, 0.456, 0.406)


# Downloads


def test_pretrained_weights_come_from_the_cache_of_the_library(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    weights = load_network(SMALL, None).state_dict()
    url = library("torchvision").models.SqueezeNet1_1_Weights.DEFAULT.url
    torch.save(weights, tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2])
    loaded = load_network(SMALL, "pretrained").state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in weights.items())


def test_a_failed_download_says_where_the_weights_are(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    with pytest.raises(OSError, match=r"'torchvision:squeezenet1_1' cannot be downloaded: URLError.*1_1-.*pth"):
        load_network(SMALL, "pretrained")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        OSError, match=r"cannot be downloaded: .* Get them from https://huggingface.co/timm/test_resnet"
    ):
        load_network("timm:test_resnet", "pretrained")


def test_the_word_is_a_file_for_networks_of_ones_own():
    with pytest.raises(FileNotFoundError, match="There is no weights file pretrained"):
        load_network("geniex.networks:resnet20_cifar100", "pretrained")

"""What commands work on: a configuration, a network and images, each the demo's where the user names none."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from geniex.cli.app import asset, progress_bars
from geniex.configuration import EvaluationConfig, read_config
from geniex.configuration.evaluation import PreprocessSection
from geniex.evaluation import LabelledImages, Photos, list_photos, load_images
from geniex.loading import PRETRAINED, load_network
from geniex.zoo import is_of_zoo, zoo_preprocess

__all__ = [
    "Config",
    "Data",
    "Network",
    "Weights",
    "chosen_config",
    "chosen_images",
    "chosen_network",
    "drawn_images",
    "weights_of",
]

EMBEDDED_NETWORK = "geniex.networks:resnet20_cifar100"

Config = Annotated[
    Path | None,
    typer.Option(help="TOML or YAML file; `geniex template evaluate` prints one. Left out: the demo's."),
]
Network = Annotated[
    str | None,
    typer.Option(
        help="torchvision:NAME, timm:NAME, or the Python path package.module:name of a network or its maker. "
        "Left out: the embedded ResNet-20."
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Its weights: safetensors, or a state dict saved by torch.save; `pretrained` has torchvision or timm "
        "download them."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="npz with images uint8 (n, h, w, 3) and labels int64 (n,), or a folder with one subfolder of images per "
        "class. Left out: the embedded images."
    ),
]


def chosen_config(path: Path | None, network: str | None = None) -> tuple[EvaluationConfig, Path]:
    """A configuration, and the folder that its file names are relative to.

    The embedded network, which is that of no name, has images prepared in its own way, if the file says nothing; so
    have those of torchvision and timm.
    """
    with asset("demo.toml") as config_file:
        own = read_config(config_file, EvaluationConfig)
    settings, folder = (own, Path()) if path is None else (read_config(path, EvaluationConfig), path.parent)
    if path is None or "preprocess" not in settings.model_fields_set:
        if network is None:
            settings = settings.model_copy(update={"preprocess": own.preprocess})
        elif is_of_zoo(network):
            preprocess = PreprocessSection(**vars(zoo_preprocess(network)))
            settings = settings.model_copy(update={"preprocess": preprocess})
    return settings, folder


def chosen_network(path: str | None, weights: Path | None) -> nn.Module:
    """A network with its weights.

    Raises:
        ValueError: if there are weights but no network, or they do not fit.
    """
    if path is not None:
        return load_network(path, weights)
    if weights is not None:
        raise ValueError("`--weights` needs `--network`: the embedded network brings its own.")
    with asset("resnet20_cifar100.safetensors") as own_weights:
        return load_network(EMBEDDED_NETWORK, own_weights)


def weights_of(name: str | None, folder: Path) -> Path | None:
    """Weights that a file in `folder` names: relative to it, but for the word `pretrained`."""
    if name is None:
        return None
    return Path(name) if name == PRETRAINED else folder / name


def chosen_images(path: Path | None) -> LabelledImages:
    """Images with their labels."""
    if path is not None:
        return load_images(path)
    with asset("cifar100_512.npz") as embedded:
        return dataclasses.replace(load_images(embedded), source="CIFAR-100 test images")


def drawn_images(
    path: Path | None, seed: int, count: int | None, preprocess: PreprocessSection | None = None
) -> LabelledImages:
    """`count` images drawn with `seed`, or all of them in that order.

    Args:
        path: an npz file, or a folder, of which only the drawn images are read.
        seed: of the draw.
        count: how many; None is all.
        preprocess: images of a folder are resized and cropped as it says when they are read.
    """
    if path is not None and path.is_dir():
        return _read(list_photos(path).drawn(seed, count), preprocess or PreprocessSection())
    images = chosen_images(path).shuffled(seed)
    return images if count is None else images.first(count)


def _read(photos: Photos, preprocess: PreprocessSection) -> LabelledImages:
    with progress_bars() as bars:
        task = bars.add_task("photos", total=len(photos), note="")
        return photos.read(preprocess.build(), lambda stage, done, total: bars.update(task, completed=done))

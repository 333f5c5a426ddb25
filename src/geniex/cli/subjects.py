"""What commands work on: a configuration, a network and images, each the demo's where the user names none."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from geniex.cli.app import asset
from geniex.configuration import EvaluationConfig, read_config
from geniex.evaluation import LabelledImages, load_images
from geniex.loading import load_network

__all__ = ["Config", "Data", "Network", "Weights", "chosen_config", "chosen_images", "chosen_network", "drawn_images"]

EMBEDDED_NETWORK = "geniex.networks:resnet20_cifar100"

Config = Annotated[
    Path | None,
    typer.Option(help="TOML or YAML file; `geniex template evaluate` prints one. Left out: the demo's."),
]
Network = Annotated[
    str | None,
    typer.Option(help="Python path `package.module:name` of a network or its maker. Left out: the embedded ResNet-20."),
]
Weights = Annotated[Path | None, typer.Option(help="Its weights: safetensors, or a state dict saved by torch.save.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="npz with images uint8 (n, h, w, 3) and labels int64 (n,); `geniex pack` makes one. "
        "Left out: the embedded images."
    ),
]


def chosen_config(path: Path | None, network: str | None = None) -> tuple[EvaluationConfig, Path]:
    """A configuration, and the folder that its file names are relative to.

    The embedded network, which is that of no name, has images prepared in its own way, if the file says nothing.
    """
    with asset("demo.toml") as config_file:
        own = read_config(config_file, EvaluationConfig)
    if path is None:
        return own, Path()
    settings = read_config(path, EvaluationConfig)
    if network is None and "preprocess" not in settings.model_fields_set:
        settings = settings.model_copy(update={"preprocess": own.preprocess})
    return settings, path.parent


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


def chosen_images(path: Path | None) -> LabelledImages:
    """Images with their labels."""
    if path is not None:
        return load_images(path)
    with asset("cifar100_512.npz") as embedded:
        return dataclasses.replace(load_images(embedded), source="CIFAR-100 test images")


def drawn_images(path: Path | None, seed: int, count: int | None) -> LabelledImages:
    """`count` images drawn with `seed`, or all of them in that order."""
    images = chosen_images(path).shuffled(seed)
    return images if count is None else images.first(count)

"""The networks of the study, each on one crossbar, and the files that hold a result per case."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from geniex.cli.subjects import chosen_network
from geniex.configuration import EvaluationConfig, read_config
from geniex.evaluation import LabelledImages, load_images
from geniex.files import replacing

__all__ = ["CASES", "HERE", "Case", "Subject", "chosen", "put", "read"]

HERE = Path(__file__).parent
SEED = 0  # of the order of the images: with it, the first 512 of CIFAR-100 are those of `geniex demo`


@dataclass(frozen=True)
class Subject:
    """What a case evaluates.

    Attributes:
        config: crossbar, digits, and what the network wants done to images.
        network: with its weights.
        images: in a random order, so that the first ones stand for all.
    """

    config: EvaluationConfig
    network: nn.Module
    images: LabelledImages

    def first(self, count: int) -> "Subject":
        """The same with the first `count` images."""
        return replace(self, images=self.images.first(count))


@dataclass(frozen=True)
class Case:
    """A row of pictures and tables.

    Attributes:
        title: for people.
        network: Python path of the network; None is the one that ships with geniex.
        images: the network's test images, a file of the data folder.
        piece: number of images after which results are written.
    """

    title: str
    network: str | None
    images: str
    piece: int

    def load(self, config: Path, data: Path) -> Subject:
        """Read a configuration, and the network and images from the folder that `studies.accuracy.data` writes."""
        weights = None if self.network is None else data / f"{self.network.split(':')[1]}.safetensors"
        images = load_images(data / self.images).shuffled(SEED)
        return Subject(read_config(config, EvaluationConfig), chosen_network(self.network, weights), images)


CASES: dict[str, Case] = {
    "nominal_v250": Case("ResNet-20, CIFAR-100, 0.25 V", None, "cifar100_test.npz", 200),
    "nominal_v500": Case("ResNet-20, CIFAR-100, 0.5 V", None, "cifar100_test.npz", 200),
    "squeezenet": Case(
        "SqueezeNet 1.1, ImageNet, 0.25 V", "geniex.networks:squeezenet1_1_imagenet", "imagenet_val1300.npz", 50
    ),
    "mobilenet": Case(
        "MobileNetV1 0.25, ImageNet, 0.25 V", "geniex.networks:mobilenet_v1_025_imagenet", "imagenet_val1300.npz", 50
    ),
}
"""By the name of their configuration."""


def chosen(names: list[str]) -> dict[str, Case]:
    """Cases by name; ValueError if there is none of a name."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise ValueError(f"Cases are some of {', '.join(CASES)}; got {', '.join(unknown)}.")
    return {name: CASES[name] for name in names}


def read(path: Path) -> dict[str, Any]:
    """Results by case; none where there is no file yet."""
    return json.loads(path.read_text()) if path.exists() else {}


def put(path: Path, name: str, result: dict[str, Any]) -> None:
    """Set the result of one case, and leave those of the others."""
    results = {**read(path), name: result}
    with replacing(path) as beside:
        beside.write_text(json.dumps(results, indent=1) + "\n")

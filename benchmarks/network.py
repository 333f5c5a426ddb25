"""Seconds per image of networks and layers on 64x64 crossbars, 16 bits in 4/4, and the memory of a large one.

ResNet-20 has the weights, the images and the crossbar of `geniex demo`; batches run in two threads, one each, as
`evaluate` runs them. Layers take one image at a time, whose pixels two threads share. `program` is what comes before:
crossbars are written, and one image is read. `published` are seconds of the simulator published with the paper
(PyTorch 1.5, two cores), of its ideal crossbars for `ideal` and of its network for `geniex` and `reduced`; `x` is how
many times ours they are. The peak of memory is that of a process of its own, which classifies one batch with SqueezeNet
1.1 on one thread.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks import memory
from benchmarks.timing import seconds
from geniex import CrossbarModel, RunOptions, convert
from geniex.cli.subjects import chosen_config, chosen_images, chosen_network
from geniex.evaluation.classification import Job, classify
from geniex.loading import load_models

__all__ = ["Size", "rows"]

THREADS = 2  # of batches; torch has one within each
MODELS = ("digital", "ideal", "linear", "reduced", "geniex", "circuit")
OF_LAYERS = ("ideal", "reduced", "geniex")
PUBLISHED_NETWORK = {"ideal": 1.7, "geniex": 16.0, "reduced": 16.0}
PUBLISHED_LAYERS = {(16, 32): (0.06, 0.90), (32, 16): (0.04, 0.74), (64, 8): (0.17, 0.92)}
"""Seconds on ideal crossbars and with the network, by channels and pixels of a side."""


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        images: classified under all models but `circuit`.
        exact_images: classified under `circuit`.
        models: under which the network is.
        layers: (channels, pixels of a side) of convolutions of 3x3.
        batch: images of one pass where memory is measured.
        pixels: of a side of these.
    """

    images: int = 32
    exact_images: int = 2
    models: tuple[str, ...] = MODELS
    layers: tuple[tuple[int, int], ...] = tuple(PUBLISHED_LAYERS)
    batch: int = 64
    pixels: int = 224


def rows(size: Size = Size()) -> Iterator[dict[str, Any]]:
    """One row per network or layer, and model."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in size.models:
            yield _network_row(name, size.exact_images if name == "circuit" else size.images)
        torch.set_num_threads(THREADS)
        for channels, pixels in size.layers:
            yield from _layer_rows(channels, pixels)
        for model in memory.MODELS:
            yield _row("SqueezeNet 1.1", model, size.batch) | memory.measured(model, size.batch, size.pixels)
    finally:
        torch.set_num_threads(before)


def _row(what: str, model: str, images: int) -> dict[str, Any]:
    columns = "program, s", "s per image", "published, s", "x", "peak, MiB"
    return {"what": what, "model": model, "images": images} | dict.fromkeys(columns, "")


@torch.no_grad()
def _network_row(name: str, count: int) -> dict[str, Any]:
    config, folder = chosen_config(None)
    model = load_models([name], config, folder)[name]
    network, images = chosen_network(None, None), chosen_images(None).first(count)
    options = RunOptions(prepare=config.preprocess.build(), batch=config.batch, threads=THREADS)
    took: float | str = ""
    if model is not None:
        network = convert(network, model, config.hardware())
        took = _seconds_once(network, options.prepare(images.first(1).images))
    options = dataclasses.replace(options, batch=min(options.batch, -(-count // THREADS)))
    job = Job(network, None, config.hardware(), options.seed)  # converted already
    _, per_image = classify(name, job, images, name, options)
    return _row("ResNet-20", name, count) | {"program, s": took} | _compared(per_image, PUBLISHED_NETWORK.get(name))


@torch.no_grad()
def _layer_rows(channels: int, pixels: int) -> Iterator[dict[str, Any]]:
    config, folder = chosen_config(None)
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels, 3, padding=1)
    x = torch.randn(1, channels, pixels, pixels).relu()
    published = PUBLISHED_LAYERS.get((channels, pixels))
    for name, model in load_models(list(OF_LAYERS), config, folder).items():
        assert isinstance(model, CrossbarModel)
        analog = convert(layer, model, config.hardware())
        took, wall = _seconds_once(analog, x), seconds(lambda analog=analog: analog(x))[0]
        row = _row(f"3x3, {channels} to {channels}, {pixels}x{pixels}", name, 1) | {"program, s": took}
        yield row | _compared(wall, published and published[name != "ideal"])


def _compared(per_image: float, published: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {"s per image": per_image}
    return found if published is None else found | {"published, s": published, "x": published / per_image}


def _seconds_once(network: nn.Module, x: torch.Tensor) -> float:
    began = time.perf_counter()
    network(x)
    return time.perf_counter() - began

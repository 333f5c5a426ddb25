"""Seconds of a forward and a backward pass of one 3x3 convolution, 16 to 16 channels on 16x16 pixels, 4 images.

CPU time on one thread; 64x64 crossbars, 16 bits in 4/4. `program` is what a step of an optimizer
makes necessary: the crossbars are written anew. Backward passes give gradients to inputs and weights.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.timing import seconds
from geniex import AnalogLayer, Circuit, CrossbarModel, Ideal, LinearCircuit, ReducedOrder, Sinh, convert, presets

__all__ = ["rows"]

IMAGES, CHANNELS, PIXELS = 4, 16, 16


def rows(shape: tuple[int, int, int] = (IMAGES, CHANNELS, PIXELS), repeats: int = 3) -> Iterator[dict[str, Any]]:
    """One row per model; `shape` is of images, channels, and pixels of a side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, channels, pixels = shape
    layer, x = nn.Conv2d(channels, channels, 3, padding=1), torch.randn(images, channels, pixels, pixels).relu()
    try:
        for name, model in _models().items():
            network = layer if model is None else convert(layer, model, presets.nominal_hardware())
            yield {"model": name, **_times(network, x, repeats)}
    finally:
        torch.set_num_threads(threads)


def _models() -> dict[str, CrossbarModel | None]:
    spec, cells = presets.nominal_crossbar(), Sinh(0.25)
    return {
        "digital": None,
        "Ideal": Ideal(),
        "LinearCircuit": LinearCircuit(spec),
        "ReducedOrder": ReducedOrder(spec, cells, torch.linspace(0, 0.25, 16)),
        "Geniex": presets.emulator("nominal_64x64_v250"),
        "Circuit": Circuit(spec, cells),
    }


def _times(network: nn.Module, x: Tensor, repeats: int) -> dict[str, float]:
    with torch.no_grad():
        forward = seconds(lambda: network(x), repeats)[1]
        anew = seconds(lambda: _written_anew(network)(x), repeats)[1] if isinstance(network, AnalogLayer) else forward
    x = x.clone().requires_grad_()
    y, sources = network(x), (x, *network.parameters())
    backward = seconds(lambda: torch.autograd.grad(y, sources, torch.ones_like(y), retain_graph=True), repeats)[1]
    named = {"program, s": max(anew - forward, 0.0), "forward, s": forward, "backward, s": backward}
    return named | {"backward / forward": backward / forward}


def _written_anew(network: AnalogLayer) -> nn.Module:
    network.crossbars.forget()
    return network

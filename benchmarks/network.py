"""Seconds per image of ResNet-20 on 64x64 crossbars, 16 bits in 4/4, ADC of 14 bits, after programming."""

import time
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.timing import seconds
from geniex import Ideal, LinearCircuit, convert, presets
from geniex.networks import resnet20_cifar100

IMAGES = 32


def rows() -> Iterator[dict[str, Any]]:
    """One row per model; random weights and images make every stream busy."""
    torch.manual_seed(0)
    network, x = resnet20_cifar100().eval(), torch.randn(IMAGES, 3, 32, 32)
    models = [Ideal(), LinearCircuit(presets.nominal_crossbar()), presets.emulator("nominal_64x64_v250")]
    for model in models:
        analog = convert(network, model, presets.nominal_hardware())
        began = time.perf_counter()
        with torch.no_grad():
            analog(x[:1])
            programmed = time.perf_counter() - began
            wall, _ = seconds(lambda analog=analog: analog(x), repeats=2)
        yield {"model": type(model).__name__, "program and 1 image, s": programmed, "s per image": wall / IMAGES}

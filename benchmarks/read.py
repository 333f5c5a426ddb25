"""Programming and reading of 64x64 crossbars under each model, in float32: 64 crossbars, 256 inputs each."""

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.timing import seconds
from geniex import Circuit, Ideal, LinearCircuit, Sinh, presets

CROSSBARS, INPUTS = 64, 256


def rows() -> Iterator[dict[str, Any]]:
    """One row per model."""
    spec = presets.nominal_crossbar()
    generator = torch.Generator().manual_seed(0)
    v = 0.25 * torch.rand(CROSSBARS, INPUTS, 64, generator=generator)
    g = 1e-5 * (1 / 6 + 5 / 6 * torch.rand(CROSSBARS, 64, 64, generator=generator))
    models = [Ideal(), LinearCircuit(spec), presets.emulator("nominal_64x64_v250"), Circuit(spec, Sinh())]
    for model in models:
        inputs = v if not isinstance(model, Circuit) else v[:, :4]
        read = model.program(g)
        yield {
            "model": type(model).__name__,
            "program, ms per crossbar": 1e3 * seconds(lambda model=model: model.program(g), repeats=3)[0] / CROSSBARS,
            "read, us per input": 1e6
            * seconds(lambda read=read, inputs=inputs: read(inputs), repeats=3)[0]
            / inputs[..., 0].numel(),
        }

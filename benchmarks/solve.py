"""Milliseconds per solve of the exact circuit, in batches of 128 crossbars with one input each."""

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.timing import seconds
from geniex import Circuit, Ohmic, Sinh, presets

CIRCUITS = 128


def rows() -> Iterator[dict[str, Any]]:
    """One row per size, cell, voltage and precision."""
    for size in (16, 32, 64, 128):
        for cells, v_max in ((Ohmic(), 0.25), (Sinh(), 0.25), (Sinh(), 0.5)):
            for dtype, rtol in ((torch.float64, 1e-8), (torch.float32, None)):
                generator = torch.Generator().manual_seed(0)
                v = v_max * torch.rand(CIRCUITS, 1, size, generator=generator, dtype=dtype)
                g = 1e-5 * (1 / 6 + 5 / 6 * torch.rand(CIRCUITS, size, size, generator=generator, dtype=dtype))
                circuit = Circuit(presets.nominal_crossbar(size, size), cells, rtol)
                wall, cpu = seconds(lambda circuit=circuit, v=v, g=g: circuit(v, g), repeats=3)
                yield {
                    "size": size,
                    "cells": type(cells).__name__,
                    "volt": v_max,
                    "dtype": str(dtype).removeprefix("torch."),
                    "wall ms": 1e3 * wall / CIRCUITS,
                    "CPU ms": 1e3 * cpu / CIRCUITS,
                }

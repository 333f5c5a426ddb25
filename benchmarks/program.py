"""Seconds until 1000 crossbars of 64x64 are programmed and a first input of each is read, in float32."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator

from geniex import LinearCircuit, ReducedOrder, Sinh, presets
from geniex.window import Window

__all__ = ["rows"]

CROSSBARS, THREADS = 1000, (1, 2)


def rows(crossbars: int = CROSSBARS) -> Iterator[dict[str, Any]]:
    """One row per model and number of threads."""
    window, spec, before = Window(v_max=0.25), presets.nominal_crossbar(), torch.get_num_threads()
    levels = torch.randint(0, 2**window.g_bits, (crossbars, 64, 64), generator=Generator().manual_seed(0))
    g, v = window.conductances(levels, torch.float32), torch.full((1, 64), window.v_max)
    models = LinearCircuit(spec), ReducedOrder(spec, Sinh(0.25), window.every_voltage())
    try:
        for model, threads in itertools.product(models, THREADS):
            torch.set_num_threads(threads)
            model(v, g[:2])  # compiles
            wall, cpu = time.perf_counter(), time.process_time()
            model(v, g)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            named = {"model": type(model).__name__, "threads": threads, "crossbars": crossbars}
            yield named | {"wall, s": wall, "CPU, s": cpu}
    finally:
        torch.set_num_threads(before)

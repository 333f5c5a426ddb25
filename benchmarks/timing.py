"""How a time is taken: the median of several runs after one that warms up, in wall and CPU seconds."""

import math
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import torch

SHORTEST = 0.02  # seconds of CPU that one reading of the clock spans where times are compared


def seconds(run: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Median wall and CPU seconds of `run`."""
    run()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def beside(run: Callable[[], object], other: Callable[[], object], repeats: int = 9) -> tuple[float, float]:
    """CPU seconds of `run`, and how many times those of `other` they are; medians.

    Each run stands between two of `other`, so that a machine that slows down slows both.
    """
    times, ratios = [], []
    counts = [_count(what) for what in (run, other)]
    before = _cpu_seconds(other, counts[1])
    for _ in range(repeats):
        times.append(_cpu_seconds(run, counts[0]))
        after = _cpu_seconds(other, counts[1])
        ratios.append(2 * times[-1] / (before + after))
        before = after
    return statistics.median(times), statistics.median(ratios)


def _count(run: Callable[[], object]) -> int:
    """How often to run for `SHORTEST` seconds."""
    run()
    return max(1, math.ceil(SHORTEST / max(_cpu_seconds(run, 1), 1e-6)))


def _cpu_seconds(run: Callable[[], object], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - began) / count


def machine() -> dict[str, Any]:
    """What a result was taken on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
    }

"""How a time is taken: the median of several runs after one that warms up, in wall and CPU seconds."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import torch


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


def machine() -> dict[str, Any]:
    """What a result was taken on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
    }

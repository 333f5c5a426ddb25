"""Peak memory of SqueezeNet 1.1 on one batch, alone in its process: `python -m benchmarks.memory ideal 64 224`.

It prints the peak in MiB, and the seconds per image on one thread. Weights and images are random, which makes every
stream busy.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
import typer

from geniex import Ideal, convert, presets
from geniex.networks import squeezenet1_1_imagenet

__all__ = ["MODELS", "main", "measured"]

MODELS = ("digital", "ideal")


def measured(model: str, batch: int, pixels: int) -> dict[str, float]:
    """What a process of its own prints."""
    command = [sys.executable, "-m", "benchmarks.memory", model, str(batch), str(pixels)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    peak, per_image = done.stdout.split()
    return {"peak, MiB": float(peak), "s per image": float(per_image)}


def main(model: str, batch: int, pixels: int) -> None:
    """Classify one batch of square images, digital or on ideal crossbars."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, x = squeezenet1_1_imagenet().eval(), torch.randn(batch, 3, pixels, pixels)
    if model != "digital":
        network = convert(network, {"ideal": Ideal()}[model], presets.nominal_hardware())
    with torch.no_grad():
        began = time.perf_counter()
        network(x)
    print(_peak(), (time.perf_counter() - began) / batch)


def _peak() -> float:
    """MiB of this process. On Linux `ru_maxrss` would count the process that started it, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    typer.run(main)

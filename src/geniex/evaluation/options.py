"""How an evaluation is done: batches, chips, the comparison with the exact circuit, what is kept, what is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from geniex.chip import Chip
from geniex.cluster import Cluster
from geniex.energy import Costs
from geniex.evaluation.images import Preprocess
from geniex.models.circuit import Circuit

__all__ = ["DEFAULTS", "Progress", "RunOptions"]

Progress = Callable[[str, int, int], None]
"""Called with a stage (a model's name, or what else goes on), the images done, and their total."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is done; what it computes is in the arguments of `evaluate`.

    Attributes:
        prepare: from uint8 images (image, height, width, 3) to the network's input.
        batch: largest number of images per forward pass.
        threads: batches classified at a time, each on its share of torch's threads; None is one batch per thread.
            Where reads draw random numbers, there is one batch at a time.
        chips: how many chips of a model that draws are written and measured; others are all alike, and measured once.
        chip: written before: all models read this one, and write none of their own.
        exact: the exact circuit that all models are compared with, on crossbars as the first model with effects of
            writing writes them, or as they are on `chip`; None leaves the comparison out.
        reads: number of reads of the run on which they are compared.
        read_images: number of images, the first ones of the run, from which these reads are drawn.
        costs: of operations and parts, for the energy of the run; None leaves energy out.
        energy_images: number of images, the first ones of the run, whose reads are measured.
        seed: of the sampled reads, and of what the chips draw: chip k has `seed` + k, from k = 0.
        cluster: classifies, and compares models with the exact circuit, in place of this process; results are the same.
        folder: where results of single batches are kept, so that a killed run continues; None keeps nothing.
        progress: told how far the run is.
    """

    prepare: Callable[[np.ndarray], Tensor] = field(default_factory=Preprocess)
    batch: int = 16
    threads: int | None = None
    chips: int = 1
    chip: Chip | None = None
    exact: Circuit | None = None
    reads: int = 1024
    read_images: int = 4
    costs: Costs | None = None
    energy_images: int = 1
    seed: int = 0
    cluster: Cluster | None = None
    folder: Path | None = None
    progress: Progress = lambda stage, done, total: None

    def __post_init__(self) -> None:
        for name in ("batch", "threads", "chips", "reads", "read_images", "energy_images"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"`{name}` must be at least 1; got {count}.")


DEFAULTS = RunOptions()

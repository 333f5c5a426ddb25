"""Where training takes its batches from: fresh solves without end, or a dataset; both a little ahead of its steps."""

import dataclasses
import itertools
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from geniex.devices.description import describe_device
from geniex.emulation.dataset import Dataset
from geniex.emulation.manifest import differences_from
from geniex.emulation.samples import Samples, joined, solve_samples
from geniex.emulation.sampling import DigitSampling, describe_sampling, generator_of
from geniex.models.circuit import Circuit
from geniex.threads import in_order
from geniex.window import Window

__all__ = ["FreshSamples", "SampleSource", "StoredSamples"]

AHEAD = 3  # batches per thread, solved or being solved
CROSSBARS_SHUFFLED = 8192  # read and shuffled at once: 34 MB of levels at 64x64


@runtime_checkable
class SampleSource(Protocol):
    """Batches of solved samples, the same for the same seed."""

    def batches(self, size: int, seed: int, first: int) -> Generator[Samples, None, None]:
        """Batches number `first`, `first` + 1 ... of `size` crossbars each, without end."""
        ...

    def describe(self) -> str:
        """What it is, for the card."""
        ...


@dataclass(frozen=True)
class FreshSamples:
    """Crossbars drawn and solved for each batch, in float32: its 2e-6 is far below what a network resolves.

    Attributes:
        circuit: the exact model.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        inputs: inputs per crossbar.
        threads: that solve; None is the number of torch's.
    """

    circuit: Circuit
    sampling: DigitSampling
    window: Window
    inputs: int
    threads: int | None = None

    def batches(self, size: int, seed: int, first: int) -> Generator[Samples, None, None]:
        """See `SampleSource.batches`; batch k depends on `seed` and k alone, not on the number of threads."""
        threads = self.threads or torch.get_num_threads()
        return in_order(itertools.count(first), lambda batch: self._solve(size, seed, batch), threads, AHEAD * threads)

    def describe(self) -> str:
        """See `SampleSource.describe`."""
        return "fresh samples, each seen once"

    def _solve(self, size: int, seed: int, batch: int) -> Samples:
        shape = (size, self.inputs)
        generator = generator_of(seed, "batch", batch)
        return solve_samples(self.circuit, self.sampling, self.window, shape, generator, dtype=torch.float32)


@dataclass(frozen=True)
class StoredSamples:
    """The crossbars of a dataset, in another order each time they have all been seen.

    Shards come in random order, and crossbars are shuffled within some shards at a time: memory stays small however
    large the dataset is, and since all shards are drawn alike, no batch is less random for it.

    Attributes:
        dataset: a finished one; see `open_dataset`.
        circuit: that it must have been solved with.
        sampling: that its digits must have been drawn with.
        window: that they must have.
    """

    dataset: Dataset
    circuit: Circuit
    sampling: DigitSampling
    window: Window

    def __post_init__(self) -> None:
        solver = self.circuit.solver
        wanted: dict[str, Any] = {
            "spec": dataclasses.asdict(solver.spec),
            "device": describe_device(solver.device),
            "window": dataclasses.asdict(self.window),
            "sampling": describe_sampling(self.sampling),
        }
        different = differences_from(self.dataset.manifest, wanted)
        if different:
            raise ValueError(
                f"The dataset {self.dataset.folder} was made for something else: {different}. Make one for this "
                "configuration with `geniex dataset`, or give the configuration that it was made with."
            )

    def batches(self, size: int, seed: int, first: int) -> Generator[Samples, None, None]:
        """See `SampleSource.batches`; batch k is crossbars k `size` to (k + 1) `size` of an endless shuffled row."""
        left: list[Samples] = []
        with closing(in_order(self._groups(seed, first * size), self._read, 1, 1)) as groups:
            for group in groups:
                row = joined([*left, group])
                whole = len(row) // size * size
                for start in range(0, whole, size):
                    yield row[start : start + size]
                left = [row[whole:]]

    def describe(self) -> str:
        """See `SampleSource.describe`."""
        return self.dataset.describe()

    def _groups(self, seed: int, skip: int) -> Iterator["_Group"]:
        """What is read at once, from crossbar number `skip` of the row on."""
        manifest = self.dataset.manifest
        at_once = max(1, CROSSBARS_SHUFFLED // manifest.recipe.crossbars_per_shard)
        first, skip = divmod(skip, manifest.recipe.crossbars)
        for epoch in itertools.count(first):
            order = torch.randperm(manifest.shards, generator=generator_of(seed, "epoch", epoch)).tolist()
            for start in range(0, len(order), at_once):
                shards = order[start : start + at_once]
                count = sum(map(manifest.crossbars_in, shards))
                if skip < count:
                    yield _Group(shards, generator_of(seed, "epoch", epoch, start), skip)
                skip = max(0, skip - count)

    def _read(self, group: "_Group") -> Samples:
        samples = joined([self.dataset.samples(shard) for shard in group.shards])
        return samples[torch.randperm(len(samples), generator=group.order)[group.skip :]]


@dataclass(frozen=True)
class _Group:
    """Shards that are shuffled together.

    Attributes:
        shards: their numbers.
        order: source of the order of their crossbars.
        skip: how many of these, in that order, have been seen.
    """

    shards: list[int]
    order: torch.Generator
    skip: int

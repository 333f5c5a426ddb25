"""Where training takes its batches from: fresh solves without end, made ahead of the step that needs them."""

import itertools
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from geniex.emulation.dataset import Samples, solve_samples
from geniex.emulation.sampling import DigitSampling, generator_of
from geniex.models.circuit import Circuit
from geniex.window import Window

__all__ = ["FreshSamples", "SampleSource"]

AHEAD = 3  # batches per thread, solved or being solved


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
        total = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, "solve", torch.set_num_threads, (1,))
        coming: deque[Future[Samples]] = deque()
        try:
            for batch in itertools.count(first):
                coming.append(pool.submit(self._solve, size, seed, batch))
                if len(coming) > AHEAD * threads:
                    yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(total)

    def describe(self) -> str:
        """See `SampleSource.describe`."""
        return "fresh samples, each seen once"

    def _solve(self, size: int, seed: int, batch: int) -> Samples:
        shape = (size, self.inputs)
        generator = generator_of(seed, "batch", batch)
        return solve_samples(self.circuit, self.sampling, self.window, shape, generator, dtype=torch.float32)

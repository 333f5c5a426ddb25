"""What a network says of images, batch by batch: stored, or computed now, in threads or by a cluster.

Which images a batch has depends on its size alone, and what its reads draw on its images alone: results are the same
however the work is shared out.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from geniex.chip import Chip
from geniex.cluster import Cluster, ClusterLost
from geniex.conversion import LayerConfig
from geniex.evaluation.chips import generators_of_reads, installed, written
from geniex.evaluation.images import LabelledImages
from geniex.evaluation.options import DEFAULTS, RunOptions
from geniex.evaluation.store import BatchStore, fingerprint
from geniex.functional import HardwareConfig
from geniex.models.base import CrossbarModel
from geniex.models.randomness import reseed, seed_each

__all__ = ["Job", "classify", "prepared"]

Classified = tuple[np.ndarray, float]
"""Predicted classes, and seconds."""

BATCHES_PER_PART = 4  # of what a cluster is given at a time
MAKING, DRAWING = threading.Lock(), threading.Lock()  # of networks; of batches whose reads draw: one at a time


@dataclass(frozen=True)
class Job:
    """A network that classifies, as a value that another machine can make it from.

    Attributes:
        network: digital.
        model: of the crossbar; None is the digital network.
        config: of its layers.
        seed: of the chip that is written, and with the images of a batch of what reads draw.
        chip: written before; None writes one.
    """

    network: nn.Module
    model: CrossbarModel | None
    config: HardwareConfig | LayerConfig
    seed: int
    chip: Chip | None = None

    @cached_property
    def classifier(self) -> nn.Module:
        """The network, made when it is first needed."""
        if self.model is None:
            return self.network
        if self.chip is None:
            return written(self.network, self.model, self.config, self.seed)
        network = installed(self.network, self.model, self.config, self.chip)
        reseed(self.model.after_writing, self.seed)
        return network


def classify(name: str, job: Job, images: LabelledImages, key: str, options: RunOptions) -> tuple[np.ndarray, float]:
    """Predicted classes, and seconds per image.

    Args:
        name: told with the progress.
        job: the network.
        images: to classify.
        key: what the results of batches are filed under, with the images.
        options: size of batches, folder, cluster.
    """
    store = BatchStore(options.folder)
    batches = list(_batches(images, options.batch))
    keys = [fingerprint(key, prepared(job.network, batch, options)) for batch in batches]
    found = {place: stored for place, each in enumerate(keys) if (stored := store.get(each)) is not None}
    missing = [place for place in range(len(batches)) if place not in found]
    options.progress(name, sum(len(batches[place]) for place in found), len(images))
    threads = 1 if options.cluster is not None else _threads(job, len(missing), options)
    computed = _here(job, threads, options) if options.cluster is None else _by_cluster(job, options.cluster, options)
    for place, classified in computed([batches[place] for place in missing]):
        store.put(keys[missing[place]], *classified)
        found[missing[place]] = classified
        options.progress(name, sum(len(predicted) for predicted, _ in found.values()), len(images))
    ordered = [found[place] for place in range(len(batches))]
    seconds = sum(spent for _, spent in ordered) / threads
    return np.concatenate([predicted for predicted, _ in ordered]), seconds / len(images)


def prepared(network: nn.Module, images: LabelledImages, options: RunOptions) -> Tensor:
    """Prepared images on the device and in the precision of the network's weights."""
    x = options.prepare(images.images)
    return next((x.to(weight) for weight in network.parameters() if weight.is_floating_point()), x)


Compute = Callable[[Sequence[LabelledImages]], Iterator[tuple[int, Classified]]]
"""Classifies batches, and yields the place of each with what was found, as they come."""


def _threads(job: Job, batches: int, options: RunOptions) -> int:
    """Batches at a time: one where reads draw from generators that networks share, or on a GPU."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in job.network.parameters())
    if not batches or not on_cpu or generators_of_reads(job.classifier):
        return 1
    return min(options.threads or torch.get_num_threads(), batches)


def _here(job: Job, threads: int, options: RunOptions) -> Compute:
    def compute(batches: Sequence[LabelledImages]) -> Iterator[tuple[int, Classified]]:
        if batches:
            with _workers(threads) as pool:
                yield from enumerate(
                    pool.map(lambda batch: _classified(job.classifier, batch, job.seed, options), batches)
                )

    return compute


def _by_cluster(job: Job, cluster: Cluster, options: RunOptions) -> Compute:
    """Some batches at a time; the network is sent once, and made where it is needed."""
    plain = replace(DEFAULTS, prepare=options.prepare, batch=options.batch)

    def compute(batches: Sequence[LabelledImages]) -> Iterator[tuple[int, Classified]]:
        starts = range(0, len(batches), BATCHES_PER_PART)
        parts = [(plain, batches[start : start + BATCHES_PER_PART]) for start in starts]
        failed: dict[int, Exception] = {}
        for number, future in cluster.finished(_classified_part, job, parts):
            try:
                found = cluster.result(future)
            except ClusterLost:
                raise
            except Exception as error:  # the network is the user's: it can raise anything
                failed[number] = error
                continue
            yield from enumerate(found, start=starts[number])
        if failed:
            raise failed[min(failed)]  # of the first batch that fails, as without a cluster

    return compute


def _classified_part(job: Job, part: tuple[RunOptions, Sequence[LabelledImages]]) -> list[Classified]:
    """On a worker, which keeps the network for as long as there are batches for it."""
    options, batches = part
    with MAKING:
        network = job.classifier
    with DRAWING if generators_of_reads(network) else nullcontext():
        return [_classified(network, batch, job.seed, options) for batch in batches]


@torch.no_grad()
def _classified(network: nn.Module, batch: LabelledImages, seed: int, options: RunOptions) -> Classified:
    x = prepared(network, batch, options)
    # what a batch draws does not depend on those before it
    seed_each(generators_of_reads(network), int(fingerprint(seed, x)[:8], 16))
    began = time.perf_counter()
    predicted = network(x).argmax(-1).cpu().numpy()
    return predicted, time.perf_counter() - began


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that share torch's own among them: small operations lose more by waiting than they gain from two."""
    total = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(max(1, total // threads),))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(total)


def _batches(images: LabelledImages, size: int) -> Iterator[LabelledImages]:
    for start in range(0, len(images), size):
        yield LabelledImages(images.images[start : start + size], images.labels[start : start + size], images.source)

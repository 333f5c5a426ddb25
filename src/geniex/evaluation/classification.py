"""What a network says of images, batch by batch: stored, or computed now, in threads where that changes nothing."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from geniex.evaluation.chips import generators_of_reads
from geniex.evaluation.images import LabelledImages
from geniex.evaluation.options import RunOptions
from geniex.evaluation.store import BatchStore, fingerprint
from geniex.models.randomness import seed_each

__all__ = ["classify", "prepared"]


def classify(
    name: str, network: nn.Module, images: LabelledImages, key: str, options: RunOptions
) -> tuple[np.ndarray, float]:
    """Predicted classes, and seconds per image.

    Args:
        name: told with the progress.
        network: converted or not.
        images: to classify.
        key: what the results of batches are filed under, with the images.
        options: size of batches, folder; its seed decides with the images of a batch what their reads draw.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    alone = not on_cpu or generators_of_reads(network)
    threads = 1 if alone else options.threads or torch.get_num_threads()
    batches = list(_batches(images, min(options.batch, math.ceil(len(images) / threads))))
    threads, parts, seconds = min(threads, len(batches)), [], 0.0
    options.progress(name, 0, len(images))
    with _workers(threads) as pool:
        for predicted, spent in pool.map(lambda batch: _classify_batch(network, batch, key, options), batches):
            parts.append(predicted)
            seconds += spent / threads
            options.progress(name, sum(map(len, parts)), len(images))
    return np.concatenate(parts), seconds / len(images)


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


@torch.no_grad()
def _classify_batch(
    network: nn.Module, batch: LabelledImages, key: str, options: RunOptions
) -> tuple[np.ndarray, float]:
    """Predicted classes and seconds, stored or computed now."""
    store, x = BatchStore(options.folder), prepared(network, batch, options)
    batch_key = fingerprint(key, x)
    stored = store.get(batch_key)
    if stored is None:
        # what a batch draws does not depend on those before it
        seed_each(generators_of_reads(network), int(fingerprint(options.seed, x)[:8], 16))
        began = time.perf_counter()
        stored = network(x).argmax(-1).cpu().numpy(), time.perf_counter() - began
        store.put(batch_key, *stored)
    return stored


def prepared(network: nn.Module, images: LabelledImages, options: RunOptions) -> Tensor:
    """Prepared images on the device and in the precision of the network's weights."""
    x = options.prepare(images.images)
    return next((x.to(weight) for weight in network.parameters() if weight.is_floating_point()), x)


def _batches(images: LabelledImages, size: int) -> Iterator[LabelledImages]:
    for start in range(0, len(images), size):
        yield LabelledImages(images.images[start : start + size], images.labels[start : start + size], images.source)

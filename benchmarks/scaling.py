"""A Dask cluster on this machine: images per second against workers, parts per second, what the client does alone.

`ResNet-20` is that of `geniex demo` on ideal 64x64 crossbars; 0 workers is this process, on one thread as workers are.
`parts of no work` hold the images of a part, and nothing is done with them: what client and scheduler can hand out. `a
point, all stored` is what the client does for a point of a study whoever computes: checks, digests, looking up batches.
CPU seconds `here` are those of client and scheduler, which share this process.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from geniex import RunOptions, evaluate
from geniex.cli.subjects import chosen_config, chosen_images, chosen_network
from geniex.cluster import Cluster
from geniex.evaluation.store import BatchStore
from geniex.loading import load_models

__all__ = ["Size", "rows"]

PIXELS = (64, 32, 32, 3)  # of the images of a part


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        images: that are classified.
        batch: images of a batch; a part has four of these.
        parts: of no work.
        stored: images of the point that is stored, in whole batches.
        models: of that point.
        workers: numbers of processes, one after another.
    """

    images: int = 256
    batch: int = 4
    parts: int = 500
    stored: int = 512
    models: tuple[str, ...] = ("digital", "ideal", "linear", "geniex", "reduced")
    workers: tuple[int, ...] = (1, 2)


def rows(size: Size = Size()) -> Iterator[dict[str, Any]]:
    """One row per task and number of workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield _row("ResNet-20, images", size.images, lambda: _classify(size, None))
        for workers in size.workers:
            with _local(workers) as cluster:
                _classify(replace(size, images=8 * workers * size.batch), cluster)  # every worker has compiled
                yield _row("ResNet-20, images", size.images, lambda cluster=cluster: _classify(size, cluster), cluster)
                yield _row("parts of no work", size.parts, lambda cluster=cluster: _hand_out(size, cluster), cluster)
        with tempfile.TemporaryDirectory() as folder:
            yield _row("a point, all stored", 1, lambda: _evaluate_stored(size, Path(folder)))
    finally:
        torch.set_num_threads(before)


@contextmanager
def _local(workers: int) -> Iterator[Cluster]:
    """A cluster of processes of one thread."""
    import distributed

    running: Any = distributed.LocalCluster(  # which declares its attributes as coroutines
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    )
    with running, closing(Cluster(running.scheduler_address)) as cluster:
        yield cluster


def _row(what: str, count: int, run: Callable[[], object], cluster: Cluster | None = None) -> dict[str, Any]:
    there, here, began = _cpu_seconds(cluster), time.process_time(), time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    return {
        "what": what,
        "workers": 0 if cluster is None else cluster.threads,
        "count": count,
        "s": seconds,
        "per s": count / seconds,
        "CPU here, s": time.process_time() - here,
        "CPU of workers, s": _cpu_seconds(cluster) - there,
    }


def _cpu_seconds(cluster: Cluster | None) -> float:
    return 0.0 if cluster is None else sum(cluster.client.run(time.process_time).values())


def _classify(size: Size, cluster: Cluster | None) -> None:
    config, folder = chosen_config(None)
    options = RunOptions(prepare=config.preprocess.build(), batch=size.batch, threads=1, cluster=cluster)
    images = chosen_images(None).first(size.images)
    evaluate(chosen_network(None, None), images, load_models(["ideal"], config, folder), config.hardware(), options)


def _hand_out(size: Size, cluster: Cluster) -> None:
    images = np.zeros(PIXELS, dtype=np.uint8)
    for _, future in cluster.finished(_nothing, None, [images] * size.parts):
        cluster.result(future)


def _nothing(shared: None, part: np.ndarray) -> int:
    return len(part)


def _evaluate_stored(size: Size, folder: Path) -> None:
    """Every batch is read from a file, which is the same one here: what it says does not matter."""
    config, own = chosen_config(None)
    options = RunOptions(prepare=config.preprocess.build(), batch=config.batch, folder=folder)
    images, models = chosen_images(None).first(size.stored), load_models(list(size.models), config, own)
    BatchStore(folder).put("any", np.zeros(config.batch, dtype=np.int64), 0.0)
    get = BatchStore.get
    with patch.object(BatchStore, "get", lambda store, key: get(store, "any")):
        evaluate(chosen_network(None, None), images, models, config.hardware(), options)

"""Shards solved by a Dask cluster. Its workers send them here; they need geniex, and no disk in common.

Dask need not be installed, and it declares every method as a coroutine too: its objects have the type `Any` here.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from importlib.metadata import version
from typing import Any

import torch

from geniex.emulation.manifest import DatasetPlan
from geniex.emulation.shards import make_shard, problem

__all__ = ["solve_on_cluster"]

SECONDS_TO_CONNECT = 10
SECONDS_TO_CLOSE = 3
SECONDS_TO_WAIT = 5  # for a shard, before looking whether there is any worker
AGAIN = "Whole shards stay; the same command goes on where it was."
PER_THREAD = 2  # shards in flight: one being solved, one ready to be


def solve_on_cluster(
    plan: DatasetPlan, shards: Sequence[int], address: str, say: Callable[[str], None]
) -> Generator[tuple[int, bytes], None, None]:
    """Number and file of each shard, as they come. Of a worker that is lost, others redo what it held.

    Args:
        plan: of the dataset.
        shards: numbers of the shards to solve.
        address: `tcp://host:port` of the cluster's scheduler.
        say: told when there is no worker.

    Raises:
        ValueError: if Dask is not installed, or this is no address.
        RuntimeError: if the scheduler cannot be reached or goes away, or a shard fails.
    """
    client = _connect(address)
    digest = plan.manifest().digest()
    try:
        for shard, future in _finished(client, plan, shards, say):
            content = _result(future, shard, address)
            found = problem(content, digest, shard)
            if found:
                raise RuntimeError(
                    f"A worker of {address} made another shard {shard} than this machine would: {found} "
                    f"Install the same versions on both; here are geniex {version('geniex')}, torch {version('torch')}."
                )
            yield shard, content
    except (OSError, CancelledError) as error:
        raise RuntimeError(f"The scheduler {address} went away ({type(error).__name__}). {AGAIN}") from error
    finally:
        client.close(timeout=SECONDS_TO_CLOSE)


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ValueError("A Dask cluster needs Dask: pip install 'geniex[dask]'.") from error
    try:
        return distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except OSError as error:
        raise RuntimeError(f"The scheduler {address} cannot be reached: {error}. Is it running there?") from error
    except ValueError as error:
        raise ValueError(f"A scheduler is named as tcp://host:port; got {address!r}: {error}.") from error


def _finished(
    client: Any, plan: DatasetPlan, shards: Sequence[int], say: Callable[[str], None]
) -> Generator[tuple[int, Any], None, None]:
    """Every shard when it is done or has failed; only so many are in flight as keep all workers busy."""
    from distributed import wait

    shared = client.submit(_itself, plan, pure=False)  # once to the cluster, and found again if its holder is lost
    waiting, running, idle = deque(shards), {}, False
    while waiting or running:
        threads = sum(client.nthreads().values())
        if not threads and not idle:
            say("The cluster has no worker; waiting for one.")
        idle = not threads
        while waiting and len(running) < PER_THREAD * max(1, threads):
            shard = waiting.popleft()
            running[client.submit(_make_shard, shared, shard, pure=False)] = shard
        try:
            with client.as_current():
                finished: Any = wait(list(running), timeout=SECONDS_TO_WAIT, return_when="FIRST_COMPLETED")
        except TimeoutError:
            continue
        for future in finished.done:
            yield running.pop(future), future


def _itself(plan: DatasetPlan) -> DatasetPlan:
    return plan


def _make_shard(plan: DatasetPlan, shard: int) -> bytes:
    """On a worker: its threads solve a shard each, on one of torch's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return make_shard(plan, shard)
    finally:
        torch.set_num_threads(threads)  # the thread is Dask's


def _result(future: Any, shard: int, address: str) -> bytes:
    if future.status == "error":
        error = future.exception()
        raise RuntimeError(
            f"Shard {shard} failed on the cluster {address} ({type(error).__name__}: {error}). "
            f"Its workers need geniex {version('geniex')} and memory for a shard. {AGAIN}"
        ) from error
    return future.result()

"""Shards solved by a Dask cluster."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

from geniex.cluster import Cluster, ClusterLost, versions
from geniex.emulation.manifest import DatasetPlan
from geniex.emulation.shards import make_shard, problem

__all__ = ["solve_on_cluster"]

AGAIN = "Whole shards stay; the same command goes on where it was."


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
        ValueError: if Dask is not installed, this is no address, or workers have other versions.
        ClusterLost: if the scheduler cannot be reached or goes away.
        RuntimeError: if a shard fails.
    """
    digest = plan.manifest().digest()
    with closing(Cluster(address, say)) as cluster:
        try:
            for place, future in cluster.finished(make_shard, plan, shards):
                shard = shards[place]
                content = _result(future, shard, address)
                found = problem(content, digest, shard)
                if found:
                    raise RuntimeError(
                        f"A worker of {address} made another shard {shard} than this machine would: {found} "
                        f"Install the same versions on both; here are {versions()}."
                    )
                yield shard, content
        except ClusterLost as error:
            raise ClusterLost(f"{error} {AGAIN}") from error


def _result(future: Any, shard: int, address: str) -> bytes:
    if future.status == "error":
        error = future.exception()
        raise RuntimeError(
            f"Shard {shard} failed on the cluster {address} ({type(error).__name__}: {error}). "
            f"Its workers need {versions()} and memory for a shard. {AGAIN}"
        ) from error
    return future.result()

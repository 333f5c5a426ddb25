"""Work shared out to a Dask cluster. Its workers send results here; they need geniex, and no disk in common.

Dask need not be installed, and it declares every method as a coroutine too: its objects have the type `Any` here.
"""

import ctypes
import functools
import pickle
import socket
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import torch

__all__ = ["Cluster", "ClusterLost", "versions"]

SECONDS_TO_CONNECT = 10
SECONDS_TO_CLOSE = 3
SECONDS_TO_WAIT = 5  # for a part, before looking whether there is any worker
PER_THREAD = 2  # parts in flight: one being worked on, one ready to be
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of malloc.h
KEPT_BYTES = 2**26

Say = Callable[[str], None]


class ClusterLost(OSError):
    """The scheduler cannot be reached, or went away: nothing that is left can be done."""


def versions() -> str:
    """What has to be the same on all machines, for their results to be."""
    return f"geniex {version('geniex')}, torch {version('torch')}"


class Cluster:
    """A connection to the scheduler of a cluster; threads can share it."""

    def __init__(self, address: str, say: Say = lambda text: None) -> None:
        """Connect.

        Args:
            address: `tcp://host:port` of the scheduler.
            say: told when there is no worker.

        Raises:
            ValueError: if Dask is not installed, this is no address, or workers have other versions of geniex or torch.
            ClusterLost: if the scheduler cannot be reached.
        """
        self.address, self.say = address, say
        self.client = _connect(address)
        self.idle = False
        with _closed_on_error(self.client):
            self._check_versions()

    def _check_versions(self) -> None:
        others = self._versions() - {versions()}
        if others:
            raise ValueError(
                f"Workers of {self.address} have {' and '.join(sorted(others))}; here are {versions()}. "
                "Install the same on all machines: results would not be the same."
            )

    def _versions(self) -> set[str]:
        try:
            with self.still_there():
                return set(self.client.run(versions).values())
        except ImportError as error:
            raise ValueError(
                f"Workers of {self.address} do not have geniex ({error}). Install {versions()} there."
            ) from error

    @property
    def threads(self) -> int:
        """Threads of all workers that are there now.

        Raises:
            ClusterLost: if the scheduler goes away.
        """
        with self.still_there():
            return sum(self.client.nthreads().values())

    def close(self) -> None:
        """Disconnect."""
        self.client.close(timeout=SECONDS_TO_CLOSE)

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """What a worker finds. What it raises is raised here.

        Raises:
            ClusterLost: if the scheduler goes away.
        """
        for _, future in self.finished(_call, (function, argument), [None]):
            return self.result(future)
        raise AssertionError("a part that was submitted is finished")

    def result(self, future: Any) -> Any:
        """What a part found. What it raised is raised here.

        Raises:
            ValueError: if workers lack a package or module of what they were sent.
            RuntimeError: if workers ended that worked on it.
        """
        from distributed import KilledWorker

        try:
            return future.result()
        except ImportError as error:
            raise ValueError(
                f"Workers of {self.address} cannot import what a network or model is made of ({error}). Install it "
                "there, or add its folder to their PYTHONPATH."
            ) from error
        except KilledWorker as error:
            raise RuntimeError(
                f"Workers of {self.address} ended while they worked on a part, {error.allowed_failures + 1} in a row. "
                "Give them more memory, or set `distributed.scheduler.allowed-failures` higher where workers come "
                "and go."
            ) from error

    def finished(
        self, function: Callable[[Any, Any], Any], shared: Any, parts: Sequence[Any]
    ) -> Generator[tuple[int, Any], None, None]:
        """The future of every part when it is done or has failed, with its place in `parts`.

        Only so many parts are in flight as keep all workers busy. Of a worker that is lost, others redo what it held.

        Args:
            function: called on workers with `shared` and a part, on one of torch's threads.
            shared: sent to the cluster once.
            parts: what to share out.

        Raises:
            ClusterLost: if the scheduler goes away.
        """
        import cloudpickle
        from distributed import wait

        with self.still_there():
            # as bytes, which a task opens: modules that are not there fail the task instead of the scheduler, and what
            # is sent is found again if its holder is lost
            owned = self.client.submit(pickle.loads, cloudpickle.dumps(shared), pure=False)
            waiting, running = deque(range(len(parts))), {}
            while waiting or running:
                threads = self._threads_or_say()
                while waiting and len(running) < PER_THREAD * max(1, threads):
                    place = waiting.popleft()
                    running[self.client.submit(_alone, function, owned, parts[place], pure=False)] = place
                try:
                    with self.client.as_current():
                        found: Any = wait(list(running), timeout=SECONDS_TO_WAIT, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    continue
                for future in found.done:
                    yield running.pop(future), future

    @contextmanager
    def still_there(self) -> Generator[None, None, None]:
        """Within the block, a scheduler that goes away is a `ClusterLost`."""
        try:
            yield
        except (OSError, CancelledError) as error:
            if isinstance(error, ClusterLost):
                raise
            raise ClusterLost(f"The scheduler {self.address} went away ({type(error).__name__}).") from error

    def _threads_or_say(self) -> int:
        threads = self.threads
        if not threads and not self.idle:
            self.say("The cluster has no worker; waiting for one.")
        self.idle = not threads
        return threads


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ValueError("A Dask cluster needs Dask: pip install 'geniex[dask]'.") from error
    _check_port(address)
    client: Any = distributed.Client.__new__(distributed.Client)  # in hand also where it fails
    with _closed_on_error(client):
        try:
            client.__init__(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except OSError as error:
            raise _unreachable(address, error) from error
        except ValueError as error:
            raise ValueError(f"A scheduler is named as tcp://host:port; got {address!r}: {error}.") from error
    return client


@contextmanager
def _closed_on_error(client: Any) -> Generator[None, None, None]:
    """Close a client if the block fails.

    One that is left open closes itself when it is collected. If that is while another one starts, it is within the lock
    that it needs for it, and both wait for ever.
    """
    try:
        yield
    except BaseException:
        with suppress(TimeoutError):
            client.close(timeout=SECONDS_TO_CLOSE)
        raise


def _check_port(address: str) -> None:
    """Raise ClusterLost where nobody listens: Dask would try again and again."""
    parts = urlsplit(address)
    try:
        if parts.scheme == "tcp" and parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_TO_CONNECT).close()
    except ConnectionRefusedError as error:
        raise _unreachable(address, error) from error
    except (OSError, ValueError):  # Dask says it better
        return


def _unreachable(address: str, error: OSError) -> ClusterLost:
    return ClusterLost(
        f"The scheduler {address} cannot be reached: {error}. `dask scheduler` starts one and prints its address."
    )


def _call(shared: tuple[Callable[[Any], Any], Any], part: None) -> Any:
    function, argument = shared
    return function(argument)


@functools.cache
def _keep_memory() -> None:
    """Let this process keep freed memory for its next arrays, as processes do outside of Dask.

    Dask's workers give all of it back to the system, which clears every page before it is used again: with that an
    image of a ResNet-20 takes 2.4 times the CPU time.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES // 2)  # the largest that glibc takes
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TOP_PAD, KEPT_BYTES)  # or threads unmap what holds nothing but the array that is freed


def _alone(function: Callable[[Any, Any], Any], shared: Any, part: Any) -> Any:
    """On a worker: each of its threads works on one of torch's threads."""
    _keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(shared, part)
    finally:
        torch.set_num_threads(threads)  # the thread is Dask's

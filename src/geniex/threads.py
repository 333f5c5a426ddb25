"""Work shared out to threads: compiled code and torch's products run without Python's lock."""

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

__all__ = ["available", "in_order", "taken_from_torch", "work_off"]

Part = TypeVar("Part")
Result = TypeVar("Result")

_taken = threading.local()


def available() -> int:
    """Threads that work may be shared out to: torch's, whoever has them."""
    return getattr(_taken, "threads", 0) or torch.get_num_threads()


@contextmanager
def taken_from_torch() -> Iterator[None]:
    """Within the block torch's own operations run on one thread, and its threads are `available`.

    For work that mixes both: torch's threads spin for milliseconds after each operation, on cores that others wait for.
    """
    if hasattr(_taken, "threads"):
        yield
        return
    _taken.threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(_taken.threads)
        del _taken.threads


def work_off(parts: Iterable[Part], workers: Sequence[Callable[[Part], None]]) -> None:
    """Give each part to the next worker that is free. Several workers run in threads, with one of torch's threads each.

    A single worker runs here. What a worker raises is raised here.
    """
    if len(workers) == 1:
        for part in parts:
            workers[0](part)
        return
    queue, total = _Queue(parts), torch.get_num_threads()
    futures: list[Future[None]] = []
    try:
        for worker in workers:
            futures.append(_threads().submit(queue.work_off, worker))
        for future in futures:
            future.result()
    except BaseException:
        queue.stop()
        wait(futures)
        raise
    finally:
        torch.set_num_threads(total)


class _Queue(Generic[Part]):
    """Parts that several threads take from."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts, self.lock = iter(parts), threading.Lock()

    def stop(self) -> None:
        """Leave nothing to take."""
        with self.lock:
            self.parts = iter(())

    def work_off(self, worker: Callable[[Part], None]) -> None:
        """Work until nothing is left; an error leaves nothing to the others either."""
        torch.set_num_threads(1)  # of this thread
        try:
            while True:
                with self.lock:
                    part = next(self.parts, None)
                if part is None:
                    return
                worker(part)
        except BaseException:
            self.stop()
            raise


def in_order(
    parts: Iterable[Part], work: Callable[[Part], Result], threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Results in the order of `parts`, of which there may be no end. They come from threads with one of torch's each.

    Args:
        parts: what to work on.
        work: called with each part; what it raises is raised here.
        threads: that work.
        ahead: parts given to them before their result is asked for.
    """
    total = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "geniex-ahead", torch.set_num_threads, (1,))
    coming: deque[Future[Result]] = deque()
    try:
        for part in parts:
            coming.append(pool.submit(work, part))
            if len(coming) > ahead:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(total)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Threads that stay: a new one costs more than a small read."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="geniex")


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(after_in_child=_threads.cache_clear)

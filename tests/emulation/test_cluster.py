"""A Dask cluster makes the same bytes as this process, loses workers without losing work, and fails in words."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import distributed
import pytest
from tests.emulation.stored import PLAN, files, plan
from torch import Tensor

from geniex import cluster
from geniex.cluster import ClusterLost
from geniex.emulation import DatasetRun, MixedDigits, make_dataset

PATIENCE = 60  # seconds for a process to start on a busy machine


@dataclass(frozen=True)
class DrawnHere:
    """Digits that no process but `process` can draw."""

    process: int
    v_bits: int = 4
    g_bits: int = 4

    def conductance_levels(self, count, rows, cols, generator) -> Tensor:
        if os.getpid() != self.process:
            raise ValueError("drawn elsewhere")
        return MixedDigits().conductance_levels(count, rows, cols, generator)

    def voltage_levels(self, count, rows, generator) -> Tensor:
        return MixedDigits().voltage_levels(count, rows, generator)


@pytest.fixture(scope="module")
def two_workers():
    """A cluster of two processes beside this one."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    ) as running:
        yield running


def kill_one(running):
    """SIGKILL for one of the workers; returns its process number."""
    process = min(nanny.pid for nanny in running.workers.values())
    os.kill(process, signal.SIGKILL)
    return process


def test_a_cluster_that_loses_a_worker_makes_the_same_bytes(two_workers, tmp_path):
    killed, address = [], two_workers.scheduler_address
    many = plan(crossbars=200)  # 40 shards

    def kill(stage, done, total, note):
        if done >= 40 and not killed:
            killed.append(kill_one(two_workers))

    make_dataset(tmp_path / "cluster", many, DatasetRun(scheduler=address, advance=kill))
    make_dataset(tmp_path / "here", many, DatasetRun(workers=1))
    assert killed
    assert files(tmp_path / "cluster") == files(tmp_path / "here")


def test_a_worker_that_makes_other_shards_is_refused(two_workers, tmp_path, monkeypatch):
    """As one with another version of geniex would: this process expects another identity."""
    digest = "0" * 64
    monkeypatch.setattr(type(PLAN.manifest()), "digest", lambda manifest: digest)
    with pytest.raises(RuntimeError, match=r"A worker of tcp://\S+ made another shard \d than this machine.*Install"):
        make_dataset(tmp_path, PLAN, DatasetRun(scheduler=two_workers.scheduler_address))
    assert sorted(files(tmp_path)) == ["manifest.json"]


def test_a_shard_that_fails_is_named(two_workers, tmp_path):
    failing = dataclasses.replace(PLAN, sampling=DrawnHere(os.getpid()))
    message = r"Shard \d failed on the cluster tcp://\S+ \(\w+: .*Its workers need geniex .*Whole shards stay"
    with pytest.raises(RuntimeError, match=message):
        make_dataset(tmp_path, failing, DatasetRun(scheduler=two_workers.scheduler_address))


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler and a worker in processes of their own: (process of the scheduler, its address)."""
    file, python = tmp_path / "scheduler.json", [sys.executable, "-m"]
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    command = [*python, "distributed.cli.dask_scheduler", *options, "--port", "0", "--scheduler-file", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as one:
        address = _address(file)
        worker = [*python, "distributed.cli.dask_worker", address, *options, "--nthreads", "1", "--no-nanny"]
        with subprocess.Popen(worker, **quiet) as other:
            yield one, address
            other.kill()
        one.kill()


def _address(file):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            return json.loads(file.read_text())["address"]
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("The scheduler did not start.")


def test_a_scheduler_that_goes_away_costs_no_finished_shard(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 10)
    process, address = scheduler
    many, folder, said = plan(crossbars=200), tmp_path / "dataset", []

    def kill(stage, done, total, note):
        if done >= 40 and process.poll() is None:
            process.kill()
            process.wait()

    with pytest.raises(ClusterLost, match=rf"The scheduler {address} went away .*Whole shards stay; the same command"):
        make_dataset(folder, many, DatasetRun(scheduler=address, advance=kill, say=said.append))
    written = files(folder)
    assert 8 <= len(written) - 1 < 40
    make_dataset(folder, many, DatasetRun(workers=1))
    make_dataset(tmp_path / "here", many, DatasetRun(workers=1))
    assert files(folder) == files(tmp_path / "here")
    assert written.items() <= files(folder).items()


def test_a_scheduler_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(
        ClusterLost, match=r"The scheduler tcp://127.0.0.1:9 cannot be reached: .*`dask scheduler` starts one"
    ):
        make_dataset(tmp_path, PLAN, DatasetRun(scheduler="tcp://127.0.0.1:9"))


def test_an_address_has_a_port(tmp_path):
    with pytest.raises(ValueError, match="A scheduler is named as tcp://host:port; got 'somewhere'"):
        make_dataset(tmp_path, PLAN, DatasetRun(scheduler="somewhere"))


def test_without_dask_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs Dask: pip install 'geniex\[dask\]'"):
        make_dataset(tmp_path, PLAN, DatasetRun(scheduler="tcp://127.0.0.1:8786"))

"""A study on a real cluster of processes: the same table byte for byte, also where a worker is killed on the way."""

import gc
import os
import signal
import threading
from contextlib import closing

import distributed
import numpy as np
import pytest
import torch
from torch import nn

from geniex import cluster as module
from geniex.cluster import Cluster, ClusterLost
from geniex.configuration import EvaluationConfig
from geniex.evaluation import LabelledImages
from geniex.study import PointStore, StudyConfig, Subject, outcomes, points_of, run_study, write_frame
from geniex.study import run as study_run

BASE = EvaluationConfig.model_validate(
    {"crossbar": {"rows": 8, "cols": 8}, "exact": {"reads": 5, "images": 1}, "batch": 4, "chips": 2}
)
STUDY = StudyConfig.model_validate({"axes": {"cell.r_on": [1e4, 1e5], "effects.flicker": [0.0, 0.2]}})


@pytest.fixture(scope="module")
def running():
    """Two processes beside this one."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    ) as found:
        yield found


@pytest.fixture
def subject():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (90, 4, 4, 3), dtype=np.uint8)
    return Subject(network, LabelledImages(images, random.integers(0, 3, 90), "noise"), ("digital", "ideal", "reduced"))


def table(folder, subject, study=STUDY, cluster=None, advance=lambda stage, done, total: None):
    """The Parquet file of a study, in bytes."""
    store = PointStore(folder / "points")
    found = {outcome.key: outcome for outcome in outcomes(points_of(study, BASE), subject, store)}
    for outcome in run_study(list(found.values()), subject, store, advance, cluster):
        found[outcome.key] = outcome
    write_frame(list(found.values()), folder / "results.parquet")
    return (folder / "results.parquet").read_bytes(), list(found.values())


def test_a_cluster_that_loses_a_worker_makes_the_same_table(running, subject, tmp_path):
    killed = []

    def kill(stage, done, total):
        if done and not killed:
            killed.append(min(nanny.pid for nanny in running.workers.values()))
            os.kill(killed[0], signal.SIGKILL)

    with closing(Cluster(running.scheduler_address)) as cluster:
        there, found = table(tmp_path / "there", subject, cluster=cluster, advance=kill)
    assert killed
    assert [outcome.error for outcome in found] == [None] * 4
    here, _ = table(tmp_path / "here", subject)
    assert there == here


def test_a_point_that_fails_there_fails_with_the_same_words(running, subject, tmp_path):
    failing = StudyConfig.model_validate({"axes": {"inputs.overflow": ["saturate", "raise"]}})
    bright = Subject(nn.Sequential(Loud(), subject.network), subject.images, subject.models)
    with closing(Cluster(running.scheduler_address)) as cluster:
        there, found = table(tmp_path / "there", bright, failing, cluster)
    assert [outcome.error is None for outcome in found] == [True, False]
    assert table(tmp_path / "here", bright, failing)[0] == there


class Loud(nn.Module):
    """Inputs beyond the range of numbers."""

    def forward(self, x):
        return 100 * x


class Growing(Cluster):
    """One worker, and eight from the second look on; nothing is connected."""

    def __init__(self):
        self.looks = 0

    @property
    def threads(self):
        self.looks += 1
        return 1 if self.looks == 1 else 8


def test_workers_that_come_later_get_points_too(subject, tmp_path, monkeypatch):
    """One thread is kept busy by two points of 90 images, eight threads by nine: all six run at once."""
    everyone, ended = threading.Barrier(6), []

    def run(outcome, subject, store, advance, cluster):
        everyone.wait(timeout=60)
        ended.append(outcome)
        return outcome

    monkeypatch.setattr(study_run, "_run", run)
    monkeypatch.setattr(study_run, "SECONDS_TO_WAIT", 0.01)
    six = StudyConfig.model_validate({"axes": {"cell.r_on": [1e4, 2e4, 3e4, 4e4, 5e4, 6e4]}})
    store = PointStore(tmp_path)
    known = outcomes(points_of(six, BASE), subject, store)
    found = list(run_study(known, subject, store, cluster=Growing()))
    assert {outcome.key for outcome in found} == {outcome.key for outcome in known}
    assert len(found) == len(ended) == 6


def test_other_versions_are_refused(running, monkeypatch):
    monkeypatch.setattr(module, "version", lambda name: "0.0.1")
    with pytest.raises(ValueError, match=r"Workers of tcp://\S+ have geniex \d.* here are geniex 0.0.1, .*same on all"):
        Cluster(running.scheduler_address)


def test_a_scheduler_that_is_not_there_is_named_within_seconds(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(ClusterLost, match=r"The scheduler tcp://127.0.0.1:9 cannot be reached"):
        Cluster("tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["somewhere", "tcp://127.0.0.1:9"])
def test_a_client_that_could_not_connect_is_closed(address, monkeypatch):
    """One that is collected closes itself: if that is while another one starts, both wait for one lock."""
    monkeypatch.setattr(module, "SECONDS_TO_CONNECT", 0.2)
    monkeypatch.setattr(module, "_check_port", lambda address: None)  # which finds that nobody listens, without Dask
    with pytest.raises((ValueError, ClusterLost)) as caught:
        Cluster(address)
    assert statuses() == {"closed"}
    assert "scheduler" in str(caught.value)


def test_a_client_whose_scheduler_goes_away_at_once_is_closed(running, monkeypatch):
    def gone(client, function):
        raise OSError("gone")

    monkeypatch.setattr(distributed.Client, "run", gone)
    with pytest.raises(ClusterLost, match=r"The scheduler tcp://\S+ went away \(OSError\)"):
        Cluster(running.scheduler_address)
    assert statuses() == {"closed"}


def statuses():
    """Of all clients that are not collected yet."""
    return {each.status for each in gc.get_objects() if type(each) is distributed.Client}

"""A cluster of processes finds what this process finds, bit for bit, loses workers without losing work, fails alike."""

import os
import resource
import signal
import sys
import types
from contextlib import closing
from dataclasses import replace

import distributed
import numpy as np
import pytest
import torch
from torch import nn

from geniex.cluster import Cluster
from geniex.converters import Adc
from geniex.devices import Sinh
from geniex.energy import Costs
from geniex.evaluation import LabelledImages, RunOptions, evaluate
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.effects import FlickerNoise, ProgrammingError, ReadNoise, RelativeSpread
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.evaluation.conftest import CLASSES, make_network


class Fails(CrossbarModel):
    """Raises what its user's code raises, where it reads."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def program(self, g):
        return self.fail

    def fail(self, v):
        raise self.error


class Deadly(CrossbarModel):
    """Ends the process that reads, as the kernel does with one that takes too much memory."""

    def program(self, g):
        return self.die

    def die(self, v):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def running():
    """Two processes beside this one."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    ) as found:
        yield found


@pytest.fixture
def there(running):
    with closing(Cluster(running.scheduler_address)) as cluster:
        yield cluster


@pytest.fixture
def network():
    return make_network()


@pytest.fixture
def images():
    """More than one part of 4 batches for each worker."""
    random = np.random.default_rng(7)
    return LabelledImages(random.integers(0, 256, (90, 8, 8, 3), dtype=np.uint8), random.integers(0, CLASSES, 90), "it")


def options(spec, **changes):
    return replace(RunOptions(batch=4, exact=Circuit(spec, Sinh()), reads=20, costs=Costs()), **changes)


def found(evaluation):
    """All of it but times."""
    content = evaluation.as_dict()
    return {**content, "started": "", "models": [{**model, "seconds_per_image": 0} for model in content["models"]]}


def test_a_cluster_finds_what_this_process_finds(there, network, images, spec, hardware):
    models = {"digital": None, "ideal": Ideal(), "linear": LinearCircuit(spec)}
    apart = found(evaluate(network, images, models, hardware, options(spec, cluster=there)))
    assert apart == found(evaluate(network, images, models, hardware, options(spec)))
    assert apart["energy"]["total"]["energy"]["linear"] > 0
    assert apart["models"][2]["nf"]["rmse"] > 0


def test_what_chips_and_reads_draw_does_not_depend_on_who_draws(there, network, images, spec, hardware):
    """Two chips of a model that draws when it is written and at every read, and an ADC that draws."""
    noisy = replace(hardware, adc=Adc(bits=8, noise=0.5, generator=torch.Generator().manual_seed(1)))

    def models():
        written = ProgrammingError(LinearCircuit(spec), RelativeSpread(0.3), generator=torch.Generator().manual_seed(2))
        return {"digital": None, "noisy": ReadNoise(written, FlickerNoise(0.2), torch.Generator().manual_seed(3))}

    apart = found(evaluate(network, images, models(), noisy, options(spec, chips=2, cluster=there)))
    assert apart == found(evaluate(network, images, models(), noisy, options(spec, chips=2)))
    assert len(set(apart["models"][1]["chips"])) == 2  # they draw indeed


def test_a_worker_that_is_killed_costs_nothing_but_time(running, there, network, images, spec, hardware):
    killed = []

    def kill(stage, done, total):
        if stage == "linear" and done and not killed:
            killed.append(min(nanny.pid for nanny in running.workers.values()))
            os.kill(killed[0], signal.SIGKILL)

    models = {"digital": None, "linear": LinearCircuit(spec)}
    apart = found(evaluate(network, images, models, hardware, options(spec, cluster=there, progress=kill)))
    assert killed
    assert apart == found(evaluate(network, images, models, hardware, options(spec)))


def test_what_a_cluster_classified_is_stored_here(there, network, images, spec, hardware, tmp_path):
    """Batches, that is: a client that was killed goes on, with a cluster or without."""
    models, plain = {"linear": LinearCircuit(spec)}, options(spec, exact=None, costs=None, folder=tmp_path)
    evaluate(network, images, models, hardware, replace(plain, cluster=there))
    stored = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(stored) == 23
    evaluate(network, images, models, hardware, plain)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stored


@pytest.mark.parametrize(
    "error", [ValueError("a voltage of 7 V"), RuntimeError("does not converge"), MemoryError("9 GB")]
)
def test_an_error_comes_back_as_it_is(there, network, images, spec, hardware, error):
    with pytest.raises(type(error), match=str(error)):
        evaluate(network, images, {"fails": Fails(error)}, hardware, options(spec, cluster=there))


def faults_of(arrays):
    """Pages that the system gave to this process, for arrays of 8 MB that come one after another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(arrays):
        np.ones(2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="as glibc keeps memory")
def test_workers_keep_memory_from_array_to_array(there):
    """An array has 2048 pages; Dask's own workers are given them for each array anew."""
    assert there.call(faults_of, 50) < 3 * 2048


def test_work_that_kills_its_workers_is_an_error(running, there, network, images, spec, hardware, monkeypatch):
    """It ends after some workers, and others do what comes next."""
    monkeypatch.setattr(running.scheduler, "allowed_failures", 1)
    plain = options(spec, exact=None, costs=None, cluster=there)
    with pytest.raises(RuntimeError, match=r"Workers of tcp://\S+ ended while they worked on a part, 2 in a row\."):
        evaluate(network, images.first(4), {"deadly": Deadly()}, hardware, plain)
    assert evaluate(network, images, {"ideal": Ideal()}, hardware, plain).models[0].images == 90


def test_a_network_that_workers_cannot_import_is_refused_in_words(there, images, spec, hardware, monkeypatch):
    module = types.ModuleType("only_here")
    exec("from torch import nn\nclass Own(nn.Flatten):\n    pass\n", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    network = nn.Sequential(module.Own(), nn.Linear(192, CLASSES)).eval()
    with pytest.raises(ValueError, match=r"Workers of tcp://\S+ cannot import .*only_here.*Install it"):
        evaluate(network, images, {"ideal": Ideal()}, hardware, options(spec, cluster=there))

"""What is kept of a run, and by what it is found again."""

import functools
import importlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import Adc, DigitalFloor
from geniex.devices import Ohmic, Sinh
from geniex.digital import FixedPoint
from geniex.evaluation import store as module
from geniex.evaluation.store import BatchStore, fingerprint
from geniex.functional import HardwareConfig
from geniex.mapping import OffsetColumn
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.evaluation.conftest import make_network

KEY = "0123456789abcdef"


# The folder


def test_a_result_is_found_again(tmp_path):
    BatchStore(tmp_path / "new" / "folder").put(KEY, np.array([3, 1, 2]), 0.5)
    predicted, seconds = BatchStore(tmp_path / "new" / "folder").get(KEY)
    assert (predicted.tolist(), seconds) == ([3, 1, 2], 0.5)


def test_what_was_not_stored_is_not_found(tmp_path):
    assert BatchStore(tmp_path / "none").get(KEY) is None
    BatchStore(tmp_path).put(KEY, np.array([3]), 0.5)
    assert BatchStore(tmp_path).get("another") is None


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = BatchStore(None)
    store.put(KEY, np.array([3]), 0.5)
    assert store.get(KEY) is None
    assert list(tmp_path.iterdir()) == []


def other_arrays(path):
    np.savez(path, something=np.zeros(3))


def objects(path):
    np.savez(path, predicted=np.array([1, None], dtype=object), seconds=0.5)


def several_times(path):
    np.savez(path, predicted=np.array([1, 2]), seconds=np.array([0.5, 0.5]))


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "start only": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "garbage": lambda path: path.write_bytes(np.random.default_rng(0).bytes(500)),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xff" * 60 + path.read_bytes()[160:]),
    "other arrays": other_arrays,
    "objects": objects,
    "several times": several_times,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_result_counts_as_none_and_can_be_replaced(tmp_path, damage):
    store = BatchStore(tmp_path)
    store.put(KEY, np.array([3, 1, 2]), 0.5)
    damage(tmp_path / f"{KEY}.npz")
    assert store.get(KEY) is None
    store.put(KEY, np.array([3, 1, 2]), 0.5)
    assert store.get(KEY)[0].tolist() == [3, 1, 2]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        BatchStore(tmp_path).put(KEY, np.array([3]), 0.5)
    assert list(tmp_path.iterdir()) == []


# Fingerprints


@dataclass(frozen=True)
class Described:
    name: str = "a"
    table: torch.Tensor = field(default_factory=lambda: torch.zeros(5000), repr=False)


class Scaled(nn.Module):
    """Holds numbers beside its weights."""

    def __init__(self, factor=1.0, activation=F.relu, description=Described(), names=frozenset("abcdef")):
        super().__init__()
        self.factor, self.activation, self.description, self.names = factor, activation, description, names
        self.layer = nn.Linear(3, 2)
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.register_buffer("offset", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.activation(self.layer(x)) * self.factor + self.offset


def with_offset():
    network = Scaled()
    network.offset += 1
    return network


SPEC = CrossbarSpec(8, 8)
SCALING = Scaling(0.25, 1e-6, 1e-5, 0.5, 2.0)
ZEROS = torch.zeros(5000)
ONE = ZEROS.clone()
ONE[2500] = 1e-30
DIFFERENT = {
    "device": (Circuit(SPEC, Sinh()), Circuit(SPEC, Ohmic())),
    "v0": (Circuit(SPEC, Sinh(0.25)), Circuit(SPEC, Sinh(0.25000000001))),
    "spec": (Circuit(SPEC, Sinh()), Circuit(replace(SPEC, r_col=2.6), Sinh())),
    "rtol": (Circuit(SPEC, Sinh()), Circuit(SPEC, Sinh(), 1e-9)),
    "spec of linear": (LinearCircuit(SPEC), LinearCircuit(replace(SPEC, r_sink=0.0))),
    "model": (LinearCircuit(SPEC), Ideal()),
    "tile": (HardwareConfig(), HardwareConfig(cols=32)),
    "weights": (HardwareConfig(), HardwareConfig(weights=FixedPoint(16, 12))),
    "adc": (HardwareConfig(adc=Adc(8)), HardwareConfig(adc=Adc(9))),
    "no adc": (HardwareConfig(adc=None), HardwareConfig(adc=Adc())),
    "floor": (HardwareConfig(), HardwareConfig(floor=DigitalFloor())),
    "mapping": (HardwareConfig(), HardwareConfig(mapping=OffsetColumn())),
    "layers": ([("a", HardwareConfig()), ("b", None)], [("a", None), ("b", HardwareConfig())]),
    "one number of many": (ZEROS, ONE),
    "precision": (ZEROS, ZEROS.double()),
    "shape": (ZEROS, ZEROS.view(50, 100)),
    "order": (torch.arange(4), torch.arange(4).flip(0)),
    "array": (np.zeros(5000), ONE.double().numpy()),
    "factor": (Scaled(1.0), Scaled(1.0000000001)),
    "activation": (Scaled(), Scaled(activation=F.gelu)),
    "lambda": (Scaled(activation=lambda x: 2 * x), Scaled(activation=lambda x: 3 * x)),
    "description": (Scaled(), Scaled(description=Described("b"))),
    "table": (Scaled(), Scaled(description=Described(table=ONE))),
    "names": (Scaled(), Scaled(names=frozenset("abcdeg"))),
    "hidden buffer": (Scaled(), with_offset()),
    "padding": (nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, padding=1)),
    "parts": (("ab", "c"), ("a", "bc")),
}


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_differs_has_another_fingerprint(first, second):
    if isinstance(first, nn.Module) and isinstance(second, nn.Module) and type(first) is type(second):
        second.load_state_dict(first.state_dict(), strict=False)
    assert fingerprint(first) != fingerprint(second)


def test_one_weight_changes_the_fingerprint_and_takes_it_back():
    network = make_network()
    before, weight = fingerprint(network), network[0].weight.data
    kept = weight[3, 2, 1, 0].clone()
    weight[3, 2, 1, 0] = torch.nextafter(kept, torch.tensor(10.0))
    assert fingerprint(network) != before
    weight[3, 2, 1, 0] = kept
    assert fingerprint(network) == before


def test_running_statistics_count():
    network = make_network()
    before = fingerprint(network)
    network[1].running_var[0] += 1e-3
    assert fingerprint(network) != before


def test_the_emulators_weights_and_ranges_count():
    emulator = Geniex(SPEC, SCALING, hidden=4)
    other = Geniex(SPEC, replace(SCALING, f_max=2.1), hidden=4)
    other.load_state_dict(emulator.state_dict())
    assert fingerprint(emulator) != fingerprint(other)
    assert fingerprint(emulator) != fingerprint(Geniex(SPEC, SCALING, hidden=4))  # other initial weights


def test_equal_things_have_equal_fingerprints():
    assert fingerprint(make_network(), HardwareConfig()) == fingerprint(make_network(), HardwareConfig())
    assert fingerprint(Scaled(activation=F.gelu)) == fingerprint(Scaled(activation=F.gelu))


def test_use_does_not_change_a_fingerprint():
    network, model = make_network(), Circuit(SPEC, Sinh())
    before = fingerprint(network, model)
    network(torch.zeros(1, 3, 8, 8))
    model(torch.full((1, 8), 0.1), torch.full((8, 8), 1e-6))
    assert fingerprint(network, model) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64])
def test_tensors_of_every_dtype_have_one(dtype):
    x = torch.tensor([[1, 0], [0, 1]]).to(dtype)
    assert fingerprint(x) == fingerprint(x.clone())
    assert fingerprint(x) != fingerprint(~x if dtype == torch.bool else x + x)


def test_the_memory_layout_of_a_tensor_does_not_count():
    x = torch.arange(12.0).view(3, 4)
    assert fingerprint(x) == fingerprint(x.t().contiguous().t())
    assert fingerprint(torch.tensor(1.0)) != fingerprint(torch.tensor([1.0]))


@pytest.fixture
def network_from_source(tmp_path, monkeypatch):
    """Makes a network from the text of a module."""

    def make(folder, expression):
        (tmp_path / folder).mkdir()
        text = (
            f"from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return {expression}\n"
        )
        (tmp_path / folder / "network_from_source.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path / folder)
        sys.modules.pop("network_from_source", None)
        return importlib.import_module("network_from_source").Net()

    yield make
    sys.modules.pop("network_from_source", None)


def test_the_code_of_a_network_counts(network_from_source):
    first, again, other = (fingerprint(network_from_source(*args)) for args in (("a", "x"), ("b", "x"), ("c", "2 * x")))
    assert first == again
    assert first != other


SCRIPT = """
import torch
from torch import nn
from geniex import Circuit, CrossbarSpec, HardwareConfig, Sinh
from geniex.evaluation.store import fingerprint
from geniex.networks import ResNet20
torch.manual_seed(0)
network = ResNet20(10)
network.names = {"to", "be", "or", "not"}
network.table = {"a": [1.0, (2, None)], "b": torch.arange(3)}
print(fingerprint(network, HardwareConfig(), Circuit(CrossbarSpec(4, 4), Sinh())))
"""


def test_a_fingerprint_is_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 32


def test_what_cannot_be_described_is_never_mistaken():
    """Objects that only have an address get another fingerprint each: computed again, never confused."""
    first, second = functools.partial(F.relu), functools.partial(F.gelu)
    assert fingerprint(Scaled(activation=first)) != fingerprint(Scaled(activation=second))
    assert fingerprint(object()) != fingerprint([object()])


def test_threads_read_source_one_at_a_time(monkeypatch):
    """Python 3.11 parses in one thread at a time: in two it raises SystemError, now and then."""
    reading, most, getsource = [], [], module.inspect.getsource

    def slow(part):
        reading.append(part)
        most.append(len(reading))
        time.sleep(0.005)
        reading.remove(part)
        return getsource(part)

    monkeypatch.setattr(module, "_sources", module.WeakKeyDictionary())
    monkeypatch.setattr(module.inspect, "getsource", slow)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda network: fingerprint(network), [Scaled() for _ in range(8)]))
    assert (max(most), len(found)) == (1, 1)


# Generators


def test_a_generator_is_what_it_is_about_to_draw():
    one, other = (torch.Generator().manual_seed(5) for _ in range(2))
    assert fingerprint(one) == fingerprint(other) != fingerprint(torch.Generator().manual_seed(6))
    torch.rand(1, generator=one)
    assert fingerprint(one) != fingerprint(other)
    other.set_state(one.get_state())
    assert fingerprint(one) == fingerprint(other)

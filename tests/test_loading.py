"""Networks, weights and models by the names that people type."""

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from geniex import presets
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration.evaluation import EmulatorSection, EvaluationConfig
from geniex.configuration.sections import CellSection, CrossbarSection
from geniex.devices import Ohmic, Sinh
from geniex.devices.description import describe_device
from geniex.emulation import EmulatorCard, save
from geniex.loading import MODELS, load_models, load_network
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder
from geniex.networks import ResNet20
from geniex.window import Window

MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.bn = nn.BatchNorm1d(2)
    def forward(self, x):
        return self.bn(self.fc(x))

class Sized(nn.Module):
    def __init__(self, size):
        super().__init__()

def make():
    import user_helpers_of_loading
    return Net()

def fail():
    raise KeyError("depth")

def exits():
    raise IndexError("no such stage")

instance = Net()
number = 3
make_number = lambda: 3
make_class = lambda: Net
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """A user's module in the current folder, which is not otherwise searched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_networks.py").write_text(MODULE)
    (tmp_path / "user_helpers_of_loading.py").write_text("")
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("user_"):
            del sys.modules[name]
    assert sys.path == path


# Networks


@pytest.mark.parametrize("name", ["Net", "make", "instance"])
def test_a_network_is_found_by_its_path_in_the_current_folder(user_module, name):
    network = load_network(f"user_networks:{name}", None)
    assert type(network).__name__ == "Net"
    assert not network.training


def test_a_network_is_found_in_a_package_of_the_current_folder(user_module):
    (user_module / "user_package").mkdir()
    (user_module / "user_package" / "networks.py").write_text("from torch import nn\n\nsmall = nn.Linear(3, 2)\n")
    assert isinstance(load_network("user_package.networks:small", None), nn.Linear)


def test_a_network_is_found_in_an_installed_package():
    assert isinstance(load_network("geniex.networks:resnet20_cifar100", None), ResNet20)


def test_a_module_written_a_moment_ago_is_found(user_module):
    """Python caches what folders hold."""
    with pytest.raises(ValueError, match="No module named 'user_late'"):
        load_network("user_late:net", None)
    (user_module / "user_late.py").write_text("from torch import nn\n\nnet = nn.Linear(3, 2)\n")
    assert isinstance(load_network("user_late:net", None), nn.Linear)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("user_networks", r"A network is named as `package.module:name`; got 'user_networks'"),
        ("user_networks.py", r"named as `package.module:name`; got 'user_networks.py'"),
        ("user_networks:", "named as"),
        ("", "named as `package.module:name`; got ''"),
        (":make", "The network ':make' cannot be found: ValueError: Empty module name"),
        (".user_networks:make", "The network '.user_networks:make' cannot be found: "),
        (
            "user_nothing:make",
            "'user_nothing:make' cannot be found: ModuleNotFoundError: No module named 'user_nothing'",
        ),
        ("user_networks:mak", "'user_networks:mak' cannot be found: AttributeError: module .* has no attribute 'mak'"),
        ("user_networks:number", "'user_networks:number' could not make a network: TypeError: 'int' object is not"),
        ("user_networks:make_number", r"'user_networks:make_number' made a int, not a torch.nn.Module"),
        ("user_networks:make_class", r"'user_networks:make_class' made a type, not a torch.nn.Module"),
        (
            "user_networks:Sized",
            "could not make a network: TypeError: .* missing 1 required positional argument: 'size'",
        ),
        ("user_networks:fail", "'user_networks:fail' could not make a network: KeyError: 'depth'"),
        ("user_networks:exits", "could not make a network: IndexError: no such stage"),
    ],
)
def test_what_is_no_network_is_refused(user_module, path, message):
    with pytest.raises(ValueError, match=message):
        load_network(path, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "cannot be found: SyntaxError: invalid syntax"),
        ("import missing_dependency\n", "cannot be found: ModuleNotFoundError: No module named 'missing_dependency'"),
        ("1 / 0\n", "cannot be found: ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused_with_the_reason(user_module, text, message):
    (user_module / "user_broken.py").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_network("user_broken:make", None)


# Weights


def net_weights(seed=1):
    random = torch.Generator().manual_seed(seed)
    return {
        "fc.weight": torch.randn(2, 3, generator=random),
        "fc.bias": torch.randn(2, generator=random),
        "bn.weight": torch.ones(2),
        "bn.bias": torch.zeros(2),
        "bn.running_mean": torch.zeros(2),
        "bn.running_var": torch.ones(2),
        "bn.num_batches_tracked": torch.tensor(7),
    }


def write(path, weights):
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "w"])
def test_weights_are_loaded_from_every_kind_of_file(user_module, name):
    network = load_network("user_networks:Net", write(user_module / name, net_weights()))
    for key, tensor in net_weights().items():
        assert torch.equal(network.state_dict()[key], tensor)


def test_batch_counters_may_be_missing(user_module):
    weights = {key: tensor for key, tensor in net_weights().items() if not key.endswith("num_batches_tracked")}
    network = load_network("user_networks:Net", write(user_module / "w.safetensors", weights))
    assert torch.equal(network.fc.weight, weights["fc.weight"])


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.bias": None}, r"do not fit Net: 1 are missing \['fc.bias'\], 0 are not its own \[\]"),
        ({"fc.b": torch.zeros(2)}, r"0 are missing \[\], 1 are not its own \['fc.b'\]"),
        ({"fc.weight": torch.zeros(2, 4)}, r"do not fit Net: .*size mismatch for fc.weight.*\[2, 4\].*\[2, 3\]"),
        (
            {name: None for name in net_weights()} | {f"module.{k}": v for k, v in net_weights().items()},
            r"6 are missing \['fc.weight', 'fc.bias', 'bn.weight'\], 7 are not its own \['module\.",
        ),
    ],
    ids=["missing", "unexpected", "shape", "prefix"],
)
def test_weights_that_do_not_fit_are_refused(user_module, name, change, message):
    weights = {key: tensor for key, tensor in (net_weights() | change).items() if tensor is not None}
    with pytest.raises(ValueError, match=rf"(?s)The weights in .*{name} .*{message}"):
        load_network("user_networks:Net", write(user_module / name, weights))


class Intruder:
    """Unpickling runs code."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("how", ["pickle", "torch", "inside"])
def test_code_in_a_file_is_refused_and_not_run(user_module, how):
    trace, path = user_module / "trace", user_module / "w.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Intruder(trace), protocol=2))
    else:
        torch.save(Intruder(trace) if how == "torch" else net_weights() | {"fc.bias": Intruder(trace)}, path)
    with pytest.raises(ValueError, match=r"w\.pt is not a whole state dict .* code in a file is never run"):
        load_network("user_networks:Net", path)
    assert not trace.exists()


def test_a_pickled_network_is_refused(user_module):
    torch.save(nn.Linear(3, 2), user_module / "w.pt")
    with pytest.raises(ValueError, match=r"holds more than tensors. Save it so, or as safetensors"):
        load_network("user_networks:Net", user_module / "w.pt")


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"fc.weight": 3}, {1: torch.zeros(2)}, {"state_dict": {}}])
def test_other_content_is_refused(user_module, content):
    torch.save(content, user_module / "w.pt")
    with pytest.raises(ValueError, match=r"The weights in .*w\.pt do not fit Net"):
        load_network("user_networks:Net", user_module / "w.pt")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(user_module, name, share):
    path = write(user_module / name, net_weights())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=rf"{name} is not a whole (safetensors file|state dict)"):
        load_network("user_networks:Net", path)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_foreign_files_are_refused(user_module, name):
    random = np.random.default_rng(0)
    texts = [b"weights\n", b"hello world\n", b"\x80\x02", b"PK\x03\x04", b"{}"]
    for content in [*texts, *(random.bytes(60) for _ in range(100))]:
        (user_module / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is not a whole"):
            load_network("user_networks:Net", user_module / name)


def test_a_missing_file_is_named(user_module):
    with pytest.raises(FileNotFoundError, match=r"There is no weights file .*none\.pt"):
        load_network("user_networks:Net", user_module / "none.pt")
    with pytest.raises(FileNotFoundError, match="There is no weights file"):
        load_network("user_networks:Net", user_module)


# Models


SPEC = CrossbarSpec(4, 3, r_source=1000.0)


def write_emulator(path, spec=SPEC, device=Sinh(0.25)):  # noqa: B008
    """An untrained emulator of `spec`: what a file says of its circuit is all that matters here."""
    window = Window()
    network = Geniex(spec, Scaling(window.v_max, window.g_off, window.g_on, 0.5, 2.0), hidden=2)
    save(path, network, EmulatorCard(spec, describe_device(device), window, {}, {}, {}, {}))
    return network


def config_for(spec=SPEC, file="tiny.safetensors", **cell):
    return EvaluationConfig(
        crossbar=CrossbarSection(**vars(spec)), cell=CellSection(**cell), emulator=EmulatorSection(file=file)
    )


def test_each_name_gives_its_model_of_the_configured_crossbar(tmp_path):
    write_emulator(tmp_path / "tiny.safetensors")
    models = load_models(["circuit", "digital", "geniex", "ideal", "linear", "reduced"], config_for(), tmp_path)
    assert list(models) == ["circuit", "digital", "geniex", "ideal", "linear", "reduced"]
    assert models["digital"] is None
    assert isinstance(models["ideal"], Ideal)
    assert isinstance(models["linear"], LinearCircuit)
    assert models["linear"].spec == SPEC
    assert isinstance(models["geniex"], Geniex)
    assert models["geniex"].spec == SPEC
    assert isinstance(models["reduced"], ReducedOrder)
    assert models["reduced"].basis.levels.tolist() == pytest.approx([0.25 * level / 15 for level in range(16)])
    assert isinstance(models["circuit"], Circuit)
    assert (models["circuit"].solver.spec, models["circuit"].solver.device) == (SPEC, Sinh(0.25))
    assert set(models) == set(MODELS)


def test_cells_of_the_configuration_are_those_of_the_circuit(tmp_path):
    made = load_models(["circuit"], config_for(device="ohmic"), tmp_path)
    assert made["circuit"].solver.device == Ohmic()


def test_an_emulator_is_what_was_saved(tmp_path):
    saved = write_emulator(tmp_path / "tiny.safetensors")
    loaded = load_models(["geniex"], config_for(), tmp_path)["geniex"]
    assert all(torch.equal(a, b) for a, b in zip(saved.parameters(), loaded.parameters(), strict=True))


def test_an_absolute_path_of_an_emulator_is_not_relative_to_the_folder(tmp_path):
    write_emulator(tmp_path / "tiny.safetensors")
    loaded = load_models(["geniex"], config_for(file=str(tmp_path / "tiny.safetensors")), tmp_path / "elsewhere")
    assert isinstance(loaded["geniex"], Geniex)


@pytest.mark.parametrize(
    ("names", "got"),
    [
        ([], "none"),
        (["digital", "exact"], "digital, exact"),
        (["Ideal"], "Ideal"),
        (["ideal", "ideal"], "ideal, ideal"),
        ([""], "none"),
    ],
)
def test_names_must_be_known_and_given_once(tmp_path, names, got):
    with pytest.raises(
        ValueError,
        match=rf"Models are some of digital, ideal, linear, geniex, reduced, circuit, each once; got {got}\.",
    ):
        load_models(names, config_for(), tmp_path)


@pytest.mark.parametrize(
    ("spec", "device", "difference"),
    [
        (CrossbarSpec(4, 4, r_source=1000.0), Sinh(0.25), "cols = 4 instead of 3"),
        (replace(SPEC, r_source=500.0), Sinh(0.25), "r_source = 500.0 instead of 1000.0"),
        (replace(SPEC, r_col=0.0), Sinh(0.25), "r_col = 0.0 instead of 2.5"),
        (SPEC, Sinh(0.3), "v0 = 0.3 instead of 0.25"),
        (SPEC, Ohmic(), "type = Ohmic instead of Sinh, v0 = None instead of 0.25"),
        (
            CrossbarSpec(8, 8),
            Sinh(0.25),
            "rows = 8 instead of 4, cols = 8 instead of 3, r_source = 500.0 instead of 1000.0",
        ),
    ],
)
def test_an_emulator_of_another_circuit_is_refused_with_the_differences(tmp_path, spec, device, difference):
    write_emulator(tmp_path / "tiny.safetensors", spec, device)
    with pytest.raises(
        ValueError,
        match=rf"emulator 'tiny.safetensors' was made for another crossbar: {difference}\. Train one .*`geniex train`",
    ):
        load_models(["digital", "geniex"], config_for(), tmp_path)


def test_the_shipped_emulator_is_refused_for_another_crossbar(tmp_path):
    with pytest.raises(ValueError, match="'nominal_64x64_v250' was made for another crossbar: rows = 64 instead of 4"):
        load_models(["geniex"], config_for(file="nominal_64x64_v250"), tmp_path)


def test_an_emulator_that_is_not_asked_for_is_not_read(tmp_path):
    assert list(load_models(["digital", "ideal"], config_for(file="none"), tmp_path)) == ["digital", "ideal"]


def test_a_missing_emulator_is_named_with_those_that_ship(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no emulator file .*none, and none of that name ships with geniex; there are nominal_"
    ):
        load_models(["geniex"], config_for(file="none"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no emulator"])
def test_a_damaged_emulator_is_refused(tmp_path, content):
    (tmp_path / "tiny.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny\.safetensors is not a whole safetensors file.*`geniex train`"):
        load_models(["geniex"], config_for(), tmp_path)


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(3)}, tmp_path / "tiny.safetensors")
    with pytest.raises(ValueError, match=r"tiny\.safetensors is not an emulator of this version"):
        load_models(["geniex"], config_for(), tmp_path)


def test_the_default_configuration_loads_with_the_shipped_emulator():
    models = load_models(["geniex"], EvaluationConfig(), Path())
    assert models["geniex"].operating_range == presets.emulator("nominal_64x64_v250").operating_range

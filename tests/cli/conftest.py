import sys
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from tests.cli.commands import EVALUATION, NETWORK, TRAINING, succeed


@pytest.fixture(autouse=True)
def _as_users_run_it(monkeypatch):
    """Without checks of annotations, which would come before the command's own."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with an emulator of 4x5 cells, made by the command itself."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.toml").write_text(TRAINING)
    stdout = succeed("train", folder / "train.toml", folder / "tiny.safetensors")
    return folder, stdout


@pytest.fixture
def workspace(tmp_path, monkeypatch, trained):
    """The current folder of a user: a network, weights, images, a configuration, an emulator."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_tiny_network.py").write_text(NETWORK)
    (tmp_path / "run.toml").write_text(EVALUATION)
    (tmp_path / "tiny.safetensors").write_bytes((trained[0] / "tiny.safetensors").read_bytes())
    random = np.random.default_rng(1)
    np.savez("data.npz", images=random.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8), labels=random.integers(0, 3, 8))
    yield tmp_path
    sys.modules.pop("my_tiny_network", None)


@pytest.fixture
def circuits(tmp_path, monkeypatch):
    """Writes an input file of `solve`; changes by name, None leaves out."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    arrays = {"v": random.uniform(-0.25, 0.25, (2, 3, 6)), "g": random.uniform(1e-6, 1e-5, (2, 6, 4))}

    def write(**changes):
        content = {name: array for name, array in (arrays | changes).items() if array is not None}
        np.savez("circuits.npz", **content)
        return content

    return write


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A current folder with a configuration and the dataset that it makes."""
    monkeypatch.chdir(tmp_path)
    Path("train.toml").write_text(TRAINING)
    return succeed("dataset", "train.toml", "data", "--workers", "2")


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A current folder with curves of a filament by NumPy, with 1 % noise, in 3 states of known gap."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    rows = ["# made up", "gap (nm);voltage (mV);current (uA)"]
    for gap in (0.8, 1.0, 1.2):
        for v in np.linspace(-0.4, 0.4, 17):
            i = 1e-3 * np.exp(-gap / 0.25) * np.sinh(v / 0.25) * (1 + 0.01 * random.standard_normal())
            rows.append(f"{gap};{1e3 * v:.4f};{1e6 * i:.6f}")
    Path("data.csv").write_text("\n".join(rows))
    return tmp_path

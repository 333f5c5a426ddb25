"""An emulator file gives back what was saved, or says what is wrong with it; it is never half written."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import geniex
from geniex.emulation import load, load_card, save


@pytest.fixture
def path(tmp_path, trained):
    path = tmp_path / "emulator.safetensors"
    save(path, *trained)
    return path


def reads():
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(0, 16, (3, 5, 8), generator=generator) * 0.25 / 15
    g = 1e-5 / 6 + torch.randint(0, 16, (3, 8, 8), generator=generator) * (1e-5 - 1e-5 / 6) / 15
    return v, g


# --- round trips ---


def test_float32_comes_back_exactly(path, trained):
    network, card = trained
    loaded = load(path)
    assert loaded.spec == network.spec
    assert loaded.scaling == network.scaling
    assert torch.equal(loaded(*reads()), network(*reads()))
    assert load_card(path) == card


def test_float16_comes_back_closely_in_half_the_space(path, tmp_path, trained):
    network, _ = trained
    half = tmp_path / "half.safetensors"
    save(half, *trained, dtype=torch.float16)
    assert half.stat().st_size < 0.75 * path.stat().st_size
    loaded = load(half)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    # weights to 2^-11, in a sum of 64 that spans a range of f of 0.2
    torch.testing.assert_close(loaded(*reads()), network(*reads()), rtol=1e-3, atol=0)


def test_a_loaded_emulator_is_ready_to_read(path):
    loaded = load(path)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_load_is_a_public_name(path):
    assert geniex.load is load


def test_folders_are_made(tmp_path, trained):
    save(tmp_path / "new" / "folder" / "emulator.safetensors", *trained)
    assert load(tmp_path / "new" / "folder" / "emulator.safetensors").spec == trained[0].spec


def test_paths_may_be_strings(tmp_path, trained):
    save(str(tmp_path / "emulator.safetensors"), *trained)
    assert load(str(tmp_path / "emulator.safetensors")).spec == trained[0].spec


# --- atomic ---


def half_written(file, content):
    file.open("wb").close()
    raise OSError("no space left on device")


def test_a_failed_save_leaves_the_old_file_whole_and_nothing_beside_it(path, trained, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", half_written)
    with pytest.raises(OSError, match="no space left"):
        save(path, *trained)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_first_save_leaves_nothing(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", half_written)
    with pytest.raises(OSError, match="no space left"):
        save(tmp_path / "emulator.safetensors", *trained)
    assert list(tmp_path.iterdir()) == []


def test_a_save_replaces_the_old_file_and_leaves_nothing_beside_it(path, trained):
    save(path, *trained, dtype=torch.float16)
    assert list(path.parent.iterdir()) == [path]


# --- what cannot be loaded ---

BOTH = pytest.mark.parametrize("read", [load, load_card], ids=lambda read: read.__name__)


def rewrite(path, change):
    """Let `change` edit the header's JSON values and the weights."""
    with safe_open(path, framework="pt") as file:
        header = {key: json.loads(value) for key, value in file.metadata().items()}
        weights = {name: file.get_tensor(name) for name in list(file.keys())}
    change(header, weights)
    save_file(weights, path, metadata={key: json.dumps(value) for key, value in header.items()})


@BOTH
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"no emulator file .*nowhere.safetensors"):
        read(tmp_path / "nowhere.safetensors")


@BOTH
def test_a_folder_is_no_emulator(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="no emulator file"):
        read(tmp_path)


@BOTH
@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(path, read, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"emulator.safetensors is not a whole safetensors file.*`geniex train`"):
        read(path)


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_refused(path, read, seed):
    noise = torch.randint(0, 256, (4096,), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    path.write_bytes(bytes(noise.tolist()))
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        read(path)


class Trap:
    """Raises when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


@BOTH
@pytest.mark.parametrize("dump", [pickle.dump, torch.save], ids=["pickle", "torch.save"])
def test_a_pickle_is_refused_and_never_executed(path, read, dump):
    with path.open("wb") as file:
        dump({"weights": Trap()}, file)
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        read(path)


@BOTH
def test_a_foreign_safetensors_file_is_refused(path, read):
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"not an emulator .*: its format is nothing, not geniex-emulator/1"):
        read(path)


@BOTH
def test_another_version_is_refused(path, read):
    rewrite(path, lambda header, weights: header.update(format="geniex-emulator/2"))
    with pytest.raises(ValueError, match=r"its format is \"geniex-emulator/2\", not geniex-emulator/1"):
        read(path)


def no_card(header, weights):
    del header["card"]


DAMAGED_CARDS = {
    "no card": no_card,
    "a card that is a list": lambda header, weights: header.update(card=[1, 2]),
    "a card that is a number": lambda header, weights: header.update(card=3),
    "no circuit": lambda header, weights: header["card"].pop("spec"),
    "a circuit of text": lambda header, weights: header["card"].update(spec="8x8"),
    "a circuit of no size": lambda header, weights: header["card"]["spec"].update(rows=-1),
    "errors in a list": lambda header, weights: header["card"].update(errors=[]),
    "errors of text": lambda header, weights: header["card"].update(errors={"geniex": "small"}),
    "a window of text": lambda header, weights: header["card"]["window"].update(v_max="high"),
}
DAMAGED_NETWORKS = {
    "no scaling": lambda header, weights: header.pop("scaling"),
    "a scaling of text": lambda header, weights: header.update(scaling="wide"),
    "an impossible scaling": lambda header, weights: header["scaling"].update(f_min=2.0, f_max=1.0),
    "a scaling that is not finite": lambda header, weights: header["scaling"].update(f_max=float("nan")),
    "no voltage weights": lambda header, weights: weights.pop("voltage.weight"),
    "no output weights": lambda header, weights: weights.pop("output.bias"),
    "strange weights": lambda header, weights: weights.update(colour=torch.zeros(1)),
    "weights of another size": lambda header, weights: weights.update({"output.weight": torch.zeros(7, 64)}),
    "weights that are not finite": lambda header, weights: weights["output.weight"].fill_(float("nan")),
    "a circuit of another size": lambda header, weights: header["card"]["spec"].update(rows=9),
}


@BOTH
@pytest.mark.parametrize("damage", DAMAGED_CARDS)
def test_a_damaged_card_is_refused(path, read, damage):
    rewrite(path, DAMAGED_CARDS[damage])
    with pytest.raises(ValueError, match=r"emulator.safetensors is damaged: [\s\S]*`geniex train`"):
        read(path)


@pytest.mark.parametrize("damage", DAMAGED_NETWORKS)
def test_a_damaged_network_is_refused(path, damage):
    rewrite(path, DAMAGED_NETWORKS[damage])
    with pytest.raises(ValueError, match=r"emulator.safetensors is damaged: [\s\S]*`geniex train`"):
        load(path)

"""Objects by the names that people type: networks by Python path, weights by file, models of the crossbar by word."""

import importlib
import os
import pickle
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from geniex import presets
from geniex.configuration import EvaluationConfig
from geniex.emulation.card import EmulatorCard, describe_device
from geniex.emulation.checkpoint import load, load_card
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

__all__ = ["MODELS", "load_models", "load_network"]

MODELS = {
    "digital": "the network as it is, in floating point",
    "ideal": "crossbars without parasitics: what quantization alone does",
    "linear": "wires and drivers with ohmic cells: the analytical model",
    "geniex": "the trained emulator",
    "circuit": "the exact nonlinear circuit, about half a minute per image of a ResNet-20",
}


def load_network(path: str, weights: str | os.PathLike[str] | None) -> nn.Module:
    """Make a network and load its weights.

    Args:
        path: `package.module:name` of an `nn.Module` or of a function or class that returns one without arguments. The
            current folder is searched too.
        weights: a safetensors file, or a state dict that `torch.load(weights_only=True)` accepts; None loads nothing.

    Raises:
        ValueError: if there is no such object, it is not a network, or the weights do not fit it.
        FileNotFoundError: if there is no such weights file.
    """
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise ValueError(f"A network is named as `package.module:name`; got {path!r}.")
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"The network {path!r} cannot be found: {error}.") from error
    finally:
        sys.path.pop(0)
    network = made if isinstance(made, nn.Module) else made()
    if not isinstance(network, nn.Module):
        raise ValueError(f"{path!r} made a {type(network).__name__}, not a torch.nn.Module.")
    if weights is not None:
        _load_weights(network, Path(weights))
    return network.eval()


def load_models(names: list[str], config: EvaluationConfig, folder: Path) -> dict[str, CrossbarModel | None]:
    """Models of the configured crossbar by name; None stands for `digital`.

    Args:
        names: some of `MODELS`.
        config: the crossbar, its cells, and the emulator.
        folder: that the emulator's file name is relative to.

    Raises:
        ValueError: if a name is unknown or given twice, or the emulator was made for another crossbar.
    """
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(f"Models are some of {', '.join(MODELS)}, each once; got {', '.join(names) or 'none'}.")
    spec, device = config.crossbar.build(), config.cell.build()
    makers = {
        "digital": lambda: None,
        "ideal": Ideal,
        "linear": lambda: LinearCircuit(spec),
        "geniex": lambda: _emulator(config, folder),
        "circuit": lambda: Circuit(spec, device),
    }
    return {name: makers[name]() for name in names}


def _emulator(config: EvaluationConfig, folder: Path) -> Geniex:
    name = config.emulator.file
    if name in presets.emulators():
        network, card = presets.emulator(name), presets.emulator_card(name)
    else:
        network, card = load(folder / name), load_card(folder / name)
    _check_circuit(name, card, config)
    return network


def _check_circuit(name: str, card: EmulatorCard, config: EvaluationConfig) -> None:
    """An emulator stands for one circuit: sizes, resistances and cells must be those of the configuration."""
    wanted = {**vars(config.crossbar.build()), **describe_device(config.cell.build())}
    made_for = {**vars(card.spec), **card.device}
    different = [key for key in {**wanted, **made_for} if wanted.get(key) != made_for.get(key)]
    if different:
        pairs = ", ".join(f"{key} = {made_for.get(key)} instead of {wanted.get(key)}" for key in different)
        raise ValueError(
            f"The emulator {name!r} was made for another crossbar: {pairs}. Train one for this configuration "
            "with `geniex train`, or name another in `emulator.file`."
        )


def _load_weights(network: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file {path}.")
    try:
        missing, unexpected = network.load_state_dict(_read_weights(path), strict=False)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"The weights in {path} do not fit {type(network).__name__}: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]  # a counter that few files keep
    if missing or unexpected:
        raise ValueError(
            f"The weights in {path} do not fit {type(network).__name__}: {len(missing)} are missing {missing[:3]}, "
            f"{len(unexpected)} are not its own {unexpected[:3]}."
        )


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is not a whole safetensors file or state dict: {error}") from error

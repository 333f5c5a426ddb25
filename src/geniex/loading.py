"""Objects by the names that people type: networks by Python path, weights by file, models of the crossbar by word."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from geniex import presets
from geniex.configuration import EvaluationConfig, TrainingConfig
from geniex.devices.description import describe_device, flattened
from geniex.emulation.card import EmulatorCard
from geniex.emulation.checkpoint import load, load_card
from geniex.files import read_safetensors
from geniex.hints import differences, meant
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex
from geniex.models.guard import RangeGuard
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder
from geniex.zoo import is_of_zoo, zoo_network

__all__ = ["MODELS", "check_circuit", "check_models", "load_emulator", "load_models", "load_network"]

PRETRAINED = "pretrained"

MODELS = {
    "digital": "the network as it is, in floating point",
    "ideal": "crossbars without parasitics: what quantization alone does",
    "linear": "wires and drivers with ohmic cells: the analytical model",
    "geniex": "the trained emulator",
    "reduced": "the reduced-order model: physics, no training",
    "circuit": "the exact nonlinear circuit, about 8 s per image of a ResNet-20 on one core",
}


def load_network(path: str, weights: str | os.PathLike[str] | None) -> nn.Module:
    """Make a network and load its weights.

    Args:
        path: `torchvision:NAME` or `timm:NAME`, or `package.module:name` of an `nn.Module` or of a function or class
            that returns one without arguments. The current folder is searched too.
        weights: a safetensors file, or a state dict that `torch.load(weights_only=True)` accepts; for a network of
            torchvision or timm also the word `pretrained`, for what the library downloads; None loads nothing.

    Raises:
        ValueError: if there is no such object, it is not a network, or the weights do not fit it.
        FileNotFoundError: if there is no such weights file.
        OSError: if weights cannot be downloaded.
    """
    of_zoo = is_of_zoo(path)
    pretrained = of_zoo and weights is not None and os.fspath(weights) == PRETRAINED
    network = zoo_network(path, pretrained) if of_zoo else _network_of(path)
    if weights is not None and not pretrained:
        _load_weights(network, Path(weights))
    return network.eval()


def check_models(names: Sequence[str]) -> None:
    """Raise ValueError unless all are names of models, each once."""
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names or len(set(names)) < len(names):
        hint = meant(unknown[0], MODELS) if unknown else ""
        raise ValueError(f"Models are some of {', '.join(MODELS)}, each once; got {', '.join(names) or 'none'}.{hint}")


def load_models(names: list[str], config: EvaluationConfig, folder: Path) -> dict[str, CrossbarModel | None]:
    """Models of the configured crossbar by name, with its effects; None stands for `digital`.

    Args:
        names: some of `MODELS`.
        config: the crossbar, its cells, effects, and the emulator.
        folder: that the emulator's file name is relative to.

    Raises:
        ValueError: if a name is unknown or given twice, or the emulator was made for another crossbar.
    """
    check_models(names)
    spec, device = config.crossbar.build(), config.cell.build()
    makers: dict[str, Callable[[], CrossbarModel | None]] = {
        "digital": lambda: None,
        "ideal": Ideal,
        "linear": lambda: LinearCircuit(spec),
        "geniex": lambda: _emulator(config, folder),
        "reduced": lambda: ReducedOrder(spec, device, config.inputs.levels(), config.reduced.order),
        "circuit": lambda: Circuit(spec, device),
    }
    return {name: _as_configured(makers[name](), config) for name in names}


def load_emulator(name: str, folder: Path = Path()) -> tuple[Geniex, EmulatorCard]:
    """An emulator and its card, by the name of one that ships or of a file in `folder`.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if the file is damaged or is not an emulator.
    """
    if name in presets.emulators():
        return presets.emulator(name), presets.emulator_card(name)
    if not (folder / name).is_file():
        raise FileNotFoundError(
            f"There is no emulator file {folder / name}, and none of that name ships with geniex; "
            f"there are {', '.join(presets.emulators()) or 'none'}."
        )
    return load(folder / name), load_card(folder / name)


def check_circuit(name: str, card: EmulatorCard, config: EvaluationConfig | TrainingConfig) -> None:
    """Raise ValueError unless sizes, resistances and cells of an emulator are those of the configuration."""
    wanted = {**vars(config.crossbar.build()), **flattened(describe_device(config.cell.build()))}
    made_for = {**vars(card.spec), **flattened(card.device)}
    different = differences(made_for, wanted)
    if different:
        raise ValueError(
            f"The emulator {name!r} was made for another crossbar: {different}. Train one for this configuration "
            "with `geniex train`, or name another in `emulator.file`."
        )


def _network_of(path: str) -> nn.Module:
    """What a Python path names, or makes."""
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise ValueError(
            f"A network is named as `package.module:name`; got {path!r}. Those of libraries are `torchvision:NAME` and "
            "`timm:NAME`."
        )
    with _current_folder_searched():
        try:
            made = getattr(importlib.import_module(module_name), attribute)
        except Exception as error:  # the module is the user's: importing it can raise anything
            raise ValueError(f"The network {path!r} cannot be found: {_describe(error)}") from error
        try:
            network = made if isinstance(made, nn.Module) else made()
        except Exception as error:
            raise ValueError(f"{path!r} could not make a network: {_describe(error)}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{path!r} made a {type(network).__name__}, not a torch.nn.Module.")
    return network


@contextmanager
def _current_folder_searched() -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()  # the module may be newer than this process
    try:
        yield
    finally:
        sys.path[:] = before


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _as_configured(model: CrossbarModel | None, config: EvaluationConfig) -> CrossbarModel | None:
    """A model with the effects of the configuration, and its word on what is out of range."""
    if model is None:
        return None
    hardware = config.hardware()
    wrapped = config.effects.wrap(model, hardware.g_on, hardware.g_off)
    wrapped.guard = RangeGuard(config.outside)
    return wrapped


def _emulator(config: EvaluationConfig, folder: Path) -> Geniex:
    network, card = load_emulator(config.emulator.file, folder)
    check_circuit(config.emulator.file, card, config)
    return network


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
    if path.suffix == ".safetensors":
        return read_safetensors(path, "")[1]
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise anything; what torch says of them advises to run their code
        raise ValueError(
            f"{path} is not a whole state dict as `torch.save(network.state_dict(), path)` writes it, or holds more "
            "than tensors. Save it so, or as safetensors; code in a file is never run."
        ) from error

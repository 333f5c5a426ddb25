"""One safe file per emulator: weights, normalization, circuit, device, recipe and errors, as safetensors.

Loading reads numbers and JSON; it never executes code.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialize

from geniex.emulation.card import EmulatorCard
from geniex.files import read_safetensors, replacing
from geniex.models.geniex import Geniex, Scaling

__all__ = ["load", "load_card", "save"]

FORMAT = "geniex-emulator/1"


def save(path: str | os.PathLike[str], network: Geniex, card: EmulatorCard, dtype: torch.dtype = torch.float32) -> None:
    """Write an emulator; an existing file is replaced in one step or left whole.

    Args:
        path: of the file.
        network: the emulator.
        card: its circuit, recipe and errors.
        dtype: of the stored weights; float16 halves the file.
    """
    header = {"format": FORMAT, "scaling": dataclasses.asdict(network.scaling), "card": card.as_dict()}
    weights = {name: weight.detach().cpu().to(dtype).contiguous() for name, weight in network.state_dict().items()}
    header["sha256"] = _digest(weights)
    with replacing(Path(path)) as beside:
        beside.write_bytes(serialize(weights, metadata={key: json.dumps(value) for key, value in header.items()}))


def load(path: str | os.PathLike[str]) -> Geniex:
    """An emulator, in float32, ready to read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or is not an emulator.
    """
    header, weights = _read(Path(path))
    card = _card(Path(path), header)
    try:
        if not all(weight.isfinite().all() for weight in weights.values()):
            raise ValueError("its weights are not finite")
        numbers: dict[str, Any] = json.loads(header["scaling"])
        numbers |= {name: tuple(numbers[name]) for name in numbers if isinstance(numbers[name], list)}
        scaling = Scaling(**numbers)
        network = Geniex(card.spec, scaling, hidden=len(weights["voltage.weight"]))
        network.load_state_dict(weights)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged: {error}. Make it again with `geniex train`.") from error
    return network.requires_grad_(False).eval()


def load_card(path: str | os.PathLike[str]) -> EmulatorCard:
    """The card of an emulator file; raises as `load`."""
    return _card(Path(path), _read(Path(path))[0])


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no emulator file {path}.")
    header, weights = read_safetensors(path, "Make it again with `geniex train`.")
    if json.loads(header.get("sha256", "null")) not in (None, _digest(weights)):
        raise ValueError(f"{path} is damaged: its weights are not those written. Make it again with `geniex train`.")
    return header, {name: weight.float() for name, weight in weights.items()}


def _digest(weights: dict[str, torch.Tensor]) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(weights):
        sha256.update(name.encode())
        sha256.update(weights[name].view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def _card(path: Path, header: dict[str, str]) -> EmulatorCard:
    found = header.get("format", "nothing")
    if found != json.dumps(FORMAT):
        raise ValueError(f"{path} is not an emulator of this version: its format is {found}, not {FORMAT}.")
    try:
        return EmulatorCard.from_dict(json.loads(header["card"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}. Make it again with `geniex train`.") from error

"""Results of single batches on disk, so that a run that was killed continues where it was.

A result is filed under a digest of everything it depends on: the network, its code and weights, the model, the
hardware, the prepared images. Another configuration never finds it; the same one always does. Two limits: functions
that a network's classes call are not part of the digest (start in a new folder when they change), and what has nothing
but an address, such as a lambda among a network's attributes, is never found again.
"""

import dataclasses
import hashlib
import inspect
import threading
import uuid
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Generator, Tensor, nn

from geniex.files import read_npz, replacing

__all__ = ["BatchStore", "fingerprint"]

_sources: WeakKeyDictionary[type | FunctionType, str] = WeakKeyDictionary()
_reading = threading.Lock()  # Python 3.11 parses in one thread at a time, or raises SystemError


def fingerprint(*parts: object) -> str:
    """A digest of modules (source, structure, attributes, weights), tensors, arrays, anything with a full `repr`."""
    digest = hashlib.sha256(version("geniex").encode())
    for part in parts:
        _update(digest, part)
    return digest.hexdigest()[:32]


class BatchStore:
    """Predictions by fingerprint in a folder. With no folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Keep results in `folder`, made when the first one comes."""
        self.folder = folder

    def get(self, key: str) -> tuple[np.ndarray, float] | None:
        """Predicted classes and seconds, if stored and whole."""
        if self.folder is None or not (self.folder / f"{key}.npz").is_file():
            return None
        try:
            arrays = read_npz(self.folder / f"{key}.npz")
            return arrays["predicted"], float(arrays["seconds"])
        except (ValueError, TypeError, KeyError):
            return None

    def put(self, key: str, predicted: np.ndarray, seconds: float) -> None:
        """Store one batch: written beside, then renamed."""
        if self.folder is None:
            return
        with replacing(self.folder / f"{key}.npz") as beside, beside.open("wb") as file:
            np.savez(file, predicted=predicted, seconds=seconds)


def _update(digest: Any, part: object) -> None:
    if isinstance(part, nn.Module):
        _update_module(digest, part)
    elif isinstance(part, Tensor | np.ndarray | Generator):
        _update_numbers(digest, part)
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
        _update(digest, (_name(type(part)), values))
    elif isinstance(part, Mapping):
        _update(digest, [item for pair in part.items() for item in pair])
    elif isinstance(part, list | tuple):
        digest.update(f"{type(part).__name__} of {len(part)}".encode())
        for item in part:
            _update(digest, item)
    elif isinstance(part, set | frozenset):
        _update(digest, sorted(map(repr, part)))
    elif isinstance(part, FunctionType) and "<" not in part.__qualname__:  # a lambda may hold anything
        _update(digest, (_name(part), _source(part)))
    else:
        described = f"{part!r};"
        digest.update((described + uuid.uuid4().hex if " at 0x" in described else described).encode())


def _update_numbers(digest: Any, part: Tensor | np.ndarray | Generator) -> None:
    """Of a generator, what it is about to draw."""
    if isinstance(part, Generator):
        digest.update(str(part.device).encode())
        part = part.get_state()
    if isinstance(part, Tensor):
        digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
        part = part.detach().cpu().reshape(-1).view(torch.uint8).numpy()
    digest.update(f"{part.dtype} {part.shape}".encode())
    digest.update(np.ascontiguousarray(part).tobytes())


def _update_module(digest: Any, module: nn.Module) -> None:
    """Structure, source, weights, and what the modules hold beside them, such as a factor or a description."""
    own = set(vars(nn.Module()))
    for name, child in module.named_modules():
        values = {key: value for key, value in vars(child).items() if key not in own}
        _update(digest, (name, _name(type(child)), _source(type(child)), values))
    digest.update(repr(module).encode())
    _update(digest, dict(module.named_parameters(remove_duplicate=False)))
    _update(digest, dict(module.named_buffers(remove_duplicate=False)))


def _name(part: type | FunctionType) -> str:
    return f"{part.__module__}.{part.__qualname__}"


def _source(part: type | FunctionType) -> str:
    """The code of a user's class or function; none where there is no file, as in an interactive session."""
    if part.__module__.startswith("torch."):
        return ""
    with _reading:
        if part not in _sources:
            try:
                _sources[part] = inspect.getsource(part)
            except (OSError, TypeError):
                _sources[part] = ""
        return _sources[part]

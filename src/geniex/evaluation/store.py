"""Results of single batches on disk, so that a run that was killed continues where it was.

A result is filed under a digest of everything it depends on: the network and its weights, the model, the hardware, the
prepared images. Another configuration never finds it; the same one always does.
"""

import dataclasses
import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

__all__ = ["BatchStore", "fingerprint"]


def fingerprint(*parts: object) -> str:
    """A digest of modules (type, structure, descriptions, weights), tensors, arrays, anything with a full `repr`."""
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
        digest.update(f"{type(part).__module__}.{type(part).__qualname__} {part!r}".encode())
        for _, module in part.named_modules():
            plain = {k: v for k, v in vars(module).items() if dataclasses.is_dataclass(v)}
            digest.update(repr(sorted(plain.items())).encode())
        for name, tensor in part.state_dict().items():
            digest.update(name.encode())
            _update(digest, tensor)
    elif isinstance(part, Tensor):
        _update(digest, part.detach().cpu().contiguous().numpy())
    elif isinstance(part, np.ndarray):
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    else:
        digest.update(repr(part).encode())

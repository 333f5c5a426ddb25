"""One shard of a dataset as one file: an npz of levels, currents in ampere, and a checksum over both and what they are.

The checksum covers the identity of the dataset and the number of the shard too, so that a shard of another dataset, or
one in the wrong place, is noticed as an edited one is. It lies in the file: one rename makes all of it appear.
"""

import hashlib
import io
from collections.abc import Sequence

import numpy as np
import torch

from geniex.emulation.manifest import DatasetPlan
from geniex.emulation.samples import Samples
from geniex.files import read_npz
from geniex.window import Window

__all__ = ["make_shard", "problem", "read_shard"]

ARRAYS = ("v_level", "g_level", "i")


def make_shard(plan: DatasetPlan, shard: int) -> bytes:
    """Draw and solve a shard; returns its file, the same to the bit every time.

    The identity in it is worked out here, so that a worker of another version cannot pass its shards off as ours.
    """
    manifest = plan.manifest()
    levels = plan.draw(shard, manifest.crossbars_in(shard))
    v_level, g_level, i = (tensor.numpy() for tensor in (*levels, plan.solve(levels)))
    checksum = _checksum((v_level, g_level, i), manifest.digest(), shard)
    file = io.BytesIO()
    np.savez_compressed(file, v_level=v_level, g_level=g_level, i=i, checksum=checksum)
    return file.getvalue()


def read_shard(content: bytes, window: Window, digest: str, shard: int) -> Samples:
    """The samples of a shard.

    Args:
        content: of its file.
        window: of the dataset.
        digest: identity of the dataset.
        shard: number of the shard.

    Raises:
        ValueError: if it is damaged, was edited, or is another shard.
    """
    v_level, g_level, i = (torch.from_numpy(array) for array in _checked(content, digest, shard))
    return Samples.from_currents(window, (v_level, g_level), i)


def problem(content: bytes, digest: str, shard: int) -> str:
    """What is wrong with the file of a shard; nothing where it is whole."""
    try:
        _checked(content, digest, shard)
    except ValueError as error:
        return str(error)
    return ""


def _checked(content: bytes, digest: str, shard: int) -> list[np.ndarray]:
    """`ARRAYS` of the file of a shard; ValueError unless they are what was written."""
    stored = read_npz(io.BytesIO(content))
    missing = [name for name in (*ARRAYS, "checksum") if name not in stored]
    if missing:
        raise ValueError(f"it holds no {missing[0]!r}.")
    arrays = [stored[name] for name in ARRAYS]
    if not np.array_equal(stored["checksum"], _checksum(arrays, digest, shard)):
        raise ValueError("its checksum does not fit: it was changed, or is a shard of something else.")
    return arrays


def _checksum(arrays: Sequence[np.ndarray], digest: str, shard: int) -> np.ndarray:
    sha256 = hashlib.sha256(f"{digest} {shard}".encode())
    for name, array in zip(ARRAYS, arrays, strict=True):
        sha256.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return np.frombuffer(sha256.digest(), np.uint8)

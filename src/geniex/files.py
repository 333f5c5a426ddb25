"""Files that are whole or not there: read without running code, written beside and then renamed."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

__all__ = ["read_npz", "replacing"]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file, by name.

    Raises:
        ValueError: if it is cut short, damaged, something else, or holds Python objects, which are never unpickled.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not an npz file, or its end is missing.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it is damaged, or holds Python objects: {error}.") from error
    foreign = [name for name, array in content.items() if not isinstance(array, np.ndarray)]
    if foreign:
        raise ValueError(f"it holds {foreign[0]!r}, which is not an array.")
    return content


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to. At the end it becomes `path`; on an error it goes, and `path` stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

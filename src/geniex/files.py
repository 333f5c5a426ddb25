"""Files that are whole or not there: read without running code, written beside and then renamed."""

import errno
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from torch import Tensor

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["NoSpaceLeft", "check_writable", "exclusive", "read_npz", "read_safetensors", "replacing"]

FULL = (errno.ENOSPC, errno.EDQUOT)


class NoSpaceLeft(OSError):
    """A disk, or what a user may have of it, is full."""

    def __str__(self) -> str:
        folder = os.path.dirname(self.filename) or "."
        return (
            f"{self.filename} cannot be written: {self.strerror}. Make room for {folder}, and give the same command "
            "again. Files that were there before are whole."
        )


def read_npz(source: Path | BytesIO) -> dict[str, np.ndarray]:
    """All arrays of an npz file, by name; an open file is closed.

    Raises:
        ValueError: if it is cut short, damaged, something else, or holds Python objects, which are never unpickled.
    """
    if not zipfile.is_zipfile(source):
        raise ValueError("it is not an npz file, or its end is missing.")
    try:
        with source.open("rb") if isinstance(source, Path) else source as file:
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                content = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it is damaged, or holds Python objects: {error}.") from error
    foreign = [name for name, array in content.items() if not isinstance(array, np.ndarray)]
    if foreign:
        raise ValueError(f"it holds {foreign[0]!r}, which is not an array.")
    return content


def read_safetensors(path: Path, remedy: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header and tensors of a safetensors file, on the CPU.

    Args:
        path: of the file, which is there.
        remedy: ends the error.

    Raises:
        ValueError: if it is cut short, damaged or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}. {remedy}".rstrip()) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to. At the end it becomes `path`; on an error it goes, and `path` stays.

    Raises:
        NoSpaceLeft: if the disk is full; a write does not say by itself which file it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # threads and machines may write the same
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        if error.errno in FULL and not isinstance(error, NoSpaceLeft):
            raise NoSpaceLeft(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise OSError unless a file can be made at `path`: now, not after long work. Missing folders are made."""
    try:
        with replacing(path) as beside:
            beside.touch()
            raise _Tried
    except _Tried:
        return
    except OSError as error:
        why = next((f"{parent} is no folder" for parent in path.parents if parent.is_file()), error.strerror or error)
        raise OSError(f"{path} cannot be written: {why}. Name another file.") from error


class _Tried(Exception):
    """Ends an attempt before anything is replaced."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """One process at a time in a folder. A killed process lets go of it. Windows and some network disks cannot tell.

    Raises:
        OSError: if another process is in it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"Another process is at work in {folder}. Wait until it has finished, or stop it.") from error
        except OSError:  # no locks on this disk: what is written is whole in any case
            pass
        yield
    finally:
        os.close(descriptor)

"""Compiled code on disk: used again as long as the sources that it was compiled from are the same.

numba looks at the file of a function, not at those of the functions that it calls. Here the name under which a function
is kept says what all the files were.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, no_type_check

from numba import njit

from geniex import devices

__all__ = ["DEVICES", "HERE", "kept", "kept_in", "mark_source"]


HERE = Path(__file__).parent
DEVICES = Path(devices.__file__).parent


@no_type_check
def kept(function: Callable[..., Any]) -> Any:
    """Compile a function of this package for use without Python's lock, and keep what comes of it."""
    return njit(nogil=True, cache=True)(mark_source(function, HERE))


@no_type_check
def kept_in(folder: Path) -> Callable[..., Any]:
    """A decorator like `kept` for passes over float arrays in a file of `folder`: products may be fused with sums."""
    options = {"nogil": True, "cache": True, "fastmath": {"contract"}, "error_model": "numpy"}
    return lambda function: njit(**options)(mark_source(function, folder))


def mark_source(function: Callable[..., Any], *folders: Path) -> Callable[..., Any]:
    """Put the fingerprint of the sources in `folders` into the function's name."""
    function.__qualname__ += f".{_fingerprint(*folders)}"
    return function


@cache
def _fingerprint(*folders: Path) -> str:
    sources = sorted(path for folder in folders for path in folder.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]

"""Hints in errors about names: which one was meant."""

import difflib
from collections.abc import Sequence

__all__ = ["nearest"]


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint at which of `names` was meant by `name`."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Possible: {', '.join(names[:12])}."

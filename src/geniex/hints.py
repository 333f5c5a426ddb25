"""Hints in errors: which name was meant, where two descriptions differ."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten

__all__ = ["differences", "meant", "nearest"]


def meant(name: str, names: Iterable[str]) -> str:
    """A hint at which of `names` was meant by `name`; empty where none is like it."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def nearest(name: str, names: Sequence[str]) -> str:
    """The same, or the first of `names` where none is like it."""
    return meant(name, names) or f" Possible: {', '.join(names[:12])}{', ...' if len(names) > 12 else '.'}"


def differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    """Names whose values differ, with both values, in one line; empty where none does."""

    def brief(values: Mapping[str, object], name: str) -> str:
        return shorten(str(values.get(name)), 60)

    different = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    return ", ".join(f"{name} = {brief(found, name)} instead of {brief(wanted, name)}" for name in different)

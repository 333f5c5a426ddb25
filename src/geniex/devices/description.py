"""A device as plain data: what device files, configuration files and the cards of emulators hold.

A description is a table: `type` is the name of a class of `geniex.devices`, the other entries are its fields. Numbers
are floats, tuples are lists, and a device within a device is a table again. Two devices are equal when their
descriptions are. Devices of one's own are described like all others, and built only by the code that defines them.
"""

import dataclasses
import json
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from geniex import devices
from geniex.devices.base import DeviceModel
from geniex.files import replacing
from geniex.hints import nearest

__all__ = ["build_device", "describe_device", "flattened", "read_device", "write_device"]

KINDS = {"table": "a table that describes a device", 0: "a number", 1: "a list of numbers", 2: "a list of such lists"}
"""What a field can hold: a device, a number, or tuples of numbers of some depth."""


def describe_device(device: DeviceModel) -> dict[str, Any]:
    """The description of a device, ready for JSON and TOML, and for comparison.

    Raises:
        ValueError: if the device is not a dataclass, or a field holds anything but numbers, tuples of them and devices.
    """
    kind = type(device).__name__
    if not dataclasses.is_dataclass(device):
        raise ValueError(f"{kind} cannot be described: make it a frozen dataclass, with its parameters as fields.")
    fields = {
        field.name: _plain(getattr(device, field.name), f"{kind}.{field.name}") for field in _fields(type(device))
    }
    return {"type": kind, **fields}


def build_device(description: Mapping[str, Any]) -> DeviceModel:
    """The device that a description stands for.

    Raises:
        ValueError: naming the field that is unknown, missing, of the wrong kind or out of range.
    """
    known = _known()
    if "type" not in description:
        raise ValueError(f"A device needs a `type`, one of {', '.join(known)}; found {_listed(description)}.")
    kind = description["type"]
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(
            f"{kind!r} is not a device of geniex.{nearest(str(kind), list(known))} "
            "A device of your own is built in Python: pass it to `Circuit` or `evaluate` there."
        )
    wanted = known[kind]
    hints = get_type_hints(wanted)
    fields = {field.name: hints[field.name] for field in _fields(wanted)}
    values = {name: value for name, value in description.items() if name != "type"}
    for name in values:
        if name not in fields:
            raise ValueError(f"`{kind}` has no field {name!r}.{nearest(name, list(fields))}")
    for field in _fields(wanted):
        if field.name not in values and field.default is dataclasses.MISSING:
            raise ValueError(f"`{kind}` needs the field {field.name!r}; found {_listed(values)}.")
    return wanted(**{name: _value(value, fields[name], f"{kind}.{name}") for name, value in values.items()})


def flattened(description: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """The fields of a description in one table, those of a device within a device as `device.v0`."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        flat |= flattened(value, f"{within}{name}.") if isinstance(value, Mapping) else {f"{within}{name}": value}
    return flat


def read_device(path: str | os.PathLike[str]) -> DeviceModel:
    """The device in a TOML file, such as `geniex fit-device` writes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it does not describe a device of geniex.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no device file {path}.")
    try:
        return build_device(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a device file: {error}") from error


def write_device(path: str | os.PathLike[str], device: DeviceModel, comment: str = "") -> None:
    """Write a device to a TOML file under a comment; an existing file is replaced in one step or left whole.

    Raises:
        ValueError: if `read_device` could not build it again.
    """
    description = describe_device(device)
    build_device(description)
    lines = [f"# {''.join(filter(str.isprintable, line))}".rstrip() for line in comment.splitlines()]
    with replacing(Path(path)) as beside:
        beside.write_text("\n".join([*lines, *_toml(description)]) + "\n", encoding="utf-8")


@cache
def _known() -> dict[str, type[DeviceModel]]:
    """Every device of geniex by name."""
    kinds = [kind for kind in vars(devices).values() if isinstance(kind, type) and issubclass(kind, DeviceModel)]
    return {kind.__name__: kind for kind in kinds if dataclasses.is_dataclass(kind)}


def _fields(kind: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.init]


def _plain(value: object, name: str) -> Any:
    if isinstance(value, DeviceModel):
        return describe_device(value)
    if isinstance(value, tuple | list):
        return [_plain(item, name) for item in value]
    if isinstance(value, bool | str | NoneType):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(
        f"`{name}` cannot be described: it is a {type(value).__name__}, not a number, a tuple or a device. "
        "Make a tuple of numbers of it."
    )


def _value(value: Any, hint: Any, name: str) -> Any:
    """What a constructor takes for a value of a description."""
    possible = sorted(_kinds(hint), key=str)
    kind = _kind(value)
    if kind not in possible:
        words = " or ".join(KINDS[one] for one in possible)
        raise ValueError(f"`{name}` must be {words}; got {_shortened(value)}.")
    return build_device(value) if kind == "table" else _numbers(value)


def _kinds(hint: Any) -> set[Any]:
    """Keys of `KINDS` that a type allows."""
    if isinstance(hint, type) and issubclass(hint, DeviceModel):
        return {"table"}
    if get_origin(hint) is tuple:
        return {depth + 1 for depth in _kinds(get_args(hint)[0])}
    return {kind for one in get_args(hint) for kind in _kinds(one)} or {0}


def _kind(value: Any) -> Any:
    """The key of `KINDS` that a value has; None for anything else."""
    if isinstance(value, Mapping):
        return "table"
    if isinstance(value, list | tuple):
        kinds = {_kind(item) for item in value}
        return None if len(kinds) != 1 or kinds & {None, "table"} else 1 + kinds.pop()
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(value: Any) -> Any:
    return tuple(_numbers(item) for item in value) if isinstance(value, list | tuple) else float(value)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(map(str, values)) or "nothing"


def _toml(description: Mapping[str, Any], table: str = "") -> list[str]:
    """Lines of TOML; tables come last, and lists of lists have a line for each."""
    lines = [f"[{table}]"] if table else []
    for name, value in description.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            lines += [f"{name} = [", *(f"  {json.dumps(row)}," for row in value), "]"]
        elif not isinstance(value, Mapping):
            lines.append(f"{name} = {json.dumps(value)}")
    for name, value in description.items():
        if isinstance(value, Mapping):
            lines += ["", *_toml(value, f"{table}.{name}" if table else name)]
    return lines

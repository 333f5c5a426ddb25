"""Reading of configuration files, and the messages about what is wrong in one.

A file is checked whole before anything runs; unknown fields are refused with the nearest valid name.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from geniex.configuration.sections import ALTERNATIVES, BRANCHES, FOLDER, FileSection, Section
from geniex.hints import nearest

__all__ = ["checked", "read_config", "template"]

PROBLEMS = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list",
    "model_type": "must be a table of fields",
    "literal_error": "must be {expected}",
    "less_than_equal": "must be at most {le:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than": "must be below {lt}",
    "missing": "has too few values",
    "too_long": "has too many values",
    "too_short": "has too few values",
    "invalid_key": "has a field whose name is not text",
    "value_error": "{error}",
}
"""What is wrong, by pydantic's name of it, with what pydantic tells about it."""


Config = TypeVar("Config", bound=Section)


def read_config(path: str | os.PathLike[str], kind: type[Config]) -> Config:
    """Read a TOML (`.toml`) or YAML (`.yaml`, `.yml`) file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming every unknown field, wrong type and value out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no configuration file {path}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".toml":
            content: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            content = yaml.load(text, _YamlLoader)
        else:
            raise ValueError(f"its name ends in {path.suffix!r}, not in .toml, .yaml or .yml")
    except (ValueError, tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return checked({} if content is None else content, kind, path.parent, str(path))


def checked(content: Any, kind: type[Config], folder: Path, source: str) -> Config:
    """The content of a file as a configuration.

    Args:
        content: tables and values.
        kind: of configuration.
        folder: that names of files in it are relative to.
        source: what the errors say cannot be used.

    Raises:
        ValueError: naming every unknown field, wrong type and value out of range.
    """
    try:
        return kind.model_validate(content, context={FOLDER: folder})
    except ValidationError as error:
        _check_kind(content, kind, source)
        problems = "\n".join(f"  {_problem(kind, dict(detail))}" for detail in error.errors())
        raise ValueError(f"{source} cannot be used:\n{problems}") from error


def _check_kind(content: Any, kind: type[Section], source: str) -> None:
    """Raise ValueError if the content is that of another command's file."""
    if not issubclass(kind, FileSection) or not isinstance(content, dict) or set(content) <= set(kind.model_fields):
        return
    for other in FileSection.__subclasses__():
        if set(content) <= set(other.model_fields):
            raise ValueError(
                f"{source} is a file of `geniex {other.command}`, not of `geniex {kind.command}`: `geniex template "
                f"{kind.command}` prints one. A study names that of `geniex evaluate` as its `config`."
            )


def template(kind: type[Section]) -> str:
    """A TOML file of all fields with their defaults, each explained."""
    return "\n".join([f"# {kind.__doc__}", *_lines(kind)]) + "\n"


def _lines(section: type[Section]) -> Iterator[str]:
    tables: list[tuple[str, type[Section]]] = []
    for name, field in section.model_fields.items():
        default = field.default
        if isinstance(default, Section):
            tables.append((name, type(default)))
            continue
        value = "" if default is None else json.dumps(list(default) if isinstance(default, tuple) else default)
        yield f"{'# ' if default is None else ''}{name} = {value}".rstrip() + f"  # {field.description}"
    for name, table in tables:
        yield f"\n# {table.__doc__}"
        alternative = section.model_fields[name].description
        if alternative:
            yield f"# Instead of this table, at the top of the file: {name} = {alternative.replace(' ', '  # ', 1)}"
        yield f"[{name}]"
        yield from _lines(table)


def _problem(kind: type[Section], detail: dict[str, Any]) -> str:
    """One line for one error of pydantic."""
    names, section = [], kind
    for part in detail["loc"]:
        if part in BRANCHES or isinstance(part, int):
            continue
        names.append(str(part))
        default = section.model_fields[part].default if part in section.model_fields else None
        section = type(default) if isinstance(default, Section) else section
    name, problem = ".".join(names), detail["type"]
    if problem == "extra_forbidden":
        return f"`{name}` is not a field.{_nearest_field(kind, section, names[-1])}"
    words = (PROBLEMS.get(problem) or str(detail["msg"])).format(**detail.get("ctx", {}))
    if problem == "model_type" and name and not isinstance(kind.model_fields[name].annotation, type):
        words += ' or "none"'
    if problem in ("int_type", "float_type", "literal_error"):
        words += ALTERNATIVES.get(str(detail["loc"][-1]), "")
    if problem == "value_error":
        return f"`{name}`: {words}" if name else words
    return f"`{name}` {words}; got {detail['input']!r}." if name else f"The file {words}; got {detail['input']!r}."


def _nearest_field(kind: type[Section], section: type[Section], name: str) -> str:
    """A hint at what was meant by `name` in `section`: a field of another table, or one of a similar name."""
    tables = {table: type(field.default) for table, field in kind.model_fields.items()}
    elsewhere = [
        f"{table}.{name}"
        for table, fields in tables.items()
        if issubclass(fields, Section) and name in fields.model_fields
    ]
    if elsewhere:
        return f" Did you mean {' or '.join(map(repr, elsewhere))}?"
    return nearest(name, list(section.model_fields))


class _YamlLoader(yaml.SafeLoader):
    """YAML 1.1 but for two of its traps: 1e5 is a number, and a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"{key!r} is given twice.")
        return super().construct_mapping(node, deep)


_YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)

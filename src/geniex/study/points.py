"""From the axes of a study to configurations, all of them checked before the first one is run."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geniex.configuration import EvaluationConfig
from geniex.configuration.reading import checked
from geniex.configuration.sections import field_names, fields_of
from geniex.hints import nearest
from geniex.study.description import Range, StudyConfig

__all__ = ["Point", "points_of"]

AT_MOST = 10_000  # points: more are a slip of the pen


@dataclass(frozen=True)
class Point:
    """One configuration of a study.

    Attributes:
        values: by axis; those of the base configuration where the axis does not move.
        config: the whole configuration.
    """

    values: dict[str, Any]
    config: EvaluationConfig

    def __str__(self) -> str:
        return _written(self.values) or "the base configuration"


def points_of(study: StudyConfig, base: EvaluationConfig, folder: Path = Path()) -> list[Point]:
    """The points of a study, each once, in the order in which they are run.

    Args:
        study: its axes and sampling.
        base: what the axes change.
        folder: that file names among the values are relative to.

    Raises:
        ValueError: if an axis names no field, a range meets a sampling that draws nothing, there are too many points,
            or a point is no valid configuration.
    """
    plain = base.model_dump()
    names = {axis: _fields(axis, plain) for axis in study.axes}
    twice = [name for name, count in Counter(itertools.chain(*names.values())).items() if count > 1]
    if twice:
        raise ValueError(f"`axes` moves {twice[0]!r} twice. Leave it in one axis.")
    nominal = {axis: _together([_get(plain, field) for field in fields]) for axis, fields in names.items()}
    found: dict[str, Point] = {}
    for values in _combinations(study, nominal):
        content = base.model_dump()
        for axis, value in values.items():
            for field, own in zip(names[axis], _apart(axis, value, len(names[axis])), strict=True):
                _set(content, field, own)
        point = Point(values, checked(content, EvaluationConfig, folder, f"The point {_written(values)}"))
        found.setdefault(repr(point.config), point)
        if len(found) > AT_MOST:
            raise ValueError(f"A study has at most {AT_MOST:,} points; these axes make more. Take fewer values.")
    return list(found.values())


def _together(values: list[Any]) -> Any:
    """What an axis of several fields has: the value that all have, or a list of each field's own."""
    alike = all(value == values[0] for value in values)
    return values[0] if len(values) == 1 or (alike and not _is_list(values[0])) else values


def _apart(axis: str, value: Any, fields: int) -> list[Any]:
    """The values of the fields of an axis: where there are several, a list has one for each."""
    if fields == 1 or not _is_list(value):
        return [value] * fields
    if len(value) != fields:
        raise ValueError(
            f"`axes` gives {axis!r} the value {list(value)}: a list has one value for each of its {fields} fields, in "
            "their order; what is no list is the value of all."
        )
    return list(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _written(values: dict[str, Any]) -> str:
    return ", ".join(f"{axis} = {value}" for axis, value in values.items())


def _combinations(study: StudyConfig, nominal: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if study.sampling in ("random", "sobol"):
        yield from _drawn(study)
        return
    values: dict[str, tuple[Any, ...]] = {}
    for axis, given in study.axes.items():
        if isinstance(given, Range):
            raise ValueError(
                f"`axes.{axis}` is a range, from which {study.sampling} cannot draw. List values, or take "
                '`sampling = "sobol"`.'
            )
        values[axis] = given
    if study.sampling == "grid":
        yield from (dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))
        return
    yield nominal
    for axis, given in values.items():
        yield from ({**nominal, axis: value} for value in given)


def _drawn(study: StudyConfig) -> Iterator[dict[str, Any]]:
    from scipy.stats import qmc  # takes as long to import as many a study to describe

    axes = len(study.axes)
    if not axes:
        yield {}
        return
    if study.sampling == "sobol":  # whole powers of 2 are balanced; the first of them are taken
        whole = qmc.Sobol(axes, rng=np.random.default_rng(study.seed)).random_base2((study.samples - 1).bit_length())
        shares = whole[: study.samples]
    else:
        shares = np.random.default_rng(study.seed).random((study.samples, axes))
    for point in shares.tolist():
        each = zip(study.axes.items(), point, strict=True)
        yield {
            axis: given.at(share) if isinstance(given, Range) else given[int(share * len(given))]
            for (axis, given), share in each
        }


def _fields(axis: str, plain: dict[str, Any]) -> list[str]:
    """Dotted names of the fields that an axis moves."""
    fields = fields_of(axis)
    known = list(field_names(EvaluationConfig()))
    for name in fields:
        if name not in known:
            raise ValueError(f"`axes` names {name!r}, which is no field of a configuration.{nearest(name, known)}")
        table = name.partition(".")[0]
        if "." in name and not isinstance(plain[table], dict):
            raise ValueError(f"`axes` moves {name!r}, but the base configuration has {table} = {plain[table]!r}.")
    return fields


def _get(content: dict[str, Any], field: str) -> Any:
    for part in field.split("."):
        content = content[part]
    return content


def _set(content: dict[str, Any], field: str, value: Any) -> None:
    *tables, name = field.split(".")
    for table in tables:
        content = content[table]
    content[name] = value

"""What the page of a study shows, as plain values."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geniex.configuration import EvaluationConfig
from geniex.configuration.sections import field_names, fields_of
from geniex.evaluation.results import Margin

__all__ = ["StudyPage", "StudyPoint", "StudyResult", "closest", "labels", "short_names"]

NOMINAL = "nominal"
CLOSEST = ("circuit", "reduced", "geniex", "linear", "ideal")
"""Models by how closely they know the crossbar."""


@dataclass(frozen=True)
class StudyResult:
    """A model at a point. Energies and latency are per image; None where they were not measured.

    Attributes:
        model: its name.
        top1: share of images classified correctly.
        low: lower end of its 95 % interval.
        high: upper end of it.
        images: number of images.
        difference: to the digital network, as a share.
        nf_error: root mean square error of NF, in percent.
        energy: joule.
        latency: seconds.
        area: square metre.
        against: how far its accuracy is above that of every other model of the point, by name.
    """

    model: str
    top1: float
    low: float
    high: float
    images: int
    difference: float | None = None
    nf_error: float | None = None
    energy: float | None = None
    latency: float | None = None
    area: float | None = None
    against: Mapping[str, Margin] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyPoint:
    """A point of a study.

    Attributes:
        label: what tells it from the others.
        values: by axis.
        results: by model; empty where there is none yet.
        error: what it failed with.
        key: digest of all that the results depend on.
    """

    label: str
    values: dict[str, Any]
    results: dict[str, StudyResult] = field(default_factory=dict)
    error: str | None = None
    key: str = ""


@dataclass(frozen=True)
class StudyPage:
    """What the page of a study shows.

    Attributes:
        title: what was studied.
        version: of geniex.
        one_at_a_time: whether axes move by themselves, from the first point.
        axes: names of the axes.
        points: all points, done or not.
        study: the study file, defaults included.
        config: the base configuration.
        provenance: network, images, command.
        units: of the axes that have one.
    """

    title: str
    version: str
    one_at_a_time: bool
    axes: list[str]
    points: list[StudyPoint]
    study: dict[str, Any]
    config: dict[str, Any]
    provenance: dict[str, Any]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> list[StudyPoint]:
        """Points with results."""
        return [point for point in self.points if point.results]

    @property
    def titles(self) -> dict[str, str]:
        """Short names of the axes, with their units."""
        return {
            axis: f"{name} ({self.units[axis]})" if axis in self.units else name
            for axis, name in short_names(self.axes).items()
        }

    @property
    def models(self) -> list[str]:
        """Names of the models that any point has."""
        return list(dict.fromkeys(name for point in self.points for name in point.results))


def closest(models: Sequence[str]) -> str | None:
    """The model that stands for the circuit."""
    return next((name for name in CLOSEST if name in models), None)


def labels(points: Sequence[Mapping[str, Any]], nominal: Mapping[str, Any] | None) -> list[str]:
    """What tells each point from the others, of their values by axis: all of them, or those that are not `nominal`."""
    names = short_names(list(points[0]) if points else [])
    found = []
    for values in points:
        moved = [axis for axis, value in values.items() if not nominal or value != nominal[axis]]
        found.append(", ".join(_label(names[axis], values[axis]) for axis in moved) or NOMINAL)
    return found


def _label(name: str, value: Any) -> str:
    """`r_on 50000`; of fields that have values of their own, `rows 64, cols 32`."""
    if "," not in name or not isinstance(value, list | tuple):
        return f"{name} {_text(value)}"
    return ", ".join(f"{part} {_text(own)}" for part, own in zip(fields_of(name), value, strict=True))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def short_names(axes: Sequence[str]) -> dict[str, str]:
    """Axes without their tables, where these tell nothing: `cell.r_on` is `r_on`, `adc.bits` stays."""
    tables = Counter(name.rpartition(".")[2] for name in field_names(EvaluationConfig()))
    return {axis: ", ".join(_short(field, tables) for field in fields_of(axis)) for axis in axes}


def _short(field: str, tables: Counter[str]) -> str:
    name = field.rpartition(".")[2]
    return name if tables[name] <= 1 else field

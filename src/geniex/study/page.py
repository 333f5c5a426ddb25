"""The page of a study: from outcomes to what it shows."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geniex.configuration import EvaluationConfig
from geniex.configuration.sections import unit_of
from geniex.evaluation import Margin
from geniex.report.points import StudyPage, StudyPoint, StudyResult, short_names
from geniex.study.description import StudyConfig
from geniex.study.run import Outcome

__all__ = ["labels", "page_of", "write_page"]

NOMINAL = "nominal"


def write_page(page: StudyPage, path: Path) -> None:
    """Write the page of a study as one HTML file, whole or not at all."""
    from geniex.report.study import write_study_page  # plots are slow to import

    write_study_page(page, path)


def page_of(
    outcomes: Sequence[Outcome], study: StudyConfig, base: EvaluationConfig, title: str, provenance: dict[str, Any]
) -> StudyPage:
    """What the page of a study shows.

    Args:
        outcomes: of all its points, in their order.
        study: the study.
        base: what its axes change.
        title: for people.
        provenance: what the caller knows of where it comes from, such as a command.
    """
    named = labels(outcomes, study)
    points = [_point(outcome, label) for outcome, label in zip(outcomes, named, strict=True)]
    known = next((outcome.result["provenance"] for outcome in outcomes if outcome.result is not None), {})
    return StudyPage(
        title=title,
        version=version("geniex"),
        one_at_a_time=study.sampling == "one_at_a_time",
        axes=list(study.axes),
        points=points,
        study=study.model_dump(mode="json"),
        config=base.model_dump(mode="json"),
        provenance={
            **{name: known[name] for name in ("network", "images") if name in known},
            "computed": _computed(outcomes),
            "page_written_with": {"geniex": version("geniex"), "torch": version("torch")},
            **provenance,
        },
        units={axis: unit for axis in study.axes if (unit := _unit(base, axis)) is not None},
    )


def labels(outcomes: Sequence[Outcome], study: StudyConfig) -> list[str]:
    """What tells each point from the others: of studies that move one axis at a time, the axis that moved."""
    names = short_names(list(study.axes))
    nominal = outcomes[0].point.values if outcomes and study.sampling == "one_at_a_time" else None
    found = []
    for outcome in outcomes:
        values = outcome.point.values
        moved = [axis for axis, value in values.items() if not nominal or value != nominal[axis]]
        shown = [_label(names[axis], values[axis]) for axis in moved]
        found.append(", ".join(shown) or NOMINAL)
    return found


def _unit(base: EvaluationConfig, axis: str) -> str | None:
    """The unit that all fields of an axis have."""
    units = {unit_of(base, name.strip()) for name in axis.split(",")}
    return units.pop() if len(units) == 1 else None


def _computed(outcomes: Sequence[Outcome]) -> str:
    """When the first point was started, and the last one."""
    started = sorted({outcome.result["started"] for outcome in outcomes if outcome.result is not None})
    return " to ".join(dict.fromkeys((*started[:1], *started[-1:]))) or "not yet"


def _label(name: str, value: Any) -> str:
    """`r_on 50000`; of fields that have values of their own, `rows 64, cols 32`."""
    if "," not in name or not isinstance(value, list | tuple):
        return f"{name} {_text(value)}"
    return ", ".join(f"{part} {_text(own)}" for part, own in zip(name.split(", "), value, strict=True))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def _point(outcome: Outcome, label: str) -> StudyPoint:
    if outcome.result is None:
        return StudyPoint(label, outcome.point.values, error=outcome.error, key=outcome.key)
    energy = (outcome.result.get("energy") or {}).get("total")
    results = {model["name"]: _result(model, energy) for model in outcome.result["models"]}
    return StudyPoint(label, outcome.point.values, results, key=outcome.key)


def _result(model: dict[str, Any], energy: dict[str, Any] | None) -> StudyResult:
    name, measured = model["name"], energy is not None and model["name"] in energy["energy"]
    return StudyResult(
        model=name,
        top1=model["top1"],
        low=model["low"],
        high=model["high"],
        images=model["images"],
        difference=model["difference"],
        nf_error=None if model["nf"] is None else model["nf"]["rmse"],
        energy=energy["energy"][name] if energy and measured else None,
        latency=energy["latency"] if energy and measured else None,
        area=energy["area"] if energy and measured else None,
        against={other: Margin(**margin) for other, margin in model["against"].items()},
    )

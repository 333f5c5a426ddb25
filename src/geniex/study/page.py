"""The page of a study: from outcomes to what it shows."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geniex.configuration import EvaluationConfig
from geniex.configuration.sections import fields_of, unit_of
from geniex.evaluation import Margin
from geniex.report.points import StudyPage, StudyPoint, StudyResult, labels
from geniex.study.description import StudyConfig
from geniex.study.run import Outcome

__all__ = ["page_of", "write_page"]


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
    values = [outcome.point.values for outcome in outcomes]
    named = labels(values, values[0] if values and study.sampling == "one_at_a_time" else None)
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


def _unit(base: EvaluationConfig, axis: str) -> str | None:
    """The unit that all fields of an axis have."""
    units = {unit_of(base, name) for name in fields_of(axis)}
    return units.pop() if len(units) == 1 else None


def _computed(outcomes: Sequence[Outcome]) -> str:
    """When the first point was started, and the last one."""
    started = sorted({outcome.result["started"] for outcome in outcomes if outcome.result is not None})
    return " to ".join(dict.fromkeys((*started[:1], *started[-1:]))) or "not yet"


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

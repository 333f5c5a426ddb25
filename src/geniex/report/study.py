"""The HTML page of a study: what each axis does to accuracy, accuracy against energy, and every point in tables."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from geniex.report.axes import accuracy_along_axis, all_axes, pareto
from geniex.report.cells import Cell, prose, typeset, with_unit
from geniex.report.formats import DASH, count, percent, points, quantity, significant
from geniex.report.palette import looks
from geniex.report.points import StudyPage, StudyPoint, StudyResult, closest, short_names
from geniex.report.templates import plain, render, write
from geniex.report.words import join, phrase

__all__ = ["study_summary", "write_study_page"]


def study_summary(page: StudyPage) -> str:
    """How much is done, how far accuracies range, and how far models disagree."""
    done, failed = page.done, sum(point.error is not None for point in page.points)
    verb, failures = "is" if len(page.points) == 1 else "are", f", {failed} failed" if failed else ""
    sentences = [f"{len(done)} of {count(len(page.points), 'point')} {verb} done{failures}."]
    model = closest(page.models)
    results = [(point, point.results[model]) for point in done if model in point.results]
    if model is None or not results:
        return sentences[0]
    least, most = (choose(results, key=lambda pair: pair[1].top1) for choose in (min, max))
    sentences.append(
        f"With {phrase(model)}, accuracy is {percent(most[1].top1)} % at best ({most[0].label}) and "
        f"{percent(least[1].top1)} % at worst ({least[0].label}); with {count(results[0][1].images, 'image')} an "
        f"accuracy is known to about ±{percent((most[1].high - most[1].low) / 2)} points."
    )
    apart = [
        _furthest(other, model, done)
        for other in ("linear", "geniex")
        if other != model and any({other, model} <= set(point.results) for point in done)
    ]
    return " ".join([*sentences, *([f"Furthest from it: {join(apart)}."] if apart else [])])


def write_study_page(page: StudyPage, path: str | os.PathLike[str]) -> None:
    """Write the page as one HTML file, whole or not at all.

    Args:
        page: what to show. Text in it is escaped.
        path: of the file; its folder is made if need be.
    """
    config, study = plain(page.config), plain(page.study)
    look_of, names = looks(page.models), short_names(page.axes)
    figures, panels = {}, []
    for number, axis in enumerate(page.axes):
        along = _along(page, axis)
        if along:
            figures[f"axis{number}"] = accuracy_along_axis(names[axis], along, look_of)
            panels.append((f"axis{number}", names[axis]))
    model = closest(page.models)
    if model is not None and not page.one_at_a_time and len(page.axes) > 1:
        points_of = [(p.label, p.values, p.results[model].top1) for p in page.done if model in p.results]
        figures["all"] = all_axes(points_of, names)
    if any(result.energy for point in page.done for result in point.results.values()):
        figures["pareto"] = pareto(_energies(page), look_of)
    values: dict[str, Any] = {
        "page": page,
        "summary": prose(study_summary(page)),
        "panels": panels,
        "shown_model": model,
        "colours": {name: look.colour for name, look in look_of.items()},
        "point_rows": _point_rows(page),
        "result_rows": _result_rows(page),
        "failed": [point for point in page.points if point.error is not None],
        "config": config,
        "config_text": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "study_text": yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
        "provenance": plain(page.provenance),
    }
    write(path, render("study.html.j2", figures, values))


def _furthest(other: str, model: str, done: Sequence[StudyPoint]) -> str:
    pairs = [(p, p.results[other].top1 - p.results[model].top1) for p in done if {other, model} <= set(p.results)]
    point, gap = max(pairs, key=lambda pair: abs(pair[1]))
    return f"{phrase(other)} by {points(gap)} points ({point.label})"


def _along(page: StudyPage, axis: str) -> list[tuple[Any, StudyPoint]]:
    """Points along an axis, by value: of studies that move one axis at a time, those that differ in no other."""
    if not page.one_at_a_time:
        return [(point.values[axis], point) for point in page.done]
    first = page.points[0].values if page.points else {}
    others = [name for name in page.axes if name != axis]
    return [(p.values[axis], p) for p in page.done if all(p.values[name] == first[name] for name in others)]


def _energies(page: StudyPage) -> Mapping[str, list[tuple[str, float, StudyResult]]]:
    """Labels, joule and results by model."""
    found: dict[str, list[tuple[str, float, StudyResult]]] = {}
    for point in page.done:
        for name, result in point.results.items():
            if result.energy is not None:
                found.setdefault(name, []).append((point.label, result.energy, result))
    return found


def _point_rows(page: StudyPage) -> list[tuple[str, list[Cell]]]:
    """A row per point: accuracies by model, and what one image takes."""
    rows, model = [], closest(page.models)
    for point in page.done:
        cells = [_accuracy(point.results.get(name)) for name in page.models]
        shown = point.results.get(model or "")
        for name, unit in (("energy", "J"), ("latency", "s")):
            value = None if shown is None else getattr(shown, name)
            cells.append(Cell(typeset(quantity(value, unit)), value))
        area = None if shown is None else shown.area
        rows.append((point.label, [*cells, Cell(typeset(DASH if area is None else f"{1e6 * area:.3g} mm²"), area)]))
    return rows


def _result_rows(page: StudyPage) -> list[tuple[str, list[Cell]]]:
    """A row per point and model."""
    return [
        (
            f"{point.label} · {name}",
            [
                Cell(f"{percent(result.top1)} %", result.top1),
                Cell(f"{percent(result.low)} to {percent(result.high)}", result.low),
                Cell(typeset(points(result.difference)), result.difference),
                Cell(with_unit(significant(result.nf_error), "%"), result.nf_error),
                Cell(typeset(quantity(result.energy, "J")), result.energy),
                Cell(f"{result.images:,}", result.images),
            ],
        )
        for point in page.done
        for name, result in point.results.items()
    ]


def _accuracy(result: StudyResult | None) -> Cell:
    return Cell(typeset(DASH), None) if result is None else Cell(f"{percent(result.top1)} %", result.top1)

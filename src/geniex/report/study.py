"""The HTML page of a study: what each axis does to accuracy, accuracy against energy, and every point in tables."""

import os
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import yaml

from geniex.report.axes import accuracy_along_axis, accuracy_over_axis, same_span
from geniex.report.cells import prose, typeset
from geniex.report.extremes import Extreme, best, furthest, worst
from geniex.report.formats import count
from geniex.report.palette import looks
from geniex.report.parallel import all_axes
from geniex.report.pareto import pareto
from geniex.report.points import StudyPage, StudyPoint, StudyResult, closest, short_names
from geniex.report.study_rows import measured, point_rows, result_rows
from geniex.report.templates import plain, render, write
from geniex.report.words import join, phrase

__all__ = ["study_summary", "write_study_page"]

FEW = 100  # results: a longer table starts closed


def study_summary(page: StudyPage) -> str:
    """How much is done, how far accuracies range, and how far models disagree."""
    done, failed = page.done, sum(point.error is not None for point in page.points)
    verb, failures = "is" if len(page.points) == 1 else "are", f", {failed} failed" if failed else ""
    sentences = [f"{len(done)} of {count(len(page.points), 'point')} {verb} done{failures}."]
    model = _reference(page)
    if model is None:
        return sentences[0]
    lowest, highest = worst(model, done), best(model, done)
    images = max(point.results[model].images for point in done if model in point.results)
    single = f"is {_with_interval(lowest)}"
    span = single if lowest == highest else f"ranges from {_with_interval(lowest)} to {_with_interval(highest)}"
    sentences.append(f"With {phrase(model)}, accuracy {span} on {count(images, 'image')}; 95 % intervals in brackets.")
    gaps = [(phrase(other), furthest(other, model, done)) for other in ("linear", "geniex")]
    apart = [f"{name} by {_with_interval(gap)}" for name, gap in gaps if gap is not None]
    return " ".join([*sentences, *([f"Furthest from it: {join(apart)}."] if apart else [])])


def write_study_page(page: StudyPage, path: str | os.PathLike[str]) -> None:
    """Write the page as one HTML file, whole or not at all.

    Args:
        page: what to show. Text in it is escaped.
        path: of the file; its folder is made if need be.
    """
    config, model = plain(page.config), _reference(page)
    study = plain({name: value for name, value in page.study.items() if value is not None})
    columns = measured(_results(page))
    values: dict[str, Any] = {
        "page": page,
        "summary": prose(study_summary(page)),
        "alone": _moves_alone(page),
        "axes": short_names(page.axes),
        "reference": model,
        "extremes": [] if model is None else _extremes(page, model),
        "colours": {name: look.colour for name, look in looks(page.models).items()},
        "columns": [column.title for column in columns],
        "point_rows": point_rows(page, columns, model),
        "point_columns": [f"{column.title}, {model}" for column in columns if column.of_point],
        "result_rows": result_rows(page, columns),
        "failed": [point for point in page.points if point.error is not None],
        "few": FEW,
        "config": config,
        "config_text": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "study_text": yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
        "provenance": plain(page.provenance),
    }
    write(path, render("study.html.j2", _figures(page), values))


def _figures(page: StudyPage) -> dict[str, go.Figure]:
    """A panel per axis, all axes at once where they move together, and the front where energies are known."""
    look_of, names, results = looks(page.models), page.titles, _results(page)
    draw = accuracy_along_axis if _moves_alone(page) else accuracy_over_axis
    along = {f"axis{number}": (names[axis], _along(page, axis)) for number, axis in enumerate(page.axes)}
    figures = {place: draw(name, points, look_of) for place, (name, points) in along.items() if points}
    if results:
        same_span(figures.values(), results)
    model = _reference(page)
    if model is not None and not _moves_alone(page):
        points_of = [(p.label, p.values, p.results[model].top1) for p in page.done if model in p.results]
        figures["all"] = all_axes(points_of, names)
    if energies := _energies(page):
        figures["pareto"] = pareto(energies, look_of)
    return figures


def _reference(page: StudyPage) -> str | None:
    """The model that others are compared with: the one closest to the circuit, or the only one that there is."""
    return closest(page.models) or next(iter(page.models), None)


def _moves_alone(page: StudyPage) -> bool:
    """Whether points along an axis differ in nothing else."""
    return page.one_at_a_time or len(page.axes) < 2


def _with_interval(found: Extreme) -> str:
    return f"{found.value} ({found.interval}; {found.at})"


def _extremes(page: StudyPage, reference: str) -> list[tuple[str, list[Extreme | None]]]:
    """Best and worst of each model, and where it is furthest from the reference, typeset."""
    found = {
        name: [best(name, page.done), worst(name, page.done), furthest(name, reference, page.done)]
        for name in page.models
    }
    return [
        (name, [each and Extreme(typeset(each.value), typeset(each.interval), _kept_together(each.at)) for each in row])
        for name, row in found.items()
    ]


def _kept_together(label: str) -> str:
    """A label that breaks after commas alone."""
    return label.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")


def _along(page: StudyPage, axis: str) -> list[tuple[Any, StudyPoint]]:
    """Points along an axis, by value: of studies that move one axis at a time, those that differ in no other."""
    if not page.one_at_a_time:
        return [(point.values[axis], point) for point in page.done]
    first = page.points[0].values if page.points else {}
    others = [name for name in page.axes if name != axis]
    return [(p.values[axis], p) for p in page.done if all(p.values[name] == first[name] for name in others)]


def _results(page: StudyPage) -> list[StudyResult]:
    return [result for point in page.done for result in point.results.values()]


def _energies(page: StudyPage) -> Mapping[str, list[tuple[str, float, StudyResult]]]:
    """Labels, joule and results by model."""
    found: dict[str, list[tuple[str, float, StudyResult]]] = {}
    for point in page.done:
        for name, result in point.results.items():
            if result.energy:
                found.setdefault(name, []).append((point.label, result.energy, result))
    return found

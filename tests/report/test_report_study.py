"""The page of a study says how far accuracies range, draws every axis, and escapes what users wrote."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from geniex.evaluation import Margin
from geniex.report.axes import accuracy_along_axis, accuracy_over_axis, same_span
from geniex.report.extremes import furthest
from geniex.report.palette import looks
from geniex.report.parallel import all_axes
from geniex.report.pareto import front, pareto
from geniex.report.points import StudyPage, StudyPoint, StudyResult, short_names
from geniex.report.study import study_summary, write_study_page
from geniex.report.table import study_table

AXES = ["cell.r_on", "weights.slice_bits", "weights.mapping"]
NOMINAL = {"cell.r_on": 1e5, "weights.slice_bits": 4, "weights.mapping": "differential_pair"}


def results(top1, energy=1e-3):
    of = {"digital": 0.7, "linear": 0.9 * top1, "reduced": top1}
    against = {
        name: {other: Margin(x - y, x - y - 0.01, x - y + 0.02) for other, y in of.items() if other != name}
        for name, x in of.items()
    }
    return {
        name: StudyResult(
            name,
            x,
            x - 0.03,
            x + 0.03,
            1000,
            x - 0.7,
            energy=None if name == "digital" else energy,
            against=against[name],
        )
        for name, x in of.items()
    }


@pytest.fixture
def page():
    points = [
        StudyPoint("nominal", NOMINAL, results(0.57)),
        StudyPoint("r_on 10000", {**NOMINAL, "cell.r_on": 1e4}, results(0.41, 3e-3)),
        StudyPoint("slice_bits 2", {**NOMINAL, "weights.slice_bits": 2}, results(0.6, 4e-3)),
        StudyPoint("mapping <b>", {**NOMINAL, "weights.mapping": "<b>"}, error="RuntimeError: <i>no</i>"),
        StudyPoint("r_on 1000", {**NOMINAL, "cell.r_on": 1e3}),
    ]
    return StudyPage("A <study>", "0.1.0", True, AXES, points, {"axes": {}}, {"crossbar": {"rows": 64}}, {"x": 1})


def test_the_summary_says_how_far_accuracies_range(page):
    assert study_summary(page) == (
        "3 of 5 points are done, 1 failed. With the reduced-order model, accuracy ranges from 41.0 % (38.0 to 44.0; "
        "r_on 10000) to 60.0 % (57.0 to 63.0; slice_bits 2) on 1,000 images; 95 % intervals in brackets. Furthest from "
        "it: the linear circuit by -6.0 points (-7.0 to -4.0; slice_bits 2)."
    )
    assert study_summary(replace(page, points=page.points[-1:])) == "0 of 1 point is done."
    alone = study_summary(replace(page, points=page.points[:1]))
    assert "With the reduced-order model, accuracy is 57.0 % (54.0 to 60.0; nominal) on 1,000 images" in alone


def test_the_page_draws_every_axis_of_points_that_differ_in_it_alone(page, tmp_path):
    write_study_page(page, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count('class="plot"') == 4  # three axes and the front
    assert "mapping &lt;b&gt;" in text
    assert "<i>no</i>" not in text
    assert "A &lt;study&gt;" in text
    write_study_page(replace(page, one_at_a_time=False), tmp_path / "page.html")
    assert 'id="plot-all"' in (tmp_path / "page.html").read_text()


def test_columns_are_those_that_any_point_has(page, tmp_path):
    write_study_page(page, tmp_path / "page.html")
    assert ">Energy per image</button>" in (tmp_path / "page.html").read_text()
    points = [
        replace(point, results={name: replace(result, energy=None) for name, result in point.results.items()})
        for point in page.points
    ]
    write_study_page(replace(page, points=points), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert ">Energy per image</button>" not in text
    assert "plot-pareto" not in text


def test_values_over_decades_have_a_logarithmic_axis(page):
    along = [(point.values["cell.r_on"], point) for point in page.done[:2]]
    figure = accuracy_along_axis("r_on", along, looks(page.models))
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("10k", "100k")
    assert [list(trace.x) for trace in figure.data] == [[1e4, 1e5]] * 3
    assert list(figure.data[2].y) == pytest.approx([41.0, 57.0])
    assert list(figure.data[2].error_y.array) == pytest.approx([3.0, 3.0])
    near = [(value, point) for value, (_, point) in zip([1, 3], along, strict=True)]
    assert accuracy_along_axis("r_on", near, looks(page.models)).layout.xaxis.type == "linear"
    named = [(value, point) for value, (_, point) in zip([None, [1, 2]], along, strict=True)]
    figure = accuracy_along_axis("r_on", named, looks(page.models))
    assert (figure.layout.xaxis.type, figure.data[0].x) == ("category", ("none", "1, 2"))


def test_where_other_axes_move_too_lines_join_means_of_few_values_and_nothing_joins_many(page):
    few = [(4 if point.label == "nominal" else 2, point) for point in page.done]
    figure = accuracy_over_axis("slice_bits", few, looks(["reduced"]) | looks(page.models))
    means, points = figure.data[-2:]
    assert list(means.y) == pytest.approx([50.5, 57.0])  # of 41 and 60; of nominal alone
    assert list(points.y) == pytest.approx([41.0, 60.0, 57.0])
    assert points.x == (means.x[0], means.x[0], means.x[1])
    assert figure.data[0].x[0] < means.x[0]  # models stand side by side
    many = [(0.1 * k, page.done[k % 3]) for k in range(12)]
    figure = accuracy_over_axis("v_max", many, looks(page.models))
    assert {trace.mode for trace in figure.data} == {"markers"}


def test_panels_span_all_intervals(page):
    figures = [accuracy_along_axis("r_on", [(1, page.done[k])], looks(page.models)) for k in (0, 1)]
    same_span(figures, [result for point in page.done for result in point.results.values()])
    low, high = figures[0].layout.yaxis.range
    assert figures[1].layout.yaxis.range == (low, high)
    assert 30 < low < 33.9  # lowest end of an interval
    assert 73 < high < 78


def test_a_gap_is_between_two_models_of_one_point(page):
    assert furthest("linear", "reduced", page.done).at == "slice_bits 2"
    assert furthest("reduced", "reduced", page.done) is None
    assert furthest("geniex", "reduced", page.done) is None


def test_axes_have_their_units(page):
    assert replace(page, units={"cell.r_on": "Ω"}).titles == {
        "cell.r_on": "r_on (Ω)",
        "weights.slice_bits": "slice_bits",
        "weights.mapping": "mapping",
    }


def test_lines_across_all_axes_lie_between_their_ends(page):
    points = [(point.label, point.values, point.results["reduced"].top1) for point in page.done]
    figure = all_axes(points, short_names(AXES))
    assert [trace.y for trace in figure.data] == [
        (0.0, 1.0, 0.0, 0.0),  # the least accurate first
        (1.0, 1.0, 0.0, pytest.approx(16 / 19)),
        (1.0, 0.0, 0.0, 1.0),
    ]


def test_lines_of_one_colour_are_one_trace_with_gaps():
    points = [(f"point {k}", {"a": k % 5}, 0.5 + 1e-3 * k) for k in range(1000)]
    figure = all_axes(points, {"a": "a"})
    assert len(figure.data) == 25
    assert sum(len(trace.x) for trace in figure.data) == 3 * 1000 - 25  # two axes and a gap, but none at the end
    assert all(len(trace.x) == len(trace.y) == len(trace.customdata) for trace in figure.data)


def test_the_front_is_what_nothing_beats(page):
    assert front([(3, 0.5), (1, 0.4), (2, 0.4), (4, 0.6), (5, 0.55), (1, 0.3)]) == [(1, 0.4), (3, 0.5), (4, 0.6)]
    figure = pareto({"reduced": [(p.label, 1e-3, p.results["reduced"]) for p in page.done]}, looks(page.models))
    assert list(figure.data[1].y) == pytest.approx([60.0])


def test_names_are_short_where_no_two_become_the_same():
    assert short_names(["crossbar.rows, crossbar.cols", "cell.r_on"]) == {
        "crossbar.rows, crossbar.cols": "rows, cols",
        "cell.r_on": "r_on",
    }
    assert short_names(["weights.bits", "inputs.bits"]) == {x: x for x in ("weights.bits", "inputs.bits")}


def test_the_terminal_shows_a_half_interval_where_it_tells_the_truth(page):
    low = replace(page.points[0].results["reduced"], top1=0.01, low=0.002, high=0.07)
    points = [replace(page.points[0], results={**page.points[0].results, "linear": low}), *page.points[1:]]
    console = Console(width=80, file=StringIO())
    console.print(study_table(replace(page, points=points)))
    nominal = next(line for line in console.file.getvalue().splitlines() if "nominal" in line)
    assert nominal.split() == ["nominal", "70.0", "±3.0", "0.2-7.0", "57.0", "±3.0", "1.00", "mJ"]


def test_before_there_is_a_result_the_columns_are_those_of_the_study(page):
    console = Console(width=80, file=StringIO())
    console.print(study_table(replace(page, points=page.points[-1:], study={"models": ["digital", "reduced"]})))
    assert "digital  reduced" in console.file.getvalue()

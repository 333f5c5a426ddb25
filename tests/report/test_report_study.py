"""The page of a study says how far accuracies range, draws every axis, and escapes what users wrote."""

from dataclasses import replace

import pytest

from geniex.report.axes import accuracy_along_axis, all_axes, front, pareto
from geniex.report.palette import looks
from geniex.report.points import StudyPage, StudyPoint, StudyResult, short_names
from geniex.report.study import study_summary, write_study_page

AXES = ["cell.r_on", "weights.slice_bits", "weights.mapping"]
NOMINAL = {"cell.r_on": 1e5, "weights.slice_bits": 4, "weights.mapping": "differential_pair"}


def results(top1, energy=1e-3):
    of = {"digital": 0.7, "linear": 0.9 * top1, "reduced": top1}
    return {
        name: StudyResult(name, x, x - 0.03, x + 0.03, 1000, x - 0.7, None, None if name == "digital" else energy)
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
        "3 of 5 points are done, 1 failed. With the reduced-order model, accuracy is 60.0 % at best (slice_bits 2) and "
        "41.0 % at worst (r_on 10000); with 1,000 images an accuracy is known to about ±3.0 points. Furthest from it: "
        "the linear circuit by -6.0 points (slice_bits 2)."
    )
    assert study_summary(replace(page, points=page.points[-1:])) == "0 of 1 point is done."


def test_the_page_draws_every_axis_of_points_that_differ_in_it_alone(page, tmp_path):
    write_study_page(page, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count('class="plot"') == 4  # three axes and the front
    assert "mapping &lt;b&gt;" in text
    assert "<i>no</i>" not in text
    assert "A &lt;study&gt;" in text
    write_study_page(replace(page, one_at_a_time=False), tmp_path / "page.html")
    assert 'id="plot-all"' in (tmp_path / "page.html").read_text()


def test_values_over_decades_have_a_logarithmic_axis(page):
    along = [(point.values["cell.r_on"], point) for point in page.done[:2]]
    figure = accuracy_along_axis("r_on", along, looks(page.models))
    assert figure.layout.xaxis.type == "log"
    assert [list(trace.x) for trace in figure.data] == [[1e4, 1e5]] * 3
    assert list(figure.data[2].y) == pytest.approx([41.0, 57.0])
    near = [(value, point) for value, (_, point) in zip([1, 3], along, strict=True)]
    assert accuracy_along_axis("r_on", near, looks(page.models)).layout.xaxis.type == "linear"
    named = [(value, point) for value, (_, point) in zip(["b", [1, 2]], along, strict=True)]
    assert accuracy_along_axis("r_on", named, looks(page.models)).layout.xaxis.type == "category"


def test_lines_across_all_axes_lie_between_their_ends(page):
    points = [(point.label, point.values, point.results["reduced"].top1) for point in page.done]
    figure = all_axes(points, short_names(AXES))
    assert [trace.y for trace in figure.data] == [
        (0.0, 1.0, 0.0, 0.0),  # the least accurate first
        (1.0, 1.0, 0.0, pytest.approx(16 / 19)),
        (1.0, 0.0, 0.0, 1.0),
    ]


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

"""The figures show the sample as it is, and a model looks the same in all of them."""

import html
from dataclasses import replace

import numpy as np
import pytest

from geniex.evaluation.results import NfSample
from geniex.report.palette import looks
from geniex.report.plots import accuracy_bars, error_against_exact, nf_distribution, predicted_against_exact


@pytest.fixture
def look_of(evaluation):
    return looks([result.name for result in evaluation.models])


def area(trace) -> float:
    return float(np.trapezoid(trace.y, trace.x))


def test_bars_carry_accuracy_and_interval(evaluation, look_of):
    bars = accuracy_bars(evaluation.models, look_of).data[0]
    np.testing.assert_allclose(bars.x, [70.3125, 70.3125, 42.1875, 53.125], rtol=1e-12)
    np.testing.assert_allclose(np.add(bars.x, bars.error_x.array), [77.55, 77.55, 50.84, 61.55], rtol=1e-12)
    np.testing.assert_allclose(np.subtract(bars.x, bars.error_x.arrayminus), [61.89, 61.89, 33.99, 44.52], rtol=1e-12)


def test_histograms_of_the_same_currents_cover_each_other(evaluation):
    sample = replace(evaluation.sample, i_model={"circuit": evaluation.sample.i_exact})
    exact, circuit = nf_distribution(sample, looks(["circuit"])).data
    np.testing.assert_array_equal(exact.x, circuit.x)
    np.testing.assert_array_equal(exact.y, circuit.y)


def test_histograms_count_every_column_between_the_edges(evaluation, look_of):
    figure = nf_distribution(evaluation.sample, look_of)
    low, high = figure.layout.xaxis.range
    ideal, exact = np.array(evaluation.sample.i_ideal), np.array(evaluation.sample.i_exact)
    nf = 100 * (1 - exact / ideal)
    inside = 100 * np.mean((nf >= low) & (nf <= high))
    bin_width = np.diff(np.unique(figure.data[0].x)).min()
    assert area(figure.data[0]) / bin_width == pytest.approx(inside, rel=1e-4)  # x and y carry 6 decimals


def test_a_model_without_spread_is_a_line_at_its_value(evaluation, look_of):
    rounding = np.resize([1 - 1e-15, 1 + 2e-15, 1 + 3e-15], len(evaluation.sample.i_ideal))
    noisy = (np.array(evaluation.sample.i_ideal) * rounding).tolist()
    figure = nf_distribution(replace(evaluation.sample, i_model={"ideal": noisy}), look_of)
    assert [trace.name for trace in figure.data] == ["exact circuit", "ideal (all at 0.0 %)"]
    assert list(figure.data[1].x) == [0, 0]


def test_a_peak_that_leaves_the_plot_is_named_in_the_legend(evaluation, look_of):
    figure = nf_distribution(evaluation.sample, look_of)
    exact, _, linear, _ = figure.data
    assert figure.layout.yaxis.range[1] < max(linear.y)
    assert linear.name == f"linear (up to {max(linear.y):.0f} % per bin)"
    assert max(exact.y) < figure.layout.yaxis.range[1]


def test_error_is_in_percent_of_the_ideal_current_and_signed():
    sample = NfSample([2e-6, 0.0], [1.5e-6, 0.0], {"mine": [1.6e-6, 0.0]})  # the column without current is left out
    (points,) = error_against_exact(sample, looks(["mine"])).data
    assert list(points.x) == [1.5]
    assert list(points.y) == [5.0]  # 0.1 uA too much, of 2 uA


def test_currents_are_in_microampere_and_thinned_evenly():
    i = np.linspace(1e-6, 5e-5, 10_000).tolist()
    points, diagonal = predicted_against_exact(NfSample(i, i, {"mine": i}), looks(["mine"])).data
    assert len(points.x) == 1500
    assert (points.x[0], points.x[-1]) == (1.0, 50.0)
    assert list(diagonal.x) == list(diagonal.y) == [0.0, 50.0]


def test_a_model_has_one_colour_in_all_figures(evaluation, look_of):
    bars = accuracy_bars(evaluation.models, look_of).data[0]
    figures = [plot(evaluation.sample, look_of) for plot in (predicted_against_exact, error_against_exact)]
    drawn = [trace.marker.color for figure in figures for trace in figure.data if trace.name == "geniex"]
    drawn += [trace.line.color for trace in nf_distribution(evaluation.sample, look_of).data if trace.name == "geniex"]
    assert drawn == [bars.marker.color[3]] * 3


def test_names_of_any_kind_get_colours_of_their_own():
    names = ["mine", "geniex", "theirs", "mine"]
    found = looks(names)
    assert len({found[name].colour for name in names}) == 3


def test_a_long_name_keeps_its_end(evaluation):
    name = "runs/2026/<a>/emulator.safetensors"
    labels = accuracy_bars([replace(evaluation.models[0], name=name)], looks([name])).layout.yaxis.ticktext
    shown = html.unescape(labels[0])
    assert shown.startswith("\N{HORIZONTAL ELLIPSIS}")
    assert name.endswith(shown[1:])

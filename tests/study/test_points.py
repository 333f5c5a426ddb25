"""Axes become configurations, and what makes none is refused by name."""

import re

import numpy as np
import pytest

from geniex.configuration import EvaluationConfig, read_config
from geniex.configuration.reading import checked
from geniex.study import Range, StudyConfig, points_of
from geniex.study.points import AT_MOST

BASE = EvaluationConfig()


def study(tmp_path, text):
    (tmp_path / "study.toml").write_text(text)
    return read_config(tmp_path / "study.toml", StudyConfig)


def values(tmp_path, text, base=BASE):
    return [tuple(point.values.values()) for point in points_of(study(tmp_path, text), base)]


def test_a_grid_has_every_combination_once_and_changes_nothing_else(tmp_path):
    text = (
        '[axes]\n"crossbar.rows, crossbar.cols" = [16, 32, 16]\n"weights.slice_bits" = [2, [4, 8, 4]]\nadc = ["none"]'
    )
    points = points_of(study(tmp_path, text), BASE)
    assert [p.values["crossbar.rows, crossbar.cols"] for p in points] == [16, 16, 32, 32]
    last = points[-1].config
    assert (last.crossbar.rows, last.crossbar.cols, last.weights.slice_bits, last.adc) == (32, 32, (4, 8, 4), "none")
    assert last.inputs == BASE.inputs
    assert last.crossbar.r_source == BASE.crossbar.r_source


def test_one_at_a_time_starts_at_the_base_and_does_not_repeat_it(tmp_path):
    text = 'sampling = "one_at_a_time"\n[axes]\n"cell.r_on" = [5e4, 1e5]\n"cell.on_off" = [2, 6.0, 10]'
    assert values(tmp_path, text) == [(1e5, 6.0), (5e4, 6.0), (1e5, 2), (1e5, 10)]


def test_fields_of_one_axis_can_have_values_of_their_own(tmp_path):
    axes = (
        '"crossbar.rows, crossbar.cols" = [[64, 32], 16]',
        '"weights.slice_bits, inputs.stream_bits" = [[[4, 8, 4], 2]]',
    )
    text = "[axes]\n" + "\n".join(axes)
    found = points_of(study(tmp_path, text), BASE)
    sizes = [(point.config.crossbar.rows, point.config.crossbar.cols) for point in found]
    assert sizes == [(64, 32), (16, 16)]
    assert {(point.config.weights.slice_bits, point.config.inputs.stream_bits) for point in found} == {((4, 8, 4), 2)}


def test_the_base_may_have_another_value_in_each_field_of_an_axis(tmp_path):
    base = checked({"crossbar": {"rows": 64, "cols": 32}}, EvaluationConfig, tmp_path, "it")
    text = 'sampling = "one_at_a_time"\n[axes]\n"crossbar.rows, crossbar.cols" = [16]\n"cell.on_off" = [10]'
    found = points_of(study(tmp_path, text), base)
    sizes = [(point.config.crossbar.rows, point.config.crossbar.cols) for point in found]
    assert sizes == [(64, 32), (16, 16), (64, 32)]
    assert [point.values["crossbar.rows, crossbar.cols"] for point in found] == [[64, 32], 16, [64, 32]]


def test_no_axes_are_the_base_configuration(tmp_path):
    for sampling in ("grid", "one_at_a_time", "random", "sobol"):
        (point,) = points_of(study(tmp_path, f'sampling = "{sampling}"'), BASE)
        assert (point.values, point.config) == ({}, BASE)


@pytest.mark.parametrize("sampling", ["random", "sobol"])
def test_samplings_that_draw_fill_ranges_and_lists_and_repeat_by_seed(tmp_path, sampling):
    ranges = '"cell.r_on" = { low = 1e4, high = 1e6, scale = "log" }\n"inputs.v_max" = { low = 0.1, high = 0.5 }'
    text = f'sampling = "{sampling}"\nsamples = 60\nseed = %d\n[axes]\n{ranges}\n"cell.device" = ["sinh", "ohmic"]'
    drawn = values(tmp_path, text % 1)
    assert drawn == values(tmp_path, text % 1) != values(tmp_path, text % 2)
    r_on, v_max, device = map(np.array, zip(*drawn, strict=True))
    assert len(drawn) == 60
    assert ((r_on >= 1e4) & (r_on <= 1e6) & (v_max >= 0.1) & (v_max <= 0.5)).all()
    assert 20 <= (r_on < 1e5).sum() <= 40  # half of a log scale
    assert 20 <= (device == "ohmic").sum() <= 40
    if sampling == "sobol":
        halves, _ = np.histogram(v_max, 4, (0.1, 0.5))
        assert halves.max() - halves.min() <= 2  # 64 points are balanced, and 4 are left out


def test_ranges_round_to_whole_numbers():
    assert [Range(low=1, high=4, whole=True).at(share) for share in (0, 0.5, 1)] == [1, 2, 4]
    assert Range(low=1.0, high=100.0, scale="log").at(0.5) == pytest.approx(10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[axes]\n"cell.ron" = [1]', "'cell.ron', which is no field of a configuration. Did you mean 'cell.r_on'?"),
        ('[axes]\n"cell.r_on" = [1e5]\n"cell.r_on, cell.v0" = [1]', "`axes` moves 'cell.r_on' twice."),
        ('[axes]\n"cell.r_on" = [-1.0]', "cell.r_on = -1.0 cannot be used:\n  `cell.r_on` must be above 0; got -1.0."),
        ('[axes]\n"cell.r_on, cell.v0" = [[1, 2, 3]]', "the value [1, 2, 3]: a list has one value for each"),
        ('[axes]\n"crossbar.rows" = ["many"]', "`crossbar.rows` must be a whole number; got 'many'."),
        ('[axes]\n"cell.r_on" = { low = 1, high = 2 }', "is a range, from which grid cannot draw. List values"),
        ('[axes]\n"crossbar.rows" = [%s]\n"crossbar.cols" = [%s]' % ((", ".join(map(str, range(1, 200))),) * 2),
         f"at most {AT_MOST:,} points"),
    ],
)  # fmt: skip
def test_axes_that_cannot_be_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        points_of(study(tmp_path, text), BASE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axes]\nfloor = []", r"`axes.floor` has too few values; got \[\]\."),
        (
            "[cell]\nr_on = 1e5\n[exact]\nreads = 1",
            r"is a file of `geniex evaluate`, not of `geniex study`: `geniex template",
        ),
        ("[axes]\nfloor = { low = 2, high = 1 }", "`low` must be below `high`"),
        ('[axes]\nfloor = { low = 0, high = 1, scale = "log" }', "above 0 for a log scale"),
        ('sampling = "all"', "`sampling` must be"),
        ("axis = 1", "`axis` is not a field. Did you mean 'axes'?"),
        ("images = 0", "`images` must be at least 1; got 0."),
    ],
)
def test_files_that_are_no_study_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        study(tmp_path, text)


def test_an_axis_in_a_table_that_the_base_leaves_out_is_refused(tmp_path):
    base = checked({"adc": "none"}, EvaluationConfig, tmp_path, "it")
    with pytest.raises(ValueError, match=r"moves 'adc.bits', but the base configuration has adc = 'none'"):
        values(tmp_path, '[axes]\n"adc.bits" = [8]', base)

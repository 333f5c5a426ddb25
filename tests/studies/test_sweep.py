"""The paper's design exploration: its files, and its README against its results."""

import polars
import pytest
from studies.frames import axes_of, markdown, points_of
from studies.sweep.plot import HERE, accuracy_by_axis, draw

from geniex.configuration import EvaluationConfig, read_config
from geniex.study import StudyConfig
from geniex.study import points_of as all_points

README = (HERE / "README.md").read_text()
IMAGES = {"voltages": 10_000, "sweep": 1_000}


@pytest.fixture(params=IMAGES)
def study(request):
    return request.param


def read(study):
    """The table of one of the studies, as `geniex study run` wrote it."""
    return polars.read_parquet(HERE / f"{study}.parquet")


def described(study):
    content = read_config(HERE / f"{study}.toml", StudyConfig)
    return all_points(content, read_config(HERE / content.config, EvaluationConfig), HERE)


def test_results_hold_every_point_and_model_of_the_study(study):
    found, points = points_of(read(study)), described(study)
    assert [values for values, _ in found] == [point.values for point in points]
    for _, rows in found:
        assert {"digital", "ideal", "linear", "reduced"} <= set(rows)
        assert {row["images"] for row in rows.values()} == {IMAGES[study]}
    assert "geniex" in found[0][1]


def test_the_readme_shows_the_tables_of_the_results(study):
    assert markdown(read(study)) in README


def test_the_page_is_of_the_same_points(study):
    page = (HERE / f"{study}.html").read_text()
    for _, rows in points_of(read(study)):
        for row in rows.values():
            assert f"{100 * row['top1']:.1f} %" in page


def test_the_picture_is_drawn_from_the_results_alone(tmp_path):
    draw(read("sweep"), tmp_path / "sweep.svg")
    assert (tmp_path / "sweep.svg").read_bytes() == (HERE / "sweep.svg").read_bytes()
    panels = accuracy_by_axis(read("sweep")).axes
    assert [len(panel.get_xticks()) for panel in panels] == [4, 3, 3, 2, 3, 3]


def test_a_point_without_results_is_left_out():
    table = read("voltages")
    half = table.with_columns(polars.when(polars.col("inputs.v_max") < 0.3).then(polars.col("top1")).alias("top1"))
    assert axes_of(half) == ["inputs.v_max"]
    assert len(points_of(half)) == 1
    assert "| nominal |" in markdown(half)

"""The study of NF: its functions at a small size against what must hold, and its results against its claims."""

import csv
import json
import math
from dataclasses import replace

import pytest
import torch
from studies.nf.levels import Levels, draw
from studies.nf.measure import distribution, exact_ratios, measure
from studies.nf.plots import draw_plots
from studies.nf.ranges import distance, ranges
from studies.nf.run import HERE, sweep
from studies.nf.setups import AXES, PUBLISHED, SETS, Axis, Setup, window
from studies.nf.tables import tables

from geniex import CrossbarSpec, Ohmic, presets
from geniex.emulation import MixedDigits
from tests.tolerances import OTHER_ALGORITHM

COUNT = (4, 4)


@pytest.fixture(scope="module")
def results():
    return json.loads((HERE / "results.json").read_text())


def small(rows=8, **changes):
    return replace(Setup(presets.nominal_crossbar(rows, rows)), **changes)


def levels(rows=8):
    return draw(MixedDigits(), rows, COUNT, seed=0)


def test_one_cell_is_three_resistors_in_series():
    setup = Setup(CrossbarSpec(1, 1, r_source=500.0, r_sink=100.0), Ohmic(), window(r_on=50e3))
    top = torch.full((1, 1, 1), 15)
    assert exact_ratios(setup, Levels(top, top)).item() == pytest.approx(1 + 600 / 50e3, rel=OTHER_ALGORITHM)


def test_mean_nf_grows_with_the_size_where_wires_dominate():
    means = [measure(small(n, window=window(v_max=0.05)), levels(n), 0).nf.mean for n in (4, 8, 16)]
    assert 0 < means[0] < means[1] < means[2]


def test_f_is_one_over_one_minus_nf():
    measured = measure(small(), levels(), 0)
    for name in ("low", "p1", "p25", "median", "p75", "p99", "high"):  # f_R grows with NF: percentiles correspond
        f = 1 / (1 - getattr(measured.nf, name) / 100)
        assert getattr(measured.f, name) == pytest.approx(f, rel=OTHER_ALGORITHM)


def test_the_linear_model_is_exact_for_ohmic_cells_and_ideal_cells_have_no_nf():
    measured = measure(small(device=Ohmic()), levels(), 0)
    assert measured.errors["linear"].worst < 100 * OTHER_ALGORITHM  # percent
    assert measured.nf_cells == pytest.approx(0, abs=100 * OTHER_ALGORITHM)
    assert measured.nf_wires == pytest.approx(measured.nf.mean, rel=OTHER_ALGORITHM)


def test_cells_without_wires_at_the_top_voltage_carry_sinh():
    top = Levels(torch.full((1, 1, 8), 15), torch.full((1, 8, 8), 15))
    assert measure(small(), top, 0).nf_cells == pytest.approx(100 * (1 - math.sinh(1)), rel=OTHER_ALGORITHM)


def test_distribution_and_distance_by_hand():
    found = distribution(torch.arange(101.0, dtype=torch.float64).flip(0))
    assert (found.low, found.p1, found.p25, found.median, found.p75, found.p99, found.high) == (
        0,
        1,
        25,
        50,
        75,
        99,
        100,
    )
    assert (found.count, found.mean) == (101, 50)
    assert distance((0.9, 1.2), (0.85, 1.3)) == pytest.approx(0.1)


def test_a_small_study_runs_from_end_to_end():
    (point,) = sweep([Axis("size", (8,), lambda n: small(int(n)))], COUNT, seed=0)
    assert point.measured == measure(small(), levels(), 0)
    claim = replace(PUBLISHED[0], setup=small())
    first = next(ranges([claim], COUNT, seed=0))
    assert first.central[0] >= first.full[0]
    assert first.off == distance(first.full, (claim.low, claim.high))


def test_results_hold_every_point_and_every_assumption(results):
    assert [(p["axis"], p["value"]) for p in results["sweep"]] == [(a.name, v) for a in AXES for v in a.values]
    found = {(r["name"], r["drivers"], r["v_max"], r["sampling"]) for r in results["ranges"]}
    assert len(found) == len(results["ranges"]) == len(PUBLISHED) * len(SETS) * 4
    for name in ("sweep", "ranges"):
        with (HERE / f"{name}.csv").open() as file:
            assert len(list(csv.DictReader(file))) == len(results[name])


def test_the_readme_shows_the_tables_of_the_results(results):
    text = (HERE / "README.md").read_text()
    for name, table in tables(results).items():
        assert table in text, name


def test_pictures_are_drawn_from_the_results_alone(results, tmp_path):
    draw_plots(results, tmp_path)
    for picture in ("nf_by_axis.svg", "ranges_of_f.svg"):
        assert (tmp_path / picture).stat().st_size > 0
        assert (HERE / picture).exists()


def test_no_result_falls_below_cells_without_wires(results):
    """f_R >= (V/V0) / sinh(V/V0) for currents that only lose voltage on their way."""
    for one in results["ranges"]:
        x = one["v_max"] / 0.25
        assert one["full"][0] >= x / math.sinh(x)


def test_what_the_readme_says_contradicts_the_published_ranges_holds_for_every_assumption(results):
    full = {(r["name"], r["drivers"], r["v_max"], r["sampling"]): r["full"] for r in results["ranges"]}
    for assumption in {key[1:] for key in full}:
        lows = [full[f"{n}x{n}, 1/2 bits", *assumption][0] for n in (16, 32, 64, 128)]
        assert lows == sorted(lows)
        assert full["R_on 300 kohm", *assumption][1] < full["64x64, 4/4 bits", *assumption][1]

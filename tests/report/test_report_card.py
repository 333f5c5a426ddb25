"""The page of an error card: all numbers on it, plots that draw them, and the same as JSON."""

import json
import re

import pytest

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.emulation import MixedDigits, measure_errors
from geniex.emulation.sampling import Corners
from geniex.models.circuit import Circuit
from geniex.models.linear import LinearCircuit
from geniex.report.card import write_card
from geniex.window import Window


@pytest.fixture(scope="module")
def card():
    spec = CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0)
    return measure_errors(LinearCircuit(spec), Circuit(spec, Sinh()), MixedDigits(), Window(), (24, 4), 0)


def figures(text):
    return json.loads(re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.S).group(1))


def test_page_and_numbers(card, tmp_path):
    page = tmp_path / "deep" / "card.html"
    write_card(card, page, "Linear <b>6 x 5</b>")
    text = page.read_text()
    assert "Linear &lt;b&gt;6 x 5&lt;/b&gt;" in text
    assert "on 24 crossbars" in text
    for error in card.errors.values():
        assert f"{error.rmse:.2f} %" in text
    drawn = figures(text)
    assert set(drawn) == {"predicted", "error", "map", *card.splits}
    assert all(f'id="plot-{name}"' in text for name in drawn)
    for name, parts in card.splits.items():
        rmse = {trace["name"]: trace["y"] for trace in drawn[name]["data"]}
        assert rmse["ideal"] == [part.errors["ideal"].rmse for part in parts]
        assert rmse["LinearCircuit, largest"] == [part.errors["LinearCircuit"].worst for part in parts]
    assert drawn["map"]["data"][0]["customdata"] == card.map.columns
    assert json.loads(page.with_suffix(".json").read_text())["errors"]["ideal"]["rmse"] == card.errors["ideal"].rmse


def test_a_page_that_shows_a_single_column_is_whole(tmp_path):
    """Parts, quantiles and the map of few reads: one crossbar of one column."""
    spec = CrossbarSpec(1, 1)
    card = measure_errors(LinearCircuit(spec), Circuit(spec, Sinh()), Corners(), Window(), (1, 1), 0)
    write_card(card, tmp_path / "card.html", "One cell")
    assert set(figures((tmp_path / "card.html").read_text())) == {"predicted", "error", "map", *card.splits}

"""Words, tables and the page of an attribution, from made-up numbers."""

import re
from dataclasses import replace

import pytest
from rich.console import Console

from geniex.attribution import Attribution, Difference, EffectLoss, LayerLoss, Outcome, PartError, TileCheck
from geniex.report.attribution import (
    absent_sentence,
    attribution_summary,
    attribution_tables,
    effect_bars,
    layer_bars,
    write_attribution_page,
)

SURE, UNSURE, WORSE = (
    Difference(0.2, 0.1, 0.3, -0.25, 0.01),
    Difference(0.0, -0.03, 0.03, -0.05, 0.01),
    Difference(-0.3, -0.4, -0.2, 0.5, 0.02),
)


@pytest.fixture
def found():
    return Attribution(
        title="Net on <b>noise</b>",
        version="0.1.0",
        started="2030-01-01T00:00:00+00:00",
        model="reduced",
        images=100,
        chips=1,
        digital=Outcome(0.8, 0.7, 0.9, 0.0),
        whole=Outcome(0.5, 0.4, 0.6, 0.4),
        nothing=Outcome(0.8, 0.7, 0.9, 0.01),
        absent=["drift"],
        effects=[
            EffectLoss("wires", "wires", "lines without resistance", SURE, WORSE),
            EffectLoss("faults", "stuck cells", "no stuck cells", UNSURE, UNSURE),
            EffectLoss("device", "all device effects", "nothing of `[effects]`", UNSURE, WORSE),
            EffectLoss("floor", "floor removal", "the floor subtracted exactly", WORSE, UNSURE),
        ],
        layers=[LayerLoss("conv1", UNSURE, UNSURE), LayerLoss("head", SURE, WORSE)],
        tiles=[PartError("head", f"row tile {k}, crossbar 0", 5.0 - k, 4.0, 0.5 - 0.01 * k) for k in range(30)],
        slices=[PartError("head", "slice 3 of W+", 5.0, 4.0, 1.0)],
        streams=[PartError("head", "stream 3", 5.0, 4.0, 1.0)],
        checks=[TileCheck("head", "row tile 0, crossbar 0", 8, 4.01, -4.02, 0.05)],
        provenance={"command": "geniex attribute"},
        config={"adc": "none"},
    )


def test_the_summary_says_what_is_sure_and_what_helps(found):
    summary = attribution_summary(found)
    assert "80.0 % correctly, and 50.0 % on crossbars" in summary
    assert "Surely won: +20.0 points without wires." in summary
    assert "surely falls without floor removal" in summary
    assert (
        "together cost 30.0 points; what each costs alone adds up to 30.0. " in summary
    )  # device effects are not counted twice
    assert "nearest to digital in head (-25.0 %) and conv1 (-5 %)" in summary
    assert "wins nothing for sure" in attribution_summary(replace(found, effects=found.effects[1:]))


def test_what_was_left_out_is_said(found):
    assert absent_sentence(found) == "Left out, since this configuration has none: drift."
    assert "`linear` obey Ohm's law" in absent_sentence(replace(found, model="linear"))
    assert absent_sentence(replace(found, absent=[])) == ""


def test_tables_keep_the_order_and_show_the_worst_parts(found):
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as shown:
        for table in attribution_tables(found):
            console.print(table)
    text = shown.get()
    titles = [text.index(effect.title) for effect in found.effects]
    assert titles == sorted(titles)
    assert "row tile 4, crossbar 0" in text
    assert "row tile 5, crossbar 0" not in text
    assert re.search(r"4\.01\s+-4\.02\s+0\.0500", text)


def test_bars_end_where_the_intervals_say(found):
    off, on = effect_bars(found.effects).data
    assert list(off.x) == pytest.approx([20, 0, 0, -30])
    assert off.x[0] + off.error_x["array"][0] == pytest.approx(30)
    assert on.x[0] - on.error_x["arrayminus"][0] == pytest.approx(-40)


def test_layers_are_told_apart_by_distance(found):
    ideal, analog = layer_bars(found.layers).data
    assert list(ideal.x) == pytest.approx([-5, -25])
    assert list(analog.x) == pytest.approx([-5, 50])
    assert analog.x[1] + analog.error_x["array"][1] == pytest.approx(52)


def test_the_page_holds_every_number_and_no_markup_of_others(found, tmp_path):
    write_attribution_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<b>noise</b>" not in page
    assert "&lt;b&gt;noise" in page
    assert page.count("row tile") == 20 + 1  # worst tiles, and the checked one
    assert "NF, reduced" in page
    assert 'id="plot-layers"' in page
    write_attribution_page(replace(found, layers=[], checks=[]), tmp_path / "short.html")
    assert "plot-layers" not in (tmp_path / "short.html").read_text()

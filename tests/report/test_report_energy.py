"""Energy is told with the unit that suits it, and drawn where it goes."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from geniex.energy import EnergyReport, LayerEnergy
from geniex.report import energy_table
from geniex.report.energy import energy_by_layer, energy_sentence, layer_rows, shown_model
from geniex.report.formats import quantity
from geniex.report.page import render_page

PERIPHERY = {"adc": 3e-6, "dac": 5e-7, "sample_hold": 1e-12, "shift_add": 1e-9, "register": 0.0, "buffer": 2e-9}
AREA = {"array": 1e-9, "adc": 2e-7}


@pytest.fixture
def report():
    array = {"ideal": 2e-7, "reduced": 1e-7, "linear": 3e-7}
    first = LayerEnergy("conv<1>", 4, 1e4, 64.0, 4096.0, array, PERIPHERY, 2e-6, AREA)
    second = replace(first, name="linear", array={name: 10 * value for name, value in array.items()}, latency=1e-6)
    return EnergyReport(2, [first, second], {"read_time": 1e-7})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 J"),
        (23.36e-3, "23.4 mJ"),
        (999.6e-9, "1.00 µJ"),
        (1.0, "1.00 J"),
        (5.761e-10, "576 pJ"),
        (2e-20, "0.020 aJ"),
        (None, "-"),
    ],
)
def test_quantities_have_three_digits_and_a_prefix(value, text):
    assert quantity(value, "J") == text


def test_the_sentence_says_what_takes_most(report):
    assert energy_sentence(report) == (
        "On crossbars an image takes 8.11 µJ (405 pJ per product of a weight and an input), 74 % of it in ADCs, and "
        "3.00 µs with one layer after another; the parts counted take 0.402 mm²."
    )


def test_nearly_all_is_not_all(report):
    layers = [replace(layer, periphery={**layer.periphery, "adc": 1.0}) for layer in report.layers]
    assert "100.0 % of it in ADCs" in energy_sentence(replace(report, layers=layers))


def test_the_model_that_is_closest_to_the_circuit_is_shown(report):
    assert shown_model(report) == "reduced"
    (_, cells), _ = layer_rows(report)
    assert [cell.text for cell in cells[:2]] == ["3.60 µJ", "100 nJ"]
    bars = {trace.name: list(trace.x) for trace in energy_by_layer(report).data}
    assert bars == {"crossbar arrays": pytest.approx([0.1, 1.0]), "ADCs": [3.0, 3.0], "DACs": [0.5, 0.5]}


def test_the_table_has_a_row_per_model(report):
    console = Console(file=io.StringIO(), width=80)
    console.print(energy_table(report))
    rows = {
        line.split()[0]: " ".join(line.split()[1:]) for line in console.file.getvalue().splitlines() if line.split()
    }
    assert rows["linear"] == "10.3 µJ 3.30 µJ 6.00 µJ 1.00 µJ 6.00 nJ"


def test_the_page_has_it_where_it_was_measured(evaluation, report):
    page = render_page(replace(evaluation, energy=report))
    assert 'id="plot-energy"' in page
    assert "conv&lt;1&gt;" in page
    assert 'id="plot-energy"' not in render_page(evaluation)

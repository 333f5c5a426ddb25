"""Every kind of page in a real browser: no errors, all plots drawn, readable on a narrow screen."""

import numpy as np
import pytest
import torch
from torch import nn

from geniex.attribution import AttributionOptions, attribute
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig
from geniex.devices import Sinh
from geniex.emulation import MixedDigits, measure_errors
from geniex.energy import EnergyReport, LayerEnergy
from geniex.evaluation import LabelledImages
from geniex.fitting import compare
from geniex.measurements import Curve
from geniex.models.circuit import Circuit
from geniex.models.linear import LinearCircuit
from geniex.report import write_page
from geniex.report.attribution import write_attribution_page
from geniex.report.card import write_card
from geniex.report.fits import write_fits_page
from geniex.report.points import StudyPage, StudyPoint, StudyResult
from geniex.report.study import write_study_page
from geniex.window import Window
from tests.report.browser import NARROW, opened
from tests.report.conftest import made_up_evaluation

SMALLEST_TEXT = 12  # pixels


def evaluation_page(path):
    array = {"ideal": 2e-7, "linear": 1e-7, "geniex": 3e-7}
    periphery = dict.fromkeys(("adc", "dac", "sample_hold", "shift_add", "register", "buffer"), 1e-7)
    layers = [
        LayerEnergy(f"layer{k}.convolution", 4, 1e4, 64.0, 4096.0, array, periphery, 2e-6, {"adc": 1e-7})
        for k in range(8)
    ]
    write_page(made_up_evaluation(EnergyReport(1, layers, {"read_time": 1e-7})), path)


def study_page(path, one_at_a_time=True):
    points = []
    for r_on in (1e5, 1e4, 3e5):
        for bits in (4, 2) if r_on == 1e5 or not one_at_a_time else (4,):
            top1 = 0.4 + 0.02 * bits + 1e-6 * r_on
            results = {
                name: StudyResult(name, top1, top1 - 0.03, top1 + 0.03, 1000, -0.1, 1.0, 1e-3 * bits, 1e-3, 1e-6)
                for name in ("linear", "reduced")
            }
            values = {"cell.r_on": r_on, "weights.slice_bits": bits}
            points.append(StudyPoint(f"r_on {r_on:g}, slice_bits {bits}", values, results))
    axes = list(points[0].values)
    config = EvaluationConfig().model_dump(mode="json")
    page = StudyPage("A study of a network on images", "0.1.0", one_at_a_time, axes, points, {"axes": {}}, config, {})
    write_study_page(page, path)


def grid_page(path):
    study_page(path, one_at_a_time=False)


def attribution_page(path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 2, 2, 3), dtype=np.uint8)
    config = EvaluationConfig.model_validate({"crossbar": {"rows": 8, "cols": 8}})
    images = LabelledImages(pixels, np.arange(8) % 3, "noise")
    write_attribution_page(attribute(network, images, config, AttributionOptions()), path)


def card_page(path):
    spec = CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0)
    write_card(
        measure_errors(LinearCircuit(spec), Circuit(spec, Sinh()), MixedDigits(), Window(), (8, 4), 0), path, "x"
    )


def fits_page(path):
    volts = np.linspace(-0.5, 0.5, 20)
    curves = [
        Curve(f"state {k}", volts, g * 0.3 * np.sinh(volts / 0.3), np.abs(0.02 * g * volts), False)
        for k, g in enumerate((1e-6, 2e-5))
    ]
    write_fits_page(compare(curves), path, "Cells", 'type = "Sinh"\n')


PAGES = [evaluation_page, study_page, grid_page, attribution_page, card_page, fits_page]


@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_a_page_has_no_errors_draws_its_plots_sorts_its_tables_and_fits_any_screen(make, tmp_path):
    page = tmp_path / "page.html"
    make(page)
    errors, views = opened(page, tmp_path)
    assert errors == []
    for seen in views:
        assert seen.drawn
        assert all(seen.drawn.values()), f"at {seen.width} pixels: {seen.drawn}"
        assert (seen.scrolled, seen.beyond) == (seen.width, [])
        assert seen.unsorted == []
        assert seen.text >= SMALLEST_TEXT


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ("<script>missing();</script>", "errors"),
        ('<script>onload = () => document.querySelector(".plot").replaceChildren();</script>', "drawn"),
        ('<main><p style="width: 900px">too wide</p></main>', "beyond"),
        ("<script>sortBy = () => {};</script>", "unsorted"),
    ],
)
def test_what_is_broken_is_seen_and_nothing_else(broken, what, tmp_path):
    page = tmp_path / "page.html"
    fits_page(page)
    page.write_text(page.read_text().replace("</body>", f"{broken}</body>"))
    errors, (seen,) = opened(page, tmp_path, (NARROW,))
    found = {
        "errors": bool(errors),
        "drawn": not all(seen.drawn.values()),
        "beyond": bool(seen.beyond) and seen.scrolled > seen.width,
        "unsorted": bool(seen.unsorted),
    }
    assert [name for name, broke in found.items() if broke] == [what]

"""What people see of a fit: the numbers of the comparison, and the readings themselves."""

import base64
import json

import numpy as np
import pytest
from rich.console import Console

from geniex.fitting import compare
from geniex.measurements import Curve
from geniex.report.fits import fits_table, write_fits_page

VOLTS = np.linspace(-0.5, 0.5, 20)


@pytest.fixture(scope="module")
def comparison():
    """Two states of a sinh cell; the first was swept forward and back, 2 % apart."""
    curves = [
        Curve(name, VOLTS, g * 0.3 * np.sinh(VOLTS / 0.3), np.abs(0.02 * g * VOLTS), repeated)
        for name, g, repeated in (("low", 1e-6, True), ("high", 2e-5, False))
    ]
    return compare(curves)


@pytest.fixture(scope="module")
def page(comparison, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "new" / "cell.html"
    write_fits_page(comparison, path, "Cells of <data> & more", 'type = "Sinh"\n')
    return path.read_text()


def figure(page, name):
    text = page.split('id="figures">')[1].split("</script>")[0]
    return json.loads(text)[name]


def values(array):
    """Numbers as plotly packs them."""
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


def test_the_table_has_every_state_and_every_model(comparison):
    console = Console(width=80, record=True)
    console.print(fits_table(comparison))
    text = console.export_text()
    assert "sinh *" in text
    low, high = (next(line for line in text.splitlines() if line.split()[:1] == [name]) for name in ("low", "high"))
    assert low.split()[1:3] == ["1e-06", "1.6"]  # 2 % of the ohmic current is less of the sinh's
    assert high.split()[1:3] == ["2e-05", "-"]
    ohmic = comparison.fits[0]
    assert low.split()[3:5] == [f"{100 * ohmic.rms[0]:.0f}", f"({100 * ohmic.worst[0]:.0f})"]
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_page_draws_the_readings(comparison, page):
    linear, logarithmic = figure(page, "linear"), figure(page, "logarithmic")
    for trace, size, curve in zip(linear["data"][::2], logarithmic["data"][::2], comparison.curves, strict=True):
        np.testing.assert_allclose(values(trace["x"]), VOLTS)
        np.testing.assert_allclose(values(trace["y"]) * 1e-6, curve.i)
        np.testing.assert_allclose(values(size["y"]) * 1e-6, np.abs(curve.i))
    assert linear["layout"]["yaxis"]["title"]["text"] == "I (µA)"
    assert logarithmic["layout"]["yaxis"]["title"]["text"] == "|I| (µA)"
    assert all(values(trace["y"]).min() > 0 for trace in logarithmic["data"])
    assert len(figure(page, "error")["data"]) == 2


def test_the_page_is_one_file_and_text_in_it_is_no_markup(page):
    assert "Cells of &lt;data&gt; &amp; more" in page
    assert "type = &#34;Sinh&#34;" in page
    own = page.split('<script type="application/json"')[0]
    assert "http:" not in own
    assert "https:" not in own
    assert "src=" not in own

"""Error cards against plain numpy on the same draw, and on models whose error is known beforehand."""

import json

import numpy as np
import pytest
import torch
from tests.tolerances import FLOAT32, OTHER_ALGORITHM

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.emulation import MixedDigits, measure_errors, solve_samples
from geniex.emulation.sampling import generator_of
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.ideal import Ideal
from geniex.nf import nf_error
from geniex.window import Window

SIZE = (40, 6)  # more than one part of 32
SPLITS = ("voltage", "v_density", "g_density", "column", "current")
KEPT = 1e-5  # percent: exact currents are kept as float32 ratios, 6e-8 of each


class Off(CrossbarModel):
    """The exact circuit, off by a share of the ideal current."""

    def __init__(self, circuit, share):
        super().__init__()
        self.circuit, self.share = circuit, share

    def program(self, g):
        exact, ideal = self.circuit.program(g), Ideal().program(g)
        return lambda v: exact(v) + self.share * ideal(v)


@pytest.fixture(scope="module")
def card(circuit, trained):
    return measure_errors(trained[0], circuit, MixedDigits(), Window(), SIZE, 3)


@pytest.fixture(scope="module")
def samples(circuit):
    return solve_samples(circuit, MixedDigits(), Window(), SIZE, generator_of(3, "error card"))


@pytest.fixture(scope="module")
def columns(samples, trained):
    """(errors of the emulator in percent, quantity of each split), (crossbar, input, col), by numpy."""
    v, g = samples.inputs(torch.float64)
    model = trained[0](v.float(), g.float()).double().numpy()
    ideal = torch.cat([one @ other for one, other in zip(v.split(32), g.split(32), strict=True)]).numpy()  # to the bit
    v, f = v.numpy(), samples.f.double().numpy()
    with np.errstate(invalid="ignore"):
        error = 100 * ((ideal - model) / ideal - (1 - 1 / f))
        height = v.sum(-1) / (v > 0).sum(-1)
    places = {
        "voltage": height[:, :, None],
        "v_density": (v > 0).mean(-1)[:, :, None],
        "g_density": (samples.g_level.numpy() > 0).mean((-2, -1))[:, None, None],
        "column": np.arange(8),
        "current": ideal,
    }
    return error, {name: np.broadcast_to(place, error.shape) for name, place in places.items()}


def test_a_model_that_is_off_by_two_percent_has_errors_of_two_percent(circuit):
    card = measure_errors(Off(circuit, -0.02), circuit, MixedDigits(), Window(), SIZE, 0)
    assert card.model == "Off"
    summaries = [card.errors["Off"], *(part.errors["Off"] for parts in card.splits.values() for part in parts)]
    for error in summaries:
        assert (error.rmse, error.p99, error.worst) == pytest.approx((2.0, 2.0, 2.0), abs=KEPT)
    assert {round(value, 4) for row in card.map.rmse for value in row if value is not None} == {2.0}
    # the model conducts too little: its NF lies above the exact one
    difference = np.subtract(card.drawn.nf_model["Off"], card.drawn.nf_exact)
    np.testing.assert_allclose(difference, 2.0, rtol=0, atol=KEPT)


def test_the_exact_circuit_has_no_error(circuit):
    card = measure_errors(circuit, circuit, MixedDigits(), Window(), SIZE, 0)
    assert card.errors["Circuit"].worst < KEPT


def test_overall_errors_are_those_of_nf_error(card, circuit, samples, trained):
    v, g = samples.inputs(torch.float64)
    i_ideal = v @ g
    i_exact = circuit(v, g)
    i = trained[0](v.float(), g.float())
    expected = nf_error(i, i_exact, i_ideal, torch.Generator().manual_seed(0))
    found = card.errors["geniex"]
    for name in ("rmse", "p99", "worst"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=FLOAT32)
    assert (found.reads, found.columns) == (expected.reads, expected.columns)
    assert list(card.errors) == ["geniex", "linear", "ideal"]


def test_intervals_resample_whole_crossbars(circuit):
    """Of one crossbar, the only resample is itself."""
    card = measure_errors(Ideal(), circuit, MixedDigits(), Window(), (1, 9), 0)
    error = card.errors["Ideal"]
    assert error.low == pytest.approx(error.rmse, rel=OTHER_ALGORITHM)
    assert error.high == pytest.approx(error.rmse, rel=OTHER_ALGORITHM)
    assert 1 < error.reads <= 9


@pytest.mark.parametrize("split", SPLITS)
def test_parts_of_a_split_hold_every_column_once(card, split):
    overall, parts = card.errors, card.splits[split]
    assert sum(part.columns for part in parts) == overall["geniex"].columns
    for name, error in overall.items():
        squares = sum(part.columns * part.errors[name].rmse ** 2 for part in parts)
        # other sums of the same squares
        assert squares == pytest.approx(error.columns * error.rmse**2, rel=OTHER_ALGORITHM)
        assert max(part.errors[name].worst for part in parts) == pytest.approx(error.worst, rel=OTHER_ALGORITHM)
    ends = [end for part in parts for end in (part.low, part.high)]
    assert ends == sorted(ends)


@pytest.mark.parametrize("split", SPLITS)
def test_a_part_is_the_columns_between_its_ends(card, columns, split):
    error, quantity = columns[0], columns[1][split]
    counts, parts = ~np.isnan(error), card.splits[split]
    slack = 1e-9 if split != "current" else 0.0  # shares such as 3/10 are no exact floats
    for part in parts:
        last = part is parts[-1] and split != "column"
        below = quantity <= part.high if last else quantity < part.high - slack
        inside = error[counts & (quantity >= part.low - slack) & below]
        assert part.columns == len(inside)
        assert part.errors["geniex"].rmse == pytest.approx(np.sqrt(np.mean(inside**2)), rel=FLOAT32)
        assert part.errors["geniex"].worst == pytest.approx(np.abs(inside).max(), rel=FLOAT32)


def test_currents_are_split_into_equal_numbers(card):
    counts = [part.columns for part in card.splits["current"]]
    assert len(counts) == 10
    assert max(counts) - min(counts) <= 0.02 * sum(counts)  # equal currents stay together


def test_the_map_holds_every_column_once(card, columns):
    counts = np.array(card.map.columns)
    rmse = np.array([[value if value is not None else np.nan for value in row] for row in card.map.rmse])
    assert counts.sum() == card.errors["geniex"].columns
    np.testing.assert_array_equal(counts == 0, np.isnan(rmse))
    for axis, split in enumerate(("g_density", "v_density")):
        filled = counts.sum(1 - axis)
        assert [part.columns for part in card.splits[split]] == filled[filled > 0].tolist()
    whole = np.sqrt(np.nansum(counts * rmse**2) / counts.sum())
    assert whole == pytest.approx(card.errors["geniex"].rmse, rel=OTHER_ALGORITHM)


def test_a_wide_crossbar_is_split_into_groups_of_columns():
    circuit = Circuit(CrossbarSpec(2, 20), Sinh())
    parts = measure_errors(Ideal(), circuit, MixedDigits(), Window(), (8, 2), 0).splits["column"]
    assert len(parts) == 16
    assert [part.low for part in parts] == [-(-k * 20 // 16) for k in range(16)]
    assert parts[-1].high == 20


def test_a_card_is_plain_json(card):
    content = json.loads(json.dumps(card.as_dict(), allow_nan=False))
    assert content["errors"]["geniex"]["rmse"] == card.errors["geniex"].rmse
    assert content["spec"]["rows"] == 8
    assert len(content["drawn"]["nf_exact"]) == min(1500, card.errors["geniex"].columns)


def test_the_same_seed_gives_the_same_card(card, circuit, trained):
    again, other = (measure_errors(trained[0], circuit, MixedDigits(), Window(), SIZE, seed) for seed in (3, 4))
    assert again == card
    assert other.errors != card.errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (0, 4)}, "`crossbars` must be at least 1; got 0"),
        ({"size": (4, 0)}, "`inputs` must be at least 1; got 0"),
        ({"sampling": MixedDigits(v_bits=3)}, "digits of 3 and 4 bits, `window` has 4 and 4"),
        ({"window": Window(v_max=0.5)}, r"v from 0 to 0.25 V, but 0 to 0.5 V"),
    ],
)
def test_impossible_requests_are_refused(circuit, trained, changes, message):
    request = {"sampling": MixedDigits(), "window": Window(), "size": (2, 2), "seed": 0} | changes
    with pytest.raises(ValueError, match=message):
        measure_errors(trained[0], circuit, **request)


def test_nothing_of_a_model_is_changed(circuit, trained):
    before = {name: weight.clone() for name, weight in trained[0].state_dict().items()}
    measure_errors(trained[0], circuit, MixedDigits(), Window(), (2, 2), 0)
    assert all(torch.equal(weight, before[name]) for name, weight in trained[0].state_dict().items())

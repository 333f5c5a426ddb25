"""Cells that are known, measured with noise that is known, are found again within what that noise allows."""

import dataclasses

import numpy as np
import pytest
import torch

from geniex.devices import Filament, Ohmic, Sinh, Tabulated
from geniex.fitting import MODELS, compare, fit
from geniex.measurements import Curve
from tests.tolerances import OTHER_ALGORITHM

VOLTS = np.concatenate([np.linspace(-0.5, -0.02, 25), np.linspace(0.02, 0.5, 25)])
CONDUCTANCES = (2e-6, 1e-5, 3e-5)


def curve(i, v=VOLTS, **known):
    return Curve("a state", v, i, np.zeros_like(v), False, **known)


def sinh_curves(v0=0.3, noise=0.0, conductances=CONDUCTANCES, v=VOLTS):
    """By NumPy, so that the truth shares no code with the devices."""
    random = np.random.default_rng(0)
    return [curve(g * v0 * np.sinh(v / v0) * (1 + noise * random.standard_normal(len(v))), v) for g in conductances]


def kinked(v, g):
    """A cell that no formula here describes: ohmic, and three times as steep above 0.3 V."""
    return g * (v + 2 * np.sign(v) * np.maximum(np.abs(v) - 0.3, 0))


def test_a_sinh_is_found_exactly_without_noise():
    found = fit("sinh", sinh_curves())
    assert found.device.v0 == pytest.approx(0.3, rel=OTHER_ALGORITHM)
    np.testing.assert_allclose(found.conductances, CONDUCTANCES, rtol=OTHER_ALGORITHM)
    assert max(found.worst) < OTHER_ALGORITHM
    assert found.held_out < OTHER_ALGORITHM


@pytest.mark.parametrize("v0", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_a_sinh_is_found_through_noise(v0, noise):
    """Errors are the noise, less where most readings lie below 1 % of the largest, as those of the smallest v0 do."""
    found = fit("sinh", sinh_curves(v0, noise))
    np.testing.assert_allclose(found.conductances, CONDUCTANCES, rtol=5 * noise)
    if v0 < 1:
        assert found.device.v0 == pytest.approx(v0, rel=noise)
    for rms in found.rms:
        assert 0.5 * noise < rms < 1.2 * noise
    assert 0.5 * noise < found.held_out < 1.2 * noise


def test_one_state_is_enough_for_a_sinh():
    found = fit("sinh", sinh_curves(conductances=(1e-5,)))
    assert found.device.v0 == pytest.approx(0.3, rel=OTHER_ALGORITHM)


def test_states_decades_apart_count_alike():
    """A hundred times the conductance, and the same relative errors."""
    low, high = sinh_curves(noise=0.02, conductances=(1e-8, 1e-8))
    wide = fit("sinh", [low, dataclasses.replace(high, i=100 * high.i)])
    narrow = fit("sinh", [low, high])
    np.testing.assert_allclose(wide.rms, narrow.rms, rtol=1e-6)
    assert wide.device.v0 == pytest.approx(narrow.device.v0, rel=1e-6)


def filament_curves(noise=0.0, i0=1e-3, d0=0.3e-9, v0=0.25):
    random = np.random.default_rng(1)
    return [
        curve(i0 * np.exp(-gap / d0) * np.sinh(VOLTS / v0) * (1 + noise * random.standard_normal(len(VOLTS))), gap=gap)
        for gap in (0.6e-9, 1.0e-9, 1.3e-9, 1.9e-9)
    ]


@pytest.mark.parametrize(("noise", "within"), [(0.0, 1e-7), (0.02, 0.02)])
def test_a_filament_is_found(noise, within):
    found = fit("filament", filament_curves(noise))
    assert found.device.i0 == pytest.approx(1e-3, rel=within)
    assert found.device.d0 == pytest.approx(0.3e-9, rel=within)
    assert found.device.v0 == pytest.approx(0.25, rel=within)
    truth = [1e-3 / 0.25 * np.exp(-gap / 0.3e-9) for gap in (0.6e-9, 1.0e-9, 1.3e-9, 1.9e-9)]
    np.testing.assert_allclose(found.conductances, truth, rtol=max(within, 1e-7))
    assert found.parameters == 3


def test_a_filament_needs_gaps():
    with pytest.raises(ValueError, match=r"it needs a column `gap \(nm\)` with at least 2 different gaps"):
        fit("filament", sinh_curves())
    with pytest.raises(ValueError, match="at least 2 different gaps"):
        fit("filament", filament_curves()[:1])


def test_a_filament_that_conducts_across_a_wider_gap_is_refused():
    curves = filament_curves()
    swapped = [dataclasses.replace(one, gap=other.gap) for one, other in zip(curves, curves[::-1], strict=True)]
    with pytest.raises(ValueError, match="conductance must fall as the gap grows"):
        fit("filament", swapped)


def test_a_table_holds_the_readings():
    curves = [curve(kinked(VOLTS, g), conductance=g) for g in CONDUCTANCES]
    found = fit("tabulated", curves)
    assert found.conductances == CONDUCTANCES
    assert found.corrected == 0
    for one, g in zip(curves, CONDUCTANCES, strict=True):
        i = found.device.current(torch.from_numpy(VOLTS), torch.full((50,), g, dtype=torch.float64))
        np.testing.assert_allclose(i.numpy(), one.i, rtol=1e-6, atol=0)  # numbers of 9 digits


def test_a_table_of_noise_rises_and_tells_what_was_corrected():
    random = np.random.default_rng(2)
    curves = [curve(g * VOLTS * (1 + 0.1 * random.standard_normal(50))) for g in CONDUCTANCES]
    found = fit("tabulated", curves)
    assert 0 < found.corrected < found.parameters
    v = torch.linspace(-0.6, 0.6, 501, dtype=torch.float64)
    for g in (*CONDUCTANCES, 5e-6, 2e-5):
        assert (found.device.current(v, torch.full_like(v, g)).diff() >= 0).all()
        assert found.device.current(torch.zeros_like(v), torch.full_like(v, g)).abs().max() == 0


def test_the_small_signal_conductance_of_a_table_is_that_of_its_readings():
    found = fit("tabulated", sinh_curves())
    np.testing.assert_allclose(found.conductances, CONDUCTANCES, rtol=0.01)  # a cubic is 1 % off a sinh up to v0


def test_curves_on_different_voltages_share_a_table():
    curves = [
        dataclasses.replace(sinh_curves(conductances=(g,), v=np.linspace(0.03, end, n))[0])
        for g, end, n in zip(CONDUCTANCES, (0.5, 0.6, 0.55), (20, 31, 27), strict=True)
    ]
    found = fit("tabulated", curves)
    assert max(found.device.voltages) == pytest.approx(0.5)
    assert found.held_out < 0.01


def test_a_table_of_one_sign_stands_for_both():
    above, below = VOLTS[VOLTS > 0], VOLTS[VOLTS < 0]
    for v in (above, below):
        found = fit("tabulated", [curve(kinked(v, g), v, conductance=g) for g in CONDUCTANCES])
        i = found.device.current(torch.from_numpy(VOLTS), torch.tensor(1e-5, dtype=torch.float64))
        np.testing.assert_allclose(i.numpy(), kinked(VOLTS, 1e-5), rtol=1e-6)


def test_a_table_needs_voltages_that_states_share():
    above, below = (curve(kinked(v, g), v, conductance=g) for v, g in ((VOLTS[25:], 1e-5), (VOLTS[:25], 1e-6)))
    with pytest.raises(ValueError, match="the states share no range of voltages on either side of 0 V"):
        fit("tabulated", [above, below])


def test_a_table_needs_states_that_differ():
    with pytest.raises(ValueError, match="two states have the same conductance; give them one name, or remove one"):
        fit("tabulated", sinh_curves(conductances=(1e-5, 1e-5)))
    assert len(fit("tabulated", sinh_curves(conductances=(1e-5,))).device.conductances) == 1


def test_a_table_needs_a_conductance_at_rest():
    diode = [curve(np.sign(VOLTS) * np.maximum(np.abs(VOLTS) - 0.2, 0) * g) for g in CONDUCTANCES]
    with pytest.raises(
        ValueError, match=r"the conductance of state a state at 0 V cannot be told .* add a column `cond"
    ):
        fit("tabulated", diode)


# The choice


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_simplest_model_that_fits_is_chosen(noise):
    random = np.random.default_rng(3)
    noisy = 1 + noise * random.standard_normal(50)
    cases = {
        "ohmic": [curve(g * VOLTS * noisy) for g in CONDUCTANCES],
        "sinh": sinh_curves(noise=noise),
        "filament": filament_curves(noise),
        "tabulated": [curve(kinked(VOLTS, g) * noisy) for g in CONDUCTANCES],
    }
    for name, curves in cases.items():
        assert compare(curves).chosen.model == name


def test_every_model_that_can_be_is_fitted_and_the_others_say_why():
    comparison = compare(sinh_curves(conductances=(1e-5, 1e-5)))
    assert [found.model for found in comparison.fits] == ["ohmic", "sinh"]
    assert set(comparison.reasons) == {"filament", "tabulated"}
    assert [type(found.device) for found in compare(filament_curves()).fits] == [Ohmic, Sinh, Filament, Tabulated]


def test_a_model_can_be_forced():
    comparison = compare(sinh_curves(), "ohmic")
    assert comparison.chosen.device == Ohmic()
    assert comparison.fits == (comparison.chosen,)
    with pytest.raises(ValueError, match="`model` must be one of ohmic, sinh, filament, tabulated; got 'cubic'"):
        compare(sinh_curves(), "cubic")


@pytest.mark.parametrize("model", MODELS)
def test_errors_are_those_of_the_device_at_the_readings(model):
    curves = filament_curves(noise=0.05)
    found = fit(model, curves)
    for one, g, rms, worst in zip(curves, found.conductances, found.rms, found.worst, strict=True):
        i = found.device.current(torch.from_numpy(one.v), torch.full((50,), g, dtype=torch.float64)).numpy()
        error = (i - one.i) / (np.abs(one.i) + 0.01 * np.abs(one.i).max())
        assert rms == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
        assert worst == pytest.approx(np.abs(error).max(), rel=1e-9)


def test_four_voltages_are_enough():
    v = np.array([0.1, 0.2, 0.3, 0.4])
    comparison = compare(sinh_curves(v=v))
    assert comparison.chosen.model == "sinh"
    assert comparison.chosen.device.v0 == pytest.approx(0.3, rel=OTHER_ALGORITHM)

"""The power of arrays: exact where the currents of rows are known, and as close as docs/energy.md says elsewhere."""

import dataclasses

import pytest
import torch

from geniex import Circuit, CrossbarModel, CrossbarSpec, Ideal, LinearCircuit, Ohmic, ReducedOrder, Selector, Sinh
from geniex.emulation.sampling import MixedDigits, generator_of
from geniex.energy import array_power
from geniex.models.effects import ReadNoise, ThermalNoise
from geniex.presets import emulator, harsh_crossbar, nominal_crossbar
from geniex.window import Window

WINDOW = Window()


def sampled(spec, window=WINDOW, crossbars=20, inputs=50):
    """Conductances and voltages of digits as networks have them, and of others; 1000 reads."""
    digits, generator = MixedDigits(window.v_bits, window.g_bits), generator_of(0)
    g = window.conductances(digits.conductance_levels(crossbars, spec.rows, spec.cols, generator), torch.float64)
    return window.voltages(digits.voltage_levels(inputs, spec.rows, generator), torch.float64), g


def errors(model, exact, v, g):
    """Of the power of every read that has some, as a share of it."""
    wanted = exact.solve(v, g).power
    found = array_power(model, g)(v)
    assert found.shape == wanted.shape
    driven = wanted > 0
    assert (found[~driven] == 0).all()
    return ((found - wanted)[driven] / wanted[driven]).abs()


@pytest.mark.parametrize(
    ("spec", "device", "window"),
    [
        (nominal_crossbar(), Sinh(), WINDOW),
        (nominal_crossbar(), Sinh(), dataclasses.replace(WINDOW, v_max=0.5)),
        (harsh_crossbar(), Sinh(), WINDOW),
        (dataclasses.replace(nominal_crossbar(), r_row=20.0, r_col=20.0), Sinh(), WINDOW),
        (
            dataclasses.replace(nominal_crossbar(32, 48), driven_ends=2, sensed_ends=2),
            Selector(Sinh(), 1e-6, 0.1),
            WINDOW,
        ),
    ],
    ids=["nominal", "0.5 V", "harsh", "20 ohm", "selector"],
)
def test_the_reduced_order_model_is_within_1_percent_of_the_circuit_on_each_of_1000_reads(spec, device, window):
    v, g = sampled(spec, window)
    model = ReducedOrder(spec, device, window.every_voltage())
    assert errors(model, Circuit(spec, device), v, g).max() < 0.01


def test_circuits_give_what_the_solution_gives():
    spec = CrossbarSpec(5, 4)
    v, g = sampled(spec, crossbars=3, inputs=7)
    assert errors(Circuit(spec, Sinh()), Circuit(spec, Sinh()), v, g).max() < 1e-12


def test_linear_circuits_are_exact():
    spec = CrossbarSpec(6, 9, r_row=20.0, r_col=30.0)
    v, g = sampled(spec, crossbars=3, inputs=7)
    assert errors(LinearCircuit(spec), Circuit(spec, Ohmic()), v, g).max() < 1e-9


def test_ideal_arrays_have_neither_wires_nor_drivers():
    spec = CrossbarSpec(6, 9, r_source=0.0, r_sink=0.0, r_row=0.0, r_col=0.0)
    v, g = sampled(spec, crossbars=3, inputs=7)
    assert errors(Ideal(), Circuit(spec, Ohmic()), v, g).max() < 1e-9


@pytest.mark.parametrize(("name", "rms"), [("nominal_16x16_v250", 0.006), ("nominal_64x64_v250", 0.03)])
def test_emulators_share_out_the_current_of_their_columns(name, rms):
    model = emulator(name)
    v, g = sampled(model.spec)
    assert errors(model, Circuit(model.spec, Sinh()), v.float(), g.float()).square().mean().sqrt() < rms


class Leaky(CrossbarModel):
    """A user's model: column currents, and nothing said of power."""

    def program(self, g):
        return lambda v: 0.9 * (v @ g)


def test_of_a_users_model_power_follows_from_its_currents():
    v, g = sampled(CrossbarSpec(6, 9), crossbars=3, inputs=7)
    level = torch.full_like(v, 0.2)  # rows at one voltage: P = V sum(i), however the rows share it
    assert torch.allclose(array_power(Leaky(), g)(level), 0.2 * Leaky()(level.unsqueeze(0), g).sum(-1))
    assert torch.allclose(array_power(Leaky(), g)(v), 0.9 * array_power(Ideal(), g)(v))


def test_noise_of_reads_draws_no_power():
    spec = CrossbarSpec(6, 9)
    v, g = sampled(spec, crossbars=3, inputs=7)
    noisy = ReadNoise(Circuit(spec, Sinh()), (ThermalNoise(1e9),), generator_of(0))
    assert errors(noisy, Circuit(spec, Sinh()), v, g).max() < 1e-12


def test_circuits_that_do_not_converge_are_no_power():
    v, g = sampled(nominal_crossbar(), crossbars=1, inputs=2)
    with pytest.raises(RuntimeError, match="did not converge: their power is not known"):
        array_power(Circuit(nominal_crossbar(), Sinh(), rtol=1e-30), g)(v + 0.1)

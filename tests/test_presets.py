"""What geniex knows by name, against the numbers of the GENIEx paper (arXiv 2003.06902)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from geniex import presets
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig
from geniex.devices import Sinh
from geniex.devices.description import describe_device
from geniex.models.geniex import Geniex
from geniex.models.linear import LinearCircuit
from geniex.nf import nf_error
from geniex.window import Window


def test_the_nominal_crossbar_is_the_papers():
    assert presets.nominal_crossbar() == CrossbarSpec(64, 64, r_source=500.0, r_sink=100.0, r_row=2.5, r_col=2.5)


def test_the_harsh_crossbar_has_weaker_drivers_and_sinks():
    assert presets.harsh_crossbar() == CrossbarSpec(64, 64, r_source=1000.0, r_sink=500.0, r_row=2.5, r_col=2.5)


@pytest.mark.parametrize("make", [presets.nominal_crossbar, presets.harsh_crossbar])
def test_crossbars_come_in_every_size(make):
    spec = make(16, 32)
    assert (spec.rows, spec.cols) == (16, 32)
    assert make(rows=5) == make(5, 64)


def test_the_nominal_hardware_is_the_papers():
    """16-bit numbers in digits of 4 bits, R_on of 100 kohm, an on/off ratio of 6, a 14-bit ADC."""
    hardware = presets.nominal_hardware()
    assert (hardware.rows, hardware.cols) == (64, 64)
    assert (hardware.weights.bits, hardware.slice_bits) == (16, 4)
    assert (hardware.inputs.bits, hardware.dac.bits, hardware.dac.v_max) == (16, 4, 0.25)
    assert 1 / hardware.g_on == pytest.approx(100e3, rel=1e-12)
    assert hardware.g_on / hardware.g_off == pytest.approx(6, rel=1e-12)
    assert hardware.adc.bits == 14


def test_the_demos_emulator_ships():
    assert EvaluationConfig().emulator.file in presets.emulators()
    assert all("." not in name for name in presets.emulators())


@pytest.mark.parametrize("name", presets.emulators())
def test_a_shipped_emulator_reads_crossbars_and_knows_its_circuit(name):
    network, card = presets.emulator(name), presets.emulator_card(name)
    assert isinstance(network, Geniex)
    assert not any(weight.requires_grad for weight in network.parameters())
    assert network.spec == card.spec
    assert set(card.errors) == {"geniex", "linear", "ideal"}
    assert card.errors["geniex"].rmse < card.errors["linear"].rmse
    bounds, window = network.operating_range, card.window
    assert bounds.v_max == window.v_max
    v = torch.full((2, bounds.rows), bounds.v_max)
    g = torch.full((bounds.rows, bounds.cols), bounds.g_max)
    i = network(v, g)
    assert i.shape == (2, bounds.cols)
    assert ((i > 0) & (i < 2 * v @ g)).all()


def test_the_demos_emulator_is_of_the_nominal_crossbar():
    card = presets.emulator_card("nominal_64x64_v250")
    assert card.spec == presets.nominal_crossbar()
    assert card.device == describe_device(Sinh(0.25))
    assert card.window.v_max == 0.25


@pytest.mark.parametrize("read", [presets.emulator, presets.emulator_card])
@pytest.mark.parametrize("name", ["nominal", "nominal_64x64_v250.safetensors", "../README", ""])
def test_an_unknown_emulator_is_refused_with_those_that_ship(read, name):
    with pytest.raises(ValueError, match=f"No emulator '{name}' ships with geniex; there are .*nominal_64x64_v250"):
        read(name)


def test_the_demos_emulator_is_five_times_closer_to_the_exact_circuit_than_the_linear_model():
    """On crossbars solved by another program (tests/references); 5.7 times when it was trained."""
    case = np.load(Path(__file__).parent / "references" / "emulator" / "64_100k_v250.npz")
    window = Window(float(case["v_max"]), float(case["g_on"]), float(case["g_off"]))
    v = window.voltages(torch.from_numpy(case["v_level"]), torch.float64)
    g = window.conductances(torch.from_numpy(case["g_level"]), torch.float64)
    exact, linear = torch.from_numpy(case["i_exact"]), torch.from_numpy(case["i_linear"])
    learned = presets.emulator("nominal_64x64_v250")(v.float(), g.float())
    errors = [nf_error(i, exact, v @ g, torch.Generator().manual_seed(0)).rmse for i in (learned, linear)]
    assert 5 * errors[0] < errors[1]
    torch.testing.assert_close(LinearCircuit(presets.nominal_crossbar())(v, g), linear, rtol=1e-8, atol=0)


def test_presets_are_values():
    """Nothing is shared that a user could change for others."""
    assert presets.nominal_hardware() == presets.nominal_hardware()
    assert presets.emulator("nominal_64x64_v250") is not presets.emulator("nominal_64x64_v250")

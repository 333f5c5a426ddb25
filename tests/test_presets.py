"""What geniex knows by name, against the numbers of the GENIEx paper (arXiv 2003.06902)."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import geniex
from geniex import presets
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig, TrainingConfig, read_config
from geniex.devices import Sinh
from geniex.devices.description import describe_device
from geniex.emulation.sampling import describe_sampling
from geniex.models.geniex import Geniex
from geniex.models.linear import LinearCircuit
from geniex.nf import nf_error
from tests.emulation.references import reference


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


@pytest.mark.parametrize("read", [presets.emulator, presets.emulator_card])
@pytest.mark.parametrize("name", ["nominal", "nominal_64x64_v250.safetensors", "../README", ""])
def test_an_unknown_emulator_is_refused_with_those_that_ship(read, name):
    with pytest.raises(ValueError, match=f"No emulator '{name}' ships with geniex; there are .*nominal_64x64_v250"):
        read(name)


@pytest.mark.parametrize(
    ("name", "v_max", "times"), [("nominal_64x64_v250", 0.25, 7.0), ("nominal_64x64_v500", 0.5, 12.8)]
)
def test_a_shipped_emulator_is_as_far_below_the_linear_model_as_the_paper_says(name, v_max, times):
    """On crossbars solved by another program; 10.5 and 20.4 times when they were trained."""
    _, v, g, exact, linear = reference(v_max)
    learned = presets.emulator(name)(v.float(), g.float())
    errors = [nf_error(i, exact, v @ g, torch.Generator().manual_seed(0)).rmse for i in (learned, linear)]
    assert times * errors[0] < errors[1]
    torch.testing.assert_close(LinearCircuit(presets.nominal_crossbar())(v, g), linear, rtol=1e-8, atol=0)


@pytest.mark.parametrize(("rows", "v_max"), [(16, 0.25), (32, 0.25), (64, 0.25), (64, 0.5)])
def test_emulators_of_the_nominal_crossbar_ship_in_float16(rows, v_max):
    name = f"nominal_{rows}x{rows}_v{round(1000 * v_max)}"
    card = presets.emulator_card(name)
    assert (card.spec, card.window.v_max) == (presets.nominal_crossbar(rows, rows), v_max)
    assert card.device == describe_device(Sinh(0.25))
    assert card.errors["linear"].rmse > (7.0 if v_max == 0.25 else 12.8) * card.errors["geniex"].rmse
    config = read_config(Path(__file__).parents[1] / "studies" / "emulators" / f"{name}.toml", TrainingConfig)
    assert card.recipe == dataclasses.asdict(config.recipe())
    assert card.sampling == describe_sampling(config.sampling())
    path = Path(geniex.__file__).parent / "assets" / "emulators" / f"{name}.safetensors"
    assert {weight.dtype for weight in load_file(path).values()} == {torch.float16}


def test_presets_are_values():
    """Nothing is shared that a user could change for others."""
    assert presets.nominal_hardware() == presets.nominal_hardware()
    assert presets.emulator("nominal_64x64_v250") is not presets.emulator("nominal_64x64_v250")

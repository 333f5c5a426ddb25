"""A network's energy: every read counted by hand, every power solved one by one."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from geniex import Circuit, CrossbarSpec, HardwareConfig, Ideal, ReducedOrder, Sinh, convert
from geniex.chip import chip_of
from geniex.converters import Dac, DigitalFloor, DummyColumn
from geniex.digital import FixedPoint
from geniex.energy import Costs, measure_energy
from geniex.layers import analog_layers
from geniex.models.effects import ProgrammingError
from geniex.models.effects.programming import RelativeSpread

SPEC = CrossbarSpec(4, 6)
CONFIG = HardwareConfig(
    rows=4,
    cols=6,
    weights=FixedPoint(bits=4, fraction_bits=2),
    inputs=FixedPoint(bits=4, fraction_bits=1),
    slice_bits=2,
    dac=Dac(bits=2),
    adc=None,
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)).eval()


@pytest.fixture
def x():
    return torch.randn(3, 5)


def test_counts_are_those_by_hand(network, x):
    with torch.no_grad():
        network[0].weight.fill_(1.0)  # 4 of 16 steps of 1/4: digits 0 and 1 of W+, and W- blank
    report = measure_energy(network, x, {"ideal": Ideal()}, CONFIG, Costs(adc_energy=1e-12, dac_energy=1e-13))
    first = report.layers[0]
    # 4 outputs of 2 slices are 8 columns: 2 crossbars of 6 columns for each of 2 row tiles; digit 0 of columns 0 to 3
    # is 0, digit 1 of them, columns 4 to 7, is 1, so that both are read
    assert first.crossbars == 2 * 2
    assert first.macs == 5 * 4
    streams = 4  # 3 bits of a magnitude in digits of 2, in two passes, since some inputs are negative
    assert first.reads == streams * 4
    assert first.conversions == streams * (6 + 2) * 2
    assert first.periphery["adc"] == pytest.approx(first.conversions * 1e-12)
    assert first.periphery["dac"] == pytest.approx(streams * 2 * (4 + 1) * 2 * 1e-13)  # a DAC of 2 bits: twice 1 bit's
    assert first.latency == pytest.approx(streams * 100e-9)
    assert report.layers[1].conversions / report.layers[1].reads == 4  # columns in use, of 6
    assert report.latency == pytest.approx(sum(layer.latency for layer in report.layers))


def test_inputs_without_a_negative_number_have_half_the_streams(network, x):
    whole = measure_energy(network, x, {}, CONFIG)
    half = measure_energy(network, x.abs(), {}, CONFIG)
    assert 2 * half.layers[0].reads == whole.layers[0].reads


def test_a_dummy_column_is_converted_too(network, x):
    plain = measure_energy(network, x, {}, replace(CONFIG, floor=DigitalFloor()))
    dummy = measure_energy(network, x, {}, replace(CONFIG, floor=DummyColumn(), cols=7))
    for one, other in zip(plain.layers, dummy.layers, strict=True):
        assert other.conversions == one.conversions + other.reads


def test_the_array_takes_the_power_of_every_read(network, x):
    exact = Circuit(SPEC, Sinh())
    models = {"circuit": exact, "reduced": ReducedOrder(SPEC, Sinh(), CONFIG.dac.v_max * torch.arange(4) / 3)}
    report = measure_energy(network, x, models, CONFIG, Costs(read_time=1e-6))
    converted = convert(network, Ideal(), CONFIG)
    wanted, inputs = [], x
    for (_, layer), after in zip(analog_layers(converted), (nn.ReLU(), nn.Identity()), strict=True):
        watt = sum(
            exact.solve(tile.levels.voltages(level, level.dtype).double(), tile.g.double()).power.sum().item()
            for tile, level, _ in layer.programmed()[0].drives(inputs)
        )
        wanted.append(watt * 1e-6 / len(x))
        inputs = after(inputs @ layer.matrices()[0].detach())
    found = [layer.array["circuit"] for layer in report.layers]
    assert found == pytest.approx(wanted, rel=1e-6)
    assert [layer.array["reduced"] for layer in report.layers] == pytest.approx(wanted, rel=1e-3)
    total = report.energy("circuit")
    assert total == pytest.approx(sum(report.components("circuit").values()))
    assert report.as_dict()["total"]["energy"]["circuit"] == total


def test_a_chip_draws_what_its_cells_conduct(network, x):
    model = ProgrammingError(Ideal(), RelativeSpread(0.5), generator=torch.Generator().manual_seed(1))
    chip = chip_of(convert(network, model, CONFIG))
    on_chip = measure_energy(network, x, {"ideal": model}, CONFIG, chip=chip)
    as_wanted = measure_energy(network, x, {"ideal": model}, CONFIG)
    assert on_chip.energy("ideal") != as_wanted.energy("ideal")
    assert on_chip.layers[0].periphery == as_wanted.layers[0].periphery

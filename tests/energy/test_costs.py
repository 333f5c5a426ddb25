"""Costs are the published figures, and every one of them can be another."""

import math

import pytest

from geniex import Adc, HardwareConfig
from geniex.energy import Costs, adc_area, adc_energy
from geniex.energy.costs import adc_bits

ISAAC = HardwareConfig(rows=128, cols=128, adc=Adc(bits=8))


def test_the_fit_to_the_survey_gives_the_converter_of_isaac():
    costs = Costs()
    assert costs.rate(ISAAC) == pytest.approx(1.28e9)
    assert costs.conversion(ISAAC) == pytest.approx(16e-3 / 8 / 1.28e9, rel=0.2)


def test_converters_cost_more_with_bits_and_rate():
    energies = [adc_energy(bits, 1e8, 32e-9) for bits in range(4, 15)]
    assert energies == sorted(energies)
    assert adc_energy(14, 1e9, 32e-9) > 3 * adc_energy(14, 1e8, 32e-9)
    assert adc_energy(8, 1e8, 16e-9) < adc_energy(8, 1e8, 32e-9)
    assert adc_area(1e-12, 1e9, 32e-9) > adc_area(1e-12, 1e8, 32e-9)


def test_a_slower_converter_makes_reads_follow_more_slowly():
    assert Costs().cycle(ISAAC) == pytest.approx(100e-9)
    assert Costs(adc_rate=1e8).cycle(ISAAC) == pytest.approx(1.28e-6)
    assert Costs(adc_rate=1e8, adcs=128).cycle(ISAAC) == pytest.approx(100e-9)
    assert Costs(adc_rate=1e8).conversion(ISAAC) <= Costs().conversion(ISAAC)


def test_what_is_given_is_taken():
    costs = Costs(adc_energy=3e-12, adc_area=4e-10)
    assert (costs.conversion(ISAAC), costs.converter(ISAAC)) == (3e-12, 4e-10)


def test_a_lossless_adc_has_the_bits_that_count_all_products():
    assert adc_bits(HardwareConfig(adc=None)) == 14  # 64 x 15 x 15 = 14400
    assert adc_bits(ISAAC) == 8


@pytest.mark.parametrize("given", [{"dac_energy": -1.0}, {"read_time": 0.0}, {"adc_rate": math.inf}, {"adcs": 0}])
def test_costs_that_cannot_be_are_refused(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        Costs(**given)

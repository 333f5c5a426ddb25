"""Energy, latency and area of a network on crossbars: solved currents for arrays, counts times costs for the rest."""

from geniex.energy.array import Power, array_power
from geniex.energy.costs import Costs, adc_area, adc_energy
from geniex.energy.counting import Counts
from geniex.energy.measure import measure_energy
from geniex.energy.results import COMPONENTS, EnergyReport, LayerEnergy

__all__ = [
    "COMPONENTS",
    "Costs",
    "Counts",
    "EnergyReport",
    "LayerEnergy",
    "Power",
    "adc_area",
    "adc_energy",
    "array_power",
    "measure_energy",
]

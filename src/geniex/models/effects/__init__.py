"""Device and array effects: wrappers around any model of the crossbar, in any order.

What a wrapper does to conductances when they are written, it does before the model that it wraps: the outermost comes
first. In the order of what happens to a chip, that is

    FiniteLevels(ProgrammingError(StuckCells(Drift(Temperature(ReadNoise(model)))))).
"""

from geniex.models.effects.base import Wrapper, WriteEffect
from geniex.models.effects.drift import Drift
from geniex.models.effects.faults import FaultMap, FaultRates, Faults, StuckCells
from geniex.models.effects.levels import FiniteLevels
from geniex.models.effects.programming import (
    AbsoluteSpread,
    LognormalSpread,
    PolynomialSpread,
    ProgrammingError,
    RelativeSpread,
    Spread,
    TabulatedSpread,
)
from geniex.models.effects.reading import FlickerNoise, NoiseSource, ReadNoise, ShotNoise, ThermalNoise
from geniex.models.effects.temperature import Temperature

__all__ = [
    "AbsoluteSpread",
    "Drift",
    "FaultMap",
    "FaultRates",
    "Faults",
    "FiniteLevels",
    "FlickerNoise",
    "LognormalSpread",
    "NoiseSource",
    "PolynomialSpread",
    "ProgrammingError",
    "ReadNoise",
    "RelativeSpread",
    "ShotNoise",
    "Spread",
    "StuckCells",
    "TabulatedSpread",
    "Temperature",
    "ThermalNoise",
    "Wrapper",
    "WriteEffect",
]

"""The analog matrix product, written once for every model of the crossbar.

quantize -> digits (streams of the input, slices of the weight) -> tiles -> mapping -> program -> read -> remove the
floor current -> ADC -> shift and add over slices and streams -> accumulate over row tiles -> decode.
"""

from geniex.functional.hardware import HardwareConfig, described, slices_per_weight, used_cols, window
from geniex.functional.matmul import AnalogMatmul
from geniex.functional.programmed import ProgrammedMatrix
from geniex.functional.state import OnCrossbars
from geniex.functional.writing import Placed, WrittenMatrix, WrittenTile, crossbars_of, digits_of

__all__ = [
    "AnalogMatmul",
    "HardwareConfig",
    "OnCrossbars",
    "Placed",
    "ProgrammedMatrix",
    "WrittenMatrix",
    "WrittenTile",
    "crossbars_of",
    "described",
    "digits_of",
    "slices_per_weight",
    "used_cols",
    "window",
]

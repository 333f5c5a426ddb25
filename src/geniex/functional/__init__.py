"""The analog matrix product, written once for every model of the crossbar.

quantize -> digits (streams of the input, slices of the weight) -> tiles -> mapping -> program -> read -> remove the
floor current -> ADC -> shift and add over slices and streams -> accumulate over row tiles -> decode.
"""

from geniex.functional.hardware import HardwareConfig, slices_per_weight
from geniex.functional.matmul import AnalogMatmul
from geniex.functional.programmed import ProgrammedMatrix

__all__ = ["AnalogMatmul", "HardwareConfig", "ProgrammedMatrix", "slices_per_weight"]

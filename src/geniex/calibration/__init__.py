"""Number formats and full scales that fit the data of a network, found in floating point, kept in a file."""

from geniex.calibration.calibrate import calibrate
from geniex.calibration.methods import Max, MeanSquaredError, Method, Percentile
from geniex.calibration.result import CalibratedLayer, CalibratedProduct, Calibration, Span
from geniex.calibration.scales import AdcScale
from geniex.calibration.store import load_calibration

__all__ = [
    "AdcScale",
    "CalibratedLayer",
    "CalibratedProduct",
    "Calibration",
    "Max",
    "MeanSquaredError",
    "Method",
    "Percentile",
    "Span",
    "calibrate",
    "load_calibration",
]

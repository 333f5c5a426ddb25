"""GENIEx: what non-ideal memristive crossbars do to a neural network, and why the numbers can be believed."""

from importlib.metadata import version

__version__ = version("geniex")

from geniex import presets, testing
from geniex.calibration import AdcScale, Calibration, Max, MeanSquaredError, Percentile, calibrate, load_calibration
from geniex.chip import Chip, chip_of, load_chip
from geniex.circuit.solution import Solution
from geniex.circuit.spec import CrossbarSpec
from geniex.coding import InputCoding, OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.conversion import convert, register_layer
from geniex.converters import (
    Adc,
    ColumnScales,
    Dac,
    DigitalFloor,
    DummyColumn,
    FloorRemoval,
    PaperFloor,
    WorstCase,
    inl_from_dnl,
)
from geniex.devices import (
    DeviceModel,
    Filament,
    Ohmic,
    ScalarCell,
    Selector,
    SeriesAccess,
    Sinh,
    Tabulated,
    Transistor1T1R,
)
from geniex.digital import Accumulator, FixedPoint, Scaled
from geniex.emulation import load
from geniex.evaluation import LabelledImages, Preprocess, RunOptions, evaluate
from geniex.folding import fold_batch_norm
from geniex.functional import HardwareConfig
from geniex.layers import (
    AnalogConv1d,
    AnalogConv2d,
    AnalogConv3d,
    AnalogConvTranspose1d,
    AnalogConvTranspose2d,
    AnalogConvTranspose3d,
    AnalogGRU,
    AnalogLayer,
    AnalogLinear,
    AnalogLSTM,
    AnalogMultiheadAttention,
    AnalogRNN,
)
from geniex.mapping import DifferentialPair, Mapping, OffsetColumn, TwosComplement
from geniex.models.base import CrossbarModel, Read
from geniex.models.circuit import Circuit
from geniex.models.effects import (
    AbsoluteSpread,
    Drift,
    FaultMap,
    FaultRates,
    FiniteLevels,
    FlickerNoise,
    LognormalSpread,
    PolynomialSpread,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    StuckCells,
    TabulatedSpread,
    Temperature,
    ThermalNoise,
)
from geniex.models.geniex import Geniex
from geniex.models.guard import OperatingRange, OutOfRangeWarning, RangeGuard
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder

__all__ = [
    "AbsoluteSpread",
    "Accumulator",
    "Adc",
    "AdcScale",
    "AnalogConv1d",
    "AnalogConv2d",
    "AnalogConv3d",
    "AnalogConvTranspose1d",
    "AnalogConvTranspose2d",
    "AnalogConvTranspose3d",
    "AnalogGRU",
    "AnalogLSTM",
    "AnalogLayer",
    "AnalogLinear",
    "AnalogMultiheadAttention",
    "AnalogRNN",
    "Calibration",
    "Chip",
    "Circuit",
    "ColumnScales",
    "CrossbarModel",
    "CrossbarSpec",
    "Dac",
    "DeviceModel",
    "DifferentialPair",
    "DigitalFloor",
    "Drift",
    "DummyColumn",
    "FaultMap",
    "FaultRates",
    "Filament",
    "FiniteLevels",
    "FixedPoint",
    "FlickerNoise",
    "FloorRemoval",
    "Geniex",
    "HardwareConfig",
    "Ideal",
    "InputCoding",
    "LabelledImages",
    "LinearCircuit",
    "LognormalSpread",
    "Mapping",
    "Max",
    "MeanSquaredError",
    "OffsetColumn",
    "OffsetInputs",
    "Ohmic",
    "OperatingRange",
    "OutOfRangeWarning",
    "PaperFloor",
    "Percentile",
    "PolynomialSpread",
    "Preprocess",
    "ProgrammingError",
    "RangeGuard",
    "Read",
    "ReadNoise",
    "ReducedOrder",
    "RelativeSpread",
    "RunOptions",
    "ScalarCell",
    "Scaled",
    "Selector",
    "SeriesAccess",
    "ShotNoise",
    "Sinh",
    "Solution",
    "StuckCells",
    "Tabulated",
    "TabulatedSpread",
    "Temperature",
    "ThermalNoise",
    "Transistor1T1R",
    "TwoPasses",
    "TwosComplement",
    "TwosComplementStreams",
    "WorstCase",
    "calibrate",
    "chip_of",
    "convert",
    "evaluate",
    "fold_batch_norm",
    "inl_from_dnl",
    "load",
    "load_calibration",
    "load_chip",
    "presets",
    "register_layer",
    "testing",
]

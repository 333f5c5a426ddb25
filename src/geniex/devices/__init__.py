"""I-V curves of memory cells: the current of one cell as a function of its voltage and state."""

from geniex.devices.access import Selector, SeriesAccess, Transistor1T1R
from geniex.devices.base import DeviceModel, ScalarCell
from geniex.devices.elementary import Filament, Ohmic, Sinh
from geniex.devices.tabulated import Tabulated

__all__ = [
    "DeviceModel",
    "Filament",
    "Ohmic",
    "ScalarCell",
    "Selector",
    "SeriesAccess",
    "Sinh",
    "Tabulated",
    "Transistor1T1R",
]

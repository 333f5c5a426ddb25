"""Named crossbars, hardware and emulators: plain functions that return values."""

from collections.abc import Callable
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from geniex.circuit.spec import CrossbarSpec
from geniex.emulation.card import EmulatorCard
from geniex.emulation.checkpoint import load, load_card
from geniex.functional import HardwareConfig
from geniex.models.geniex import Geniex

__all__ = ["emulator", "emulator_card", "emulators", "harsh_crossbar", "nominal_crossbar", "nominal_hardware"]

T = TypeVar("T")


def nominal_crossbar(rows: int = 64, cols: int = 64) -> CrossbarSpec:
    """The GENIEx paper's crossbar (arXiv 2003.06902): drivers of 500, sinks of 100, wires of 2.5 ohm per cell."""
    return CrossbarSpec(rows, cols, r_source=500.0, r_sink=100.0, r_row=2.5, r_col=2.5)


def harsh_crossbar(rows: int = 64, cols: int = 64) -> CrossbarSpec:
    """Weaker drivers and sinks, 1000 and 500 ohm, which fit other figures published with the paper's network."""
    return CrossbarSpec(rows, cols, r_source=1000.0, r_sink=500.0, r_row=2.5, r_col=2.5)


def nominal_hardware() -> HardwareConfig:
    """The GENIEx paper's: 64x64, 16-bit numbers in digits of 4, R_on 100 kohm, on/off 6, 14-bit ADC."""
    return HardwareConfig()


def emulators() -> list[str]:
    """Names of the emulators that ship with geniex."""
    return sorted(
        file.name.removesuffix(".safetensors") for file in _folder().iterdir() if file.name.endswith(".safetensors")
    )


def emulator(name: str) -> Geniex:
    """A shipped emulator.

    Raises:
        ValueError: if there is none of that name.
    """
    return _from_file(name, load)


def emulator_card(name: str) -> EmulatorCard:
    """Circuit, recipe and errors of a shipped emulator; raises as `emulator`."""
    return _from_file(name, load_card)


def _from_file(name: str, read: Callable[[Path], T]) -> T:
    if name not in emulators():
        raise ValueError(
            f"No emulator {name!r} ships with geniex; there are {', '.join(emulators()) or 'none'}. "
            "`geniex.load(path)` reads one from a file."
        )
    with as_file(_folder() / f"{name}.safetensors") as path:
        return read(Path(path))


def _folder() -> Traversable:
    return files("geniex") / "assets" / "emulators"

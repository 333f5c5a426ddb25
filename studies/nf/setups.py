"""What is measured: crossbars along four axes from the nominal one, and those whose range of f_R was published.

f_R = i_ideal / i = 1 / (1 - NF), which the GENIEx paper's network (arXiv 2003.06902) learns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

from geniex import CrossbarSpec, DeviceModel, Ohmic, Sinh, presets
from geniex.window import Window

__all__ = ["AXES", "PUBLISHED", "SETS", "Axis", "DrivenAt", "Published", "Setup", "window"]

NOMINAL = "500/100"
HARSH = "1000/500"


@dataclass(frozen=True)
class Setup:
    """A crossbar, its cells, and the voltages and conductances of its digits; nominal by default."""

    spec: CrossbarSpec = field(default_factory=presets.nominal_crossbar)
    device: DeviceModel = field(default_factory=lambda: Sinh(v0=0.25))
    window: Window = field(default_factory=Window)


@dataclass(frozen=True)
class Axis:
    """One quantity that varies while all others are nominal.

    Attributes:
        name: of the quantity.
        values: in SI units.
        setup: makes the crossbar of a value.
    """

    name: str
    values: tuple[float, ...]
    setup: Callable[[float], Setup]


@dataclass(frozen=True)
class Published:
    """A range of f_R in the data of the paper's authors; the circuit and the sampling behind it are not known.

    Attributes:
        name: what differs from the nominal crossbar.
        low: smallest f_R.
        high: largest f_R.
        setup: the crossbar as far as it is known: its size, cells, R_on, on/off ratio and bits.
    """

    name: str
    low: float
    high: float
    setup: Setup


@dataclass(frozen=True)
class DrivenAt:
    """What is not known of a published range: drivers and voltage.

    Attributes:
        drivers: r_source/r_sink in ohm.
        v_max: voltage of the largest digit, in volt.
        crossbar: makes the crossbar of a size.
    """

    drivers: str
    v_max: float
    crossbar: Callable[[int, int], CrossbarSpec]

    def applied(self, setup: Setup) -> Setup:
        """`setup` with these drivers at this voltage."""
        spec = self.crossbar(setup.spec.rows, setup.spec.cols)
        return replace(setup, spec=spec, window=replace(setup.window, v_max=self.v_max))


def window(r_on: float = 1e5, on_off: float = 6.0, v_max: float = 0.25, bits: tuple[int, int] = (4, 4)) -> Window:
    """Voltages and conductances of digits of `bits` = (stream, slice), from R_on in ohm and the on/off ratio."""
    return Window(v_max, 1 / r_on, 1 / r_on / on_off, *bits)


def _binary(size: int) -> Setup:
    return Setup(presets.nominal_crossbar(size, size), window=window(bits=(1, 2)))


AXES = (
    Axis("size", (16, 32, 64, 96, 128), lambda n: Setup(presets.nominal_crossbar(int(n), int(n)))),
    Axis("r_on", (50e3, 70e3, 100e3, 150e3, 200e3, 300e3), lambda r: Setup(window=window(r_on=r))),
    Axis("on_off", (2, 3, 4, 6, 8, 10), lambda ratio: Setup(window=window(on_off=ratio))),
    Axis("v_max", (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5), lambda v: Setup(window=window(v_max=v))),
)

PUBLISHED = (
    Published("64x64, 4/4 bits", 0.85, 1.20, Setup()),
    Published("wires only (ohmic)", 1.08, 1.14, Setup(device=Ohmic())),
    Published("R_on 300 kohm", 0.88, 1.27, Setup(window=window(r_on=300e3))),
    Published("R_on 50 kohm", 1.10, 1.65, Setup(window=window(r_on=50e3))),
    Published("on/off 2", 1.00, 1.50, Setup(window=window(on_off=2))),
    Published("on/off 10", 0.80, 1.25, Setup(window=window(on_off=10))),
    Published("16x16, 1/2 bits", 0.88, 0.99, _binary(16)),
    Published("32x32, 1/2 bits", 0.87, 1.03, _binary(32)),
    Published("64x64, 1/2 bits", 0.86, 1.12, _binary(64)),
    Published("128x128, 1/2 bits", 0.83, 1.35, _binary(128)),
)

SETS = tuple(
    DrivenAt(name, v_max, crossbar)
    for (name, crossbar), v_max in product(
        ((NOMINAL, presets.nominal_crossbar), (HARSH, presets.harsh_crossbar)), (0.25, 0.5)
    )
)

"""Memory elements behind an access resistor (1T1R, simplified), a transistor (1T1R) or a selector (1S1R)."""

from dataclasses import dataclass
from typing import no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.devices.base import DeviceModel, ScalarCell
from geniex.devices.functions import like, sinh_cosh
from geniex.devices.series import series_current, series_scalar, series_slope

__all__ = ["Selector", "SeriesAccess", "Transistor1T1R"]


@dataclass(frozen=True)
class SeriesAccess(DeviceModel):
    """`device` behind a resistor: 1T1R with the transistor as a resistor.

    Attributes:
        device: the memory element.
        resistance: in ohm; 0 is exact.
    """

    device: DeviceModel
    resistance: float

    def __post_init__(self) -> None:
        if not 0 <= self.resistance < float("inf"):
            raise ValueError(
                f"`SeriesAccess(resistance=...)` must be finite and at least 0; got {self.resistance} ohm."
            )

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return series_current(self.device, self._resistor, v, g) if self.resistance else self.device.current(v, g)

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return series_slope(self.device, self._resistor, v, g) if self.resistance else self.device.slope(v, g)

    def scalar(self) -> ScalarCell | None:
        """The cell for compilation; see `DeviceModel.scalar`."""
        if not self.resistance:
            return self.device.scalar()
        return series_scalar(self.device, ScalarCell(_resistor, (self.resistance,)))

    def _resistor(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y / self.resistance, torch.full_like(y, 1 / self.resistance)


@dataclass(frozen=True)
class Selector(DeviceModel):
    """`device` behind a bidirectional exponential selector, i = i0 sinh(v / v0): 1S1R.

    Attributes:
        device: the memory element.
        i0: current scale of the selector, in ampere.
        v0: voltage in volt over which its current grows by e.
    """

    device: DeviceModel
    i0: float
    v0: float

    def __post_init__(self) -> None:
        for name, unit in (("i0", "A"), ("v0", "V")):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"`Selector({name}=...)` must be positive; got {getattr(self, name)} {unit}.")

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return series_current(self.device, self._selector, v, g)

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return series_slope(self.device, self._selector, v, g)

    def scalar(self) -> ScalarCell | None:
        """The cell for compilation; see `DeviceModel.scalar`."""
        return series_scalar(self.device, ScalarCell(_selector, (self.i0, self.v0)))

    def _selector(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.i0 * torch.sinh(y / self.v0), self.i0 / self.v0 * torch.cosh(y / self.v0)


@dataclass(frozen=True)
class Transistor1T1R(DeviceModel):
    """`device` on the drain of an n-channel transistor whose source is the bit line; Shichman-Hodges, SPICE's LEVEL=1.

    For a drain-source voltage x >= 0 and an overdrive w = v_gate - v_threshold it carries
    k (w x - x^2 / 2) (1 + channel_modulation x), and from x = w on k w^2 / 2 (1 + channel_modulation x). For x < 0
    drain and source change places, as in SPICE: the overdrive is w - x then. Below threshold it carries nothing.

    Attributes:
        device: the memory element.
        v_gate: gate voltage over the cell's end at the bit line, in volt; or one per row of the crossbar, for tensors
            whose last dimensions are (row, col).
        v_threshold: in volt.
        k: transconductance parameter KP W / L in A/V^2.
        channel_modulation: SPICE's LAMBDA in 1/V.
    """

    device: DeviceModel
    v_gate: float | tuple[float, ...]
    v_threshold: float = 0.4
    k: float = 1e-3
    channel_modulation: float = 0.0

    def __post_init__(self) -> None:
        gates = self.v_gate if isinstance(self.v_gate, tuple) else (self.v_gate,)
        if not gates or not all(abs(gate) < float("inf") for gate in gates):
            raise ValueError(f"`Transistor1T1R(v_gate=...)` must be a finite voltage, or one per row; got {gates}.")
        if not abs(self.v_threshold) < float("inf"):
            raise ValueError(f"`Transistor1T1R(v_threshold=...)` must be finite; got {self.v_threshold} V.")
        if not 0 < self.k < float("inf"):
            raise ValueError(f"`Transistor1T1R(k=...)` must be positive; got {self.k} A/V^2.")
        if not 0 <= self.channel_modulation < float("inf"):
            raise ValueError(
                f"`Transistor1T1R(channel_modulation=...)` must be at least 0; got {self.channel_modulation} 1/V."
            )

    def current(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Current in ampere; see `DeviceModel.current`."""
        return series_current(self.device, self._transistor, v, g)

    def slope(self, v: Float[Tensor, "..."], g: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Slope in siemens; see `DeviceModel.slope`."""
        return series_slope(self.device, self._transistor, v, g)

    def scalar(self) -> ScalarCell | None:
        """The cell for compilation; see `DeviceModel.scalar`."""
        fixed = (self.v_threshold, self.k, self.channel_modulation)
        if isinstance(self.v_gate, tuple):
            parameters = tuple((gate, *fixed) for gate in self.v_gate)
        else:
            parameters = (self.v_gate, *fixed)
        return series_scalar(self.device, ScalarCell(_transistor, parameters))

    def _transistor(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Currents and slopes at drain-source voltages `y`: with z = |y|, and the overdrive that counts."""
        gate = torch.as_tensor(self.v_gate, dtype=y.dtype, device=y.device)
        overdrive = (gate[:, None] if gate.dim() else gate) - self.v_threshold
        z, drive = y.abs(), torch.where(y < 0, overdrive - y, overdrive).clamp(min=0)
        x = torch.minimum(z, drive)
        channel, modulation = self.k * (drive - x / 2) * x, 1 + self.channel_modulation * z
        opened = self.k * torch.where(y < 0, drive, drive - x)
        slope = opened * modulation + channel * self.channel_modulation
        return torch.sign(y) * channel * modulation, slope


@no_type_check
def _resistor(y, p):
    """p[0] is the resistance."""
    return y / p[0], like(1.0, y) / p[0]


@no_type_check
def _selector(y, p):
    """P is i0, v0."""
    sinh, cosh = sinh_cosh(y / p[1])
    return p[0] * sinh, p[0] / p[1] * cosh


@no_type_check
def _transistor(y, p):
    """P is v_gate, v_threshold, k, channel_modulation."""
    z, nothing, overdrive = abs(y), y - y, p[0] - p[1]
    drive = overdrive + z if y < nothing else overdrive
    drive = drive if drive > nothing else nothing
    x = z if z < drive else drive
    channel, modulation = p[2] * (drive - like(0.5, y) * x) * x, like(1.0, y) + p[3] * z
    opened = p[2] * (drive if y < nothing else drive - x)
    current = channel * modulation
    return (-current if y < nothing else current), opened * modulation + channel * p[3]

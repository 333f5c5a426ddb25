"""Devices as users may write them."""

from dataclasses import dataclass

from geniex.devices import DeviceModel, ScalarCell


@dataclass(frozen=True)
class Cubic(DeviceModel):
    """A user's device, without a slope of its own."""

    k: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)


def cubic_cell(v, g, p):
    return g * (v + p[0] * v**3), g * (1 + 3 * p[0] * v**2)


def quick_cubic_cell(v, g, p):
    return g * (v + p[1] * v**3), g * (1 + 3 * p[1] * v**2), abs(v) < 0.4


@dataclass(frozen=True)
class Compiled(DeviceModel):
    """The same with a scalar form; `told` is what that says of k, `told_quickly` what its quick form says."""

    k: float = 4.0
    told: float = 4.0
    told_quickly: float | None = None

    def current(self, v, g):
        return g * (v + self.k * v**3)

    def scalar(self):
        if self.told_quickly is None:
            return ScalarCell(cubic_cell, (self.told,))
        return ScalarCell(cubic_cell, (self.told, self.told_quickly), quick_cubic_cell)


@dataclass(frozen=True)
class TorchOnly(DeviceModel):
    """A device without a scalar form, as a user may write it: it is solved by torch, the others by compiled code."""

    device: DeviceModel

    def current(self, v, g):
        return self.device.current(v, g)

    def slope(self, v, g):
        return self.device.slope(v, g)

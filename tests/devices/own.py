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


@dataclass(frozen=True)
class Compiled(DeviceModel):
    """The same with a scalar form; `told` is what that says of k."""

    k: float = 4.0
    told: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)

    def scalar(self):
        return ScalarCell(cubic_cell, (self.told,))


@dataclass(frozen=True)
class TorchOnly(DeviceModel):
    """A device without a scalar form, as a user may write it: it is solved by torch, the others by compiled code."""

    device: DeviceModel

    def current(self, v, g):
        return self.device.current(v, g)

    def slope(self, v, g):
        return self.device.slope(v, g)

"""What was found of energy, latency and area: plain values that tables, plots and JSON files are made from."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["COMPONENTS", "EnergyReport", "LayerEnergy", "sums"]

COMPONENTS = {
    "array": "crossbar arrays",
    "adc": "ADCs",
    "dac": "DACs",
    "sample_hold": "sample and hold",
    "shift_add": "shift and add",
    "register": "registers",
    "buffer": "buffers",
}


@dataclass(frozen=True)
class LayerEnergy:
    """A layer on crossbars; counts and energies are per image.

    Attributes:
        name: in the network.
        crossbars: that are read; blank ones are not, where they read as 0 whatever drives them.
        macs: multiplications of inputs and weights.
        reads: of a crossbar, one stream of one input.
        conversions: of ADCs.
        array: joule in the arrays, by model of the crossbar.
        periphery: joule of everything else, by component.
        latency: seconds, its crossbars at work at the same time, one input after another.
        area: square metre by component.
    """

    name: str
    crossbars: int
    macs: float
    reads: float
    conversions: float
    array: dict[str, float]
    periphery: dict[str, float]
    latency: float
    area: dict[str, float]

    def energy(self, model: str) -> float:
        """Joule per image under a model of the crossbar."""
        return self.array[model] + sum(self.periphery.values())


@dataclass(frozen=True)
class EnergyReport:
    """Energy, latency and area of the layers on crossbars. What stays digital is not in it.

    Attributes:
        images: that were measured.
        layers: in the order of the network.
        costs: per operation, and sizes, as they were taken.
    """

    images: int
    layers: list[LayerEnergy]
    costs: dict[str, Any]

    @property
    def models(self) -> list[str]:
        """Names of the models of the crossbar."""
        return list(self.layers[0].array) if self.layers else []

    @property
    def latency(self) -> float:
        """Seconds per image, layers one after another."""
        return sum(layer.latency for layer in self.layers)

    @property
    def interval(self) -> float:
        """Seconds from one image to the next where layers work at the same time: those of the slowest."""
        return max((layer.latency for layer in self.layers), default=0.0)

    @property
    def macs(self) -> float:
        """Multiplications of inputs and weights per image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def area(self) -> dict[str, float]:
        """Square metre by component."""
        return sums(layer.area for layer in self.layers)

    def components(self, model: str) -> dict[str, float]:
        """Joule per image by component, under a model of the crossbar."""
        return sums({"array": layer.array[model], **layer.periphery} for layer in self.layers)

    def energy(self, model: str) -> float:
        """Joule per image, under a model of the crossbar."""
        return sum(layer.energy(model) for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON, totals included."""
        totals = {
            "energy": {model: self.energy(model) for model in self.models},
            "components": {model: self.components(model) for model in self.models},
            "latency": self.latency,
            "interval": self.interval,
            "area": sum(self.area.values()),
            "macs": self.macs,
        }
        return {**asdict(self), "total": totals}


def sums(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    """Name by name."""
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total

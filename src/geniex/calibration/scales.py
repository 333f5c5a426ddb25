"""Full scales of ADCs that fit the currents of a network's columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from geniex.calibration.currents import Currents, ampere
from geniex.calibration.methods import Max, Method
from geniex.calibration.numbers import Numbers, Observed
from geniex.calibration.ranges import usable
from geniex.calibration.watching import show_again, watched
from geniex.conversion import LayerConfig, convert
from geniex.converters import ColumnScales
from geniex.functional import HardwareConfig
from geniex.models.base import CrossbarModel
from geniex.models.ideal import Ideal

__all__ = ["AdcScale", "full_scales"]

LEAST = 0.5  # products of levels: a column with less holds nothing but what is left of the floor
CURRENTS, LEAST_READS = 2**20, 64  # of a layer and of every column that are kept, where a sample is needed


@dataclass(frozen=True)
class AdcScale:
    """How the full scale of the ADC is found.

    Attributes:
        per_column: whether every column of a crossbar has its own; else all of a layer have the same.
        method: chooses it from the currents; `Percentile` and `MeanSquaredError` from a sample, 64 or more of a column.
        model: computes the currents.
    """

    per_column: bool = False
    method: Method = field(default_factory=Max)
    model: CrossbarModel = field(default_factory=Ideal)


def full_scales(
    network: nn.Module, batches: Iterable[object], config: LayerConfig, adc: AdcScale
) -> dict[str, float | ColumnScales]:
    """Full scales in ampere of layers that have an ADC, by name; of those without currents none.

    Args:
        network: the digital network.
        batches: its data.
        config: of its layers, with the formats that they will have.
        adc: what is wanted.
    """
    converted = convert(network, adc.model, config)
    currents = Currents(converted)
    seen = _Seen(currents, adc.method)
    show_again(watched(converted, seen), batches)
    find = _column_scales if adc.per_column else _layer_scale
    found = {
        name: find(currents, name, seen.observed[name], adc.method)
        for name in currents.layers
        if currents.config(name).adc is not None
    }
    return {name: scale for name, scale in found.items() if scale is not None}


class _Seen:
    """Sees the currents of every column (matrix, row tile) of every layer."""

    def __init__(self, currents: Currents, method: Method) -> None:
        self.currents, self.method = currents, method
        self.observed = {
            name: [self._nothing_yet(name, which, len(w)) for which, w in enumerate(currents.matrices(name))]
            for name in currents.layers
        }

    def __call__(self, name: str, which: int, x: Tensor) -> None:
        for tile, y in self.currents.of(name, which, x):
            crossbars = self.currents.programmed[name, which].crossbars
            every = y.new_zeros(y.shape[1], crossbars, y.shape[2])
            every[:, tile.which] = y.clamp(min=0).movedim(0, 1)
            self.observed[name][which][tile.number].add(every.flatten(1))

    def _nothing_yet(self, name: str, which: int, rows: int) -> list[Observed]:
        columns, tiles = self.currents.in_use[name, which].size, -(-rows // self.currents.config(name).rows)
        kept = max(LEAST_READS, CURRENTS // (columns * tiles)) if self.method.needs_sample else 0
        return [Observed(columns, kept) for _ in range(tiles)]


def _layer_scale(currents: Currents, name: str, observed: list[list[Observed]], method: Method) -> float | None:
    """Of all columns in use."""
    config, largest, samples = currents.config(name), 0.0, [np.empty(0)]
    for which, tiles in enumerate(observed):
        in_use = currents.in_use[name, which].reshape(-1)
        for tile in tiles:
            numbers = tile.numbers()
            largest = max(largest, float(numbers.largest[in_use].max()))
            samples.append(numbers.sample[:, in_use].reshape(-1))
    numbers = Numbers(np.array([largest]), np.concatenate(samples)[:, None])
    steps = usable(method.steps(numbers, 0, _top(config))) if largest >= LEAST else None
    return None if steps is None else float(steps[0]) * _top(config) * ampere(config)


def _column_scales(
    currents: Currents, name: str, observed: list[list[Observed]], method: Method
) -> ColumnScales | None:
    """Of each column; matrices of one layer share the scales of the columns that they have in common."""
    config = currents.config(name)
    uses = [currents.in_use[name, which] for which in range(len(observed))]
    steps = np.zeros((max(map(len, observed)), max(map(len, uses)), uses[0].shape[1]))
    for in_use, tiles in zip(uses, observed, strict=True):
        for number, tile in enumerate(tiles):
            numbers = tile.numbers()
            found = np.where(numbers.largest >= LEAST, method.steps(numbers, 0, _top(config)), 0.0)
            found = found.reshape(in_use.shape) * in_use
            steps[number, : len(in_use)] = np.maximum(steps[number, : len(in_use)], found)
    whole = usable(steps)
    if whole is None:
        return None
    amperes = (whole * (_top(config) * ampere(config))).tolist()
    return ColumnScales(tuple(tuple(tuple(crossbar) for crossbar in tile) for tile in amperes))


def _top(config: HardwareConfig) -> int:
    """Largest code of the ADC."""
    assert config.adc is not None
    return 2**config.adc.bits - 1

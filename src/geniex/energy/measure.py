"""Energy of a network at work: every read of some images by its power, everything else by counts and costs."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from geniex.calibration.watching import watched
from geniex.chip import Chip
from geniex.conversion import LayerConfig, convert
from geniex.energy.array import Power, array_power
from geniex.energy.costs import Costs
from geniex.energy.counting import counted
from geniex.energy.results import EnergyReport, LayerEnergy, sums
from geniex.functional import AnalogMatmul, HardwareConfig, ProgrammedMatrix, WrittenMatrix
from geniex.functional.reading import RowTile
from geniex.layers import analog_layers
from geniex.models.base import CrossbarModel
from geniex.models.ideal import Ideal

__all__ = ["measure_energy"]


@torch.no_grad()
def measure_energy(
    network: nn.Module,
    x: Tensor,
    models: Mapping[str, CrossbarModel],
    config: HardwareConfig | LayerConfig,
    costs: Costs | None = None,
    chip: Chip | None = None,
) -> EnergyReport:
    """Energy, latency and area of a network's layers on crossbars.

    Layers see the activations of the digital network, and all models the same reads of the same conductances, so that
    their energies are those of the same work.

    Args:
        network: digital.
        x: inputs of the network, one per image.
        models: of the crossbar, by name; without the effects that writing has.
        config: the hardware.
        costs: per operation, and sizes; None are the published ones.
        chip: whose conductances these are; None is what was to be written.

    Raises:
        ValueError: if a layer cannot be mapped or a model does not fit.
        RuntimeError: if a circuit does not converge.
    """
    costs, converted = costs or Costs(), convert(network, Ideal(), config).eval()
    if chip is not None:
        chip.install(converted)
    meter = _Meter(converted, models)
    watched(converted, meter.see)(x)
    layers = [_layer(name, meter, costs, len(x)) for name in meter.matrices]
    return EnergyReport(len(x), layers, asdict(costs))


class _Meter:
    """Sees what enters the products of a converted network."""

    def __init__(self, converted: nn.Module, models: Mapping[str, CrossbarModel]) -> None:
        """Keep what stands on crossbars, before anything else stands in for it."""
        self.models = models
        layers = dict(analog_layers(converted))
        self.matmuls: dict[str, AnalogMatmul] = {name: layer.matmul for name, layer in layers.items()}
        self.written: dict[str, list[WrittenMatrix]] = {name: layer.written() for name, layer in layers.items()}
        self.matrices = {
            name: [layer.matmul.open(matrix) for matrix in self.written[name]] for name, layer in layers.items()
        }
        self.inputs = {(name, k): 0 for name, opened in self.matrices.items() for k in range(len(opened))}
        self.signed = dict.fromkeys(self.inputs, False)
        self.watt = {key: dict.fromkeys(models, 0.0) for key in self.inputs}  # summed over reads
        self.prepared: tuple[tuple[str, int], dict[int, dict[str, Power]]] | None = None

    def see(self, name: str, which: int, x: Tensor) -> None:
        """Add the reads of some inputs of a matrix."""
        key, matrix = (name, which), self.matrices[name][which]
        self.inputs[key] += len(x)
        step = matrix.config.inputs.step
        assert not isinstance(step, tuple)
        self.signed[key] |= bool(len(x)) and x.min().item() <= -step
        powers = self._powers(key, matrix)
        for tile, level, _ in matrix.drives(x):
            v = tile.levels.voltages(level, level.dtype)
            for model, power in powers[tile.number].items():
                self.watt[key][model] += power(v).sum().item()

    def _powers(self, key: tuple[str, int], matrix: ProgrammedMatrix) -> dict[int, dict[str, Power]]:
        """Of every row tile by number, and model; kept while the same matrix is read again."""
        if self.prepared is None or self.prepared[0] != key:
            self.prepared = None  # before the next ones take as much memory
            self.prepared = key, {tile.number: self._of_tile(tile) for tile in matrix.tiles}
        return self.prepared[1]

    def _of_tile(self, tile: RowTile) -> dict[str, Power]:
        return {name: array_power(model.after_writing, tile.g) for name, model in self.models.items()}


def _layer(name: str, meter: _Meter, costs: Costs, images: int) -> LayerEnergy:
    config = meter.matmuls[name].config
    keys = [key for key in meter.inputs if key[0] == name]
    counts = [counted(meter.matrices[name][key[1]], meter.inputs[key] / images, meter.signed[key]) for key in keys]
    array = {model: sum(meter.watt[key][model] for key in keys) * costs.read_time / images for model in meter.models}
    return LayerEnergy(
        name,
        crossbars=sum(each.crossbars for each in counts),
        macs=sum(each.macs for each in counts),
        reads=sum(each.reads for each in counts),
        conversions=sum(each.conversions for each in counts),
        array=array,
        periphery=sums(each.energy(costs, config) for each in counts),
        latency=max(each.cycles for each in counts) * costs.cycle(config),
        area=sums(each.area(costs, config) for each in counts),
    )

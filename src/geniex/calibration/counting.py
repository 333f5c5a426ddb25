"""How many numbers a calibrated network clips: inputs and weights by their formats, readings by the ADC."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from geniex.calibration.currents import Currents, ampere
from geniex.calibration.result import CalibratedLayer, Span
from geniex.calibration.watching import show_again, watched
from geniex.conversion import LayerConfig, convert
from geniex.converters import clips
from geniex.digital import overflows
from geniex.models.base import CrossbarModel

__all__ = ["counted"]


def counted(
    layers: dict[str, CalibratedLayer],
    network: nn.Module,
    batches: Iterable[object],
    config: LayerConfig,
    model: CrossbarModel,
) -> dict[str, CalibratedLayer]:
    """The layers with counts of what is clipped.

    Args:
        layers: as they are calibrated, by name.
        network: the digital network.
        batches: its data.
        config: of its layers, calibrated.
        model: computes column currents.
    """
    converted = convert(network, model, config)
    counts = _Counts(Currents(converted))
    show_again(watched(converted, counts), batches)
    return {name: _with_counts(layer, name, counts) for name, layer in layers.items()}


class _Counts:
    """Sees the inputs and readings of every product."""

    def __init__(self, currents: Currents) -> None:
        self.currents = currents
        self.inputs: dict[tuple[str, int], int] = {}
        self.readings: dict[tuple[str, int], Span] = {}

    def __call__(self, name: str, which: int, x: Tensor) -> None:
        config, key = self.currents.config(name), (name, which)
        self.inputs[key] = self.inputs.get(key, 0) + int(overflows(x, config.inputs).sum())
        if config.adc is None:
            return
        in_use = torch.from_numpy(self.currents.in_use[key]).to(x.device)
        for tile, y in self.currents.of(name, which, x):
            columns = in_use[tile.which]
            clipped = clips(y, tile.unit, config.adc).movedim(0, 1)[:, columns]
            read = y.movedim(0, 1)[:, columns]
            self.readings[key] = _joined(self.readings.get(key), read * ampere(config), int(clipped.sum()))


def _joined(before: Span | None, x: Tensor, clipped: int) -> Span:
    if not x.numel():
        return before or Span()
    span = Span(x.numel(), x.min().item(), x.max().item(), clipped)
    if before is None or not before.count:
        return span
    least, most = min(before.least, span.least), max(before.most, span.most)
    return Span(before.count + span.count, least, most, before.clipped + clipped)


def _with_counts(layer: CalibratedLayer, name: str, counts: _Counts) -> CalibratedLayer:
    config, products = counts.currents.config(name), []
    for which, (product, w) in enumerate(zip(layer.products, counts.currents.matrices(name), strict=True)):
        inputs = replace(product.inputs, clipped=counts.inputs.get((name, which), 0))
        weights = replace(product.weights, clipped=int(overflows(w, config.weights).sum()))
        readings = counts.readings.get((name, which), Span())
        products.append(replace(product, inputs=inputs, weights=weights, readings=readings))
    return replace(layer, products=tuple(products))

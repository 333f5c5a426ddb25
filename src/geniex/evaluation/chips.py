"""Converted networks as an evaluation measures them: which chip each is, and what its reads draw from.

A chip is written whole before it is read, with what a seed draws, so that it depends neither on which images come first
nor on which results are stored already.
"""

import math
from collections.abc import Iterable, Sequence

from torch import Generator, nn

from geniex.chip import Chip, chip_of
from geniex.conversion import LayerConfig, convert
from geniex.functional import HardwareConfig
from geniex.layers import analog_layers
from geniex.models.base import CrossbarModel
from geniex.models.randomness import RandomSource, generators, is_random, reseed

__all__ = [
    "check_conductances",
    "chip_to_compare_on",
    "generators_of_converters",
    "generators_of_reads",
    "installed",
    "written",
]


def written(network: nn.Module, model: CrossbarModel, config: HardwareConfig | LayerConfig, seed: int) -> nn.Module:
    """A converted network on a chip of its own, which `seed` decides. The generators of `model` are then at `seed`.

    What a user's model draws in `program`, which is not where it should, belongs to the chip too.
    """
    converted = convert(network, model, config).eval()
    reseed(model, seed)
    if is_random(model):
        for _, layer in analog_layers(converted):
            layer.programmed()
        reseed(model, seed)
    return converted


def installed(network: nn.Module, model: CrossbarModel, config: HardwareConfig | LayerConfig, chip: Chip) -> nn.Module:
    """A converted network on a chip that was written before.

    Raises:
        ValueError: if it is not a chip of this network and hardware.
    """
    converted = convert(network, model, config).eval()
    chip.install(converted)
    return converted


def check_conductances(network: nn.Module) -> None:
    """Raise ValueError, or warn, if a model was not made for the conductances that its crossbars have.

    Args:
        network: converted; its chip is written if need be.
    """
    for name, layer in analog_layers(network):
        model = layer.matmul.model
        bounds = model.operating_range
        if bounds is None or bounds.g_max == math.inf:
            continue
        for tile in (tile for matrix in layer.written() for tile in matrix.tiles):
            try:
                model.guard.check_conductances(tile.g, bounds)
            except ValueError as error:
                raise ValueError(f"Layer `{name}`: {error}") from error


def chip_to_compare_on(
    network: nn.Module, models: Sequence[CrossbarModel], config: HardwareConfig | LayerConfig, seed: int
) -> Chip | None:
    """The chip of the first model with effects of writing; None if there is no such model."""
    for model in models:
        if model.after_writing is not model:
            converted = convert(network, model, config)
            reseed(model, seed)
            return chip_of(converted)
    return None


def generators_of_reads(network: nn.Module) -> list[Generator]:
    """What the reads of a converted network draw from: generators of its models and of its converters, each once."""
    layers = [layer for _, layer in analog_layers(network)]
    models = {id(layer.matmul.model): layer.matmul.model.after_writing for layer in layers}
    found = [generator for model in models.values() for generator in generators(model)]
    found += generators_of_converters(layer.matmul.config for layer in layers)
    return list({id(generator): generator for generator in found}.values())


def generators_of_converters(configs: Iterable[HardwareConfig]) -> list[Generator]:
    """What converters draw from, each once."""
    sources = (config.adc.generator for config in configs if config.adc is not None)
    found = (source.generator for source in sources if isinstance(source, RandomSource))
    return list({id(generator): generator for generator in found}.values())

"""The hardware of layers without quantization, and with converters as another configuration has them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from geniex.calibration import CalibratedLayer
from geniex.conversion import LayerConfig
from geniex.converters import Adc, ColumnScales
from geniex.digital import Number, Scaled
from geniex.functional import HardwareConfig

__all__ = ["WIDEST", "fine", "is_coarse", "unread", "with_converters"]

WIDEST = 16  # bits of numbers that stand for none
EQUAL = 1 + 1e-6  # ranges that differ by no more are the same

Seen = Mapping[str, CalibratedLayer]
"""Formats that hold every number of a layer, by the layer's name."""


def fine(layers: LayerConfig, seen: Seen) -> LayerConfig:
    """The same hardware with numbers of 16 bits, in digits as wide as they were.

    Their range is as it was, so that the leading digits are the same; where numbers lie beyond it, it holds those.

    Args:
        layers: of a network.
        seen: what its numbers need.
    """

    def finer(name: str, module: nn.Module) -> HardwareConfig | None:
        config = layers(name, module)
        if config is None:
            return None
        changes: dict[str, Any] = {}
        for numbers, digits in (("weights", "slice_bits"), ("inputs", "stream_bits")):
            number, width = getattr(config, numbers), getattr(config, digits)
            other = _finer(number, getattr(seen[name], numbers) if name in seen else None)
            if other.bits != number.bits:
                changes[digits] = max(width) if isinstance(width, tuple) else width
                changes["adc"] = _one_scale(config.adc)  # other slices lie in other columns
            changes[numbers] = other
        return replace(config, **changes)

    return finer


def is_coarse(network: nn.Module, layers: LayerConfig, seen: Seen) -> bool:
    """Whether `fine` changes a layer: whether any number is rounded to less than 16 bits, or clipped."""
    finer = fine(layers, seen)
    pairs = ((layers(name, module), finer(name, module)) for name, module in network.named_modules())
    return any((a.weights, a.inputs) != (b.weights, b.inputs) for a, b in pairs if a is not None and b is not None)


def unread(layers: LayerConfig) -> LayerConfig:
    """The same hardware without ADCs, for those that ask for numbers alone."""

    def settings(name: str, module: nn.Module) -> HardwareConfig | None:
        config = layers(name, module)
        return None if config is None else replace(config, adc=None)

    return settings


def with_converters(layers: LayerConfig, other: HardwareConfig) -> LayerConfig:
    """The same hardware with DACs, removal of the floor, and absence of ADCs as in another one.

    ADCs that stay are those of `layers`, whose full scales may be calibrated.
    """

    def settings(name: str, module: nn.Module) -> HardwareConfig | None:
        config = layers(name, module)
        if config is None:
            return None
        adc = None if other.adc is None else config.adc
        if other.floor.reserved_cols != config.floor.reserved_cols:
            adc = _one_scale(adc)
        return replace(config, dac=other.dac, floor=other.floor, adc=adc)

    return settings


def _one_scale(adc: Adc | None) -> Adc | None:
    """The ADC with the largest full scale of all columns, where each has its own."""
    if adc is None or not isinstance(adc.full_scale, ColumnScales):
        return adc
    return replace(adc, full_scale=max(x for tile in adc.full_scale.amperes for crossbar in tile for x in crossbar))


def _finer(number: Number, needed: Scaled | None) -> Number:
    step, most = np.atleast_1d(number.step), 2.0 ** (number.bits - 1)
    wanted = step * most if needed is None else np.atleast_1d(needed.step) * 2.0 ** (needed.bits - 1)
    reach = np.maximum(step * most, wanted if len(step) > 1 else wanted.max())
    bits, clips = max(WIDEST, number.bits), bool((reach > EQUAL * step * most).any())
    if bits == number.bits and not clips:
        return number
    steps = (reach / 2.0 ** (bits - 1)).tolist()
    return Scaled(bits, steps[0] if len(steps) == 1 else tuple(steps), number.overflow)

"""What a configuration has of non-idealities, and the same configuration without one of them, or without all others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from geniex.configuration import EvaluationConfig
from geniex.configuration.effects import EffectSection
from geniex.conversion import LayerConfig
from geniex.digital import FixedPoint, Number
from geniex.functional import HardwareConfig

__all__ = ["EFFECTS", "QUANTIZATION", "Effect", "effects_of", "fine", "only", "without"]

Content = dict[str, Any]
WIDEST = 16  # bits of numbers that stand for none

QUANTIZATION = "quantization"
"""The effect that formats of layers have, which a file can hold: `fine` takes it away, and no field."""


@dataclass(frozen=True)
class Effect:
    """A non-ideality that can be switched off.

    Attributes:
        name: short.
        title: for people.
        meaning: what switching it off does.
        changes: of a configuration's content, by table and field, that take it away.
    """

    name: str
    title: str
    meaning: str
    changes: Callable[[EvaluationConfig], Content]


def _fields(**changes: Content | str) -> Callable[[EvaluationConfig], Content]:
    return lambda config: changes


def _ohmic(config: EvaluationConfig) -> Content:
    return {"cell": {"device": "ohmic", "file": None, "r_access": 0.0}}


def _undrawn(*names: str) -> Callable[[EvaluationConfig], Content]:
    """Fields of `[effects]` as they are where nothing is said."""
    plain = EffectSection().model_dump()
    return _fields(effects={name: plain[name] for name in names})


EFFECTS = (
    Effect("wires", "wires", "lines without resistance", _fields(crossbar={"r_row": 0.0, "r_col": 0.0})),
    Effect(
        "drivers",
        "drivers and sinks",
        "drivers and sense amplifiers without resistance",
        _fields(crossbar={"r_source": 0.0, "r_sink": 0.0}),
    ),
    Effect("cells", "nonlinear cells", "cells with Ohm's law, and nothing in series", _ohmic),
    Effect(QUANTIZATION, "quantization", f"numbers of {WIDEST} bits over the same range", _fields()),
    Effect("dac", "DAC errors", "input levels on a straight line", _fields(inputs={"dac_inl": None})),
    Effect("adc", "ADC", "readings rounded to single products, never clipped", _fields(adc="none")),
    Effect("floor", "floor removal", "the floor current subtracted exactly", _fields(floor="digital")),
    Effect("levels", "finite levels", "cells that take any conductance", _undrawn("levels")),
    Effect(
        "programming",
        "programming errors",
        "conductances as they were to be written",
        _undrawn("programming_relative", "programming_absolute", "programming_lognormal"),
    ),
    Effect("faults", "stuck cells", "no stuck cells", _undrawn("stuck_on", "stuck_off")),
    Effect("drift", "drift", "conductances as after writing", _undrawn("drift_time", "drift_nu", "drift_spread")),
    Effect("temperature", "temperature", "a chip at 300 K", _undrawn("kelvin", "activation_energy")),
    Effect(
        "noise",
        "noise of reads",
        "reads without noise",
        _undrawn("thermal_bandwidth", "shot_bandwidth", "flicker"),
    ),
)
"""Every effect, in the order of the signal."""


def effects_of(config: EvaluationConfig, model: str) -> list[Effect]:
    """The effects that a configuration has under a model of the crossbar.

    Numbers of 16 bits have none of quantization, and cells of the model `linear` are ohmic.

    Args:
        config: of crossbar and hardware.
        model: as `geniex evaluate` knows it.
    """
    coarse = min(config.weights.bits, config.inputs.bits) < WIDEST
    absent = {QUANTIZATION: not coarse, "cells": model == "linear"}
    return [
        effect
        for effect in EFFECTS
        if not absent.get(effect.name) and (effect.name == QUANTIZATION or without(config, [effect]) != config)
    ]


def without(config: EvaluationConfig, effects: Sequence[Effect]) -> EvaluationConfig:
    """The configuration with some effects switched off."""
    content = config.model_dump()
    for effect in effects:
        for name, change in effect.changes(config).items():
            if isinstance(change, dict) and isinstance(content[name], dict):
                content[name] |= change
            else:
                content[name] = change
    return EvaluationConfig.model_validate(content)


def only(config: EvaluationConfig, effect: Effect, effects: Sequence[Effect]) -> EvaluationConfig:
    """The configuration with all of `effects` switched off but one."""
    return without(config, [other for other in effects if other is not effect])


def fine(layers: LayerConfig) -> LayerConfig:
    """The same hardware with numbers of 16 bits over the same range, in digits as wide as they were."""

    def finer(name: str, module: nn.Module) -> HardwareConfig | None:
        config = layers(name, module)
        if config is None:
            return None
        changes: Content = {}
        for numbers, digits in (("weights", "slice_bits"), ("inputs", "stream_bits")):
            number, width = getattr(config, numbers), getattr(config, digits)
            if number.bits < WIDEST:
                changes |= {numbers: _finer(number), digits: max(width) if isinstance(width, tuple) else width}
        return replace(config, **changes)

    return finer


def _finer(number: Number) -> Number:
    more = WIDEST - number.bits
    if isinstance(number, FixedPoint):
        return replace(number, bits=WIDEST, fraction_bits=number.fraction_bits + more)
    step = tuple(x / 2**more for x in number.step) if isinstance(number.step, tuple) else number.step / 2**more
    return replace(number, bits=WIDEST, step=step)

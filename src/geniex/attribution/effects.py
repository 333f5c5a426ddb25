"""What a configuration has of non-idealities, and the same configuration without one of them, or without all others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from geniex.attribution.formats import WIDEST
from geniex.configuration import EvaluationConfig
from geniex.configuration.effects import EffectSection

__all__ = ["EFFECTS", "QUANTIZATION", "TOGETHER", "Effect", "absent_from", "effects_of", "only", "without"]

Content = dict[str, Any]

QUANTIZATION = "quantization"
"""The effect that formats of layers have, which a file can hold: `formats.fine` takes it away, and no field."""

TOGETHER = "device"
"""All device effects at once, where there are several: it repeats them, and does not count in sums."""


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


ARRAY = (
    Effect("wires", "wires", "lines without resistance", _fields(crossbar={"r_row": 0.0, "r_col": 0.0})),
    Effect(
        "drivers",
        "drivers and sinks",
        "drivers and sense amplifiers without resistance",
        _fields(crossbar={"r_source": 0.0, "r_sink": 0.0}),
    ),
    Effect("cells", "nonlinear cells", "cells with Ohm's law, and nothing in series", _ohmic),
    Effect(QUANTIZATION, "quantization", f"numbers of {WIDEST} bits over a range that holds all of them", _fields()),
    Effect("dac", "DAC errors", "input levels on a straight line", _fields(inputs={"dac_inl": None})),
    Effect("adc", "ADC", "readings rounded to single products, never clipped", _fields(adc="none")),
    Effect("floor", "floor removal", "the floor current subtracted exactly", _fields(floor="digital")),
)
"""Effects of circuits and formats."""

DEVICE = (
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
"""Effects of `[effects]`."""

ALL_DEVICE = Effect(TOGETHER, "all device effects", "nothing of `[effects]`", _undrawn(*EffectSection.model_fields))

EFFECTS = (*ARRAY, *DEVICE, ALL_DEVICE)
"""Every effect, in the order of the signal."""


def effects_of(config: EvaluationConfig, model: str, coarse: bool) -> list[Effect]:
    """The effects that a configuration has under a model of the crossbar.

    Args:
        config: of crossbar and hardware.
        model: as `geniex evaluate` knows it; cells of `linear` are ohmic.
        coarse: whether formats round or clip numbers of a layer; see `formats.is_coarse`.
    """
    known = {QUANTIZATION: coarse, TOGETHER: sum(without(config, [effect]) != config for effect in DEVICE) > 1}
    if model == "linear":
        known["cells"] = False
    return [effect for effect in EFFECTS if known.get(effect.name, without(config, [effect]) != config)]


def absent_from(effects: Sequence[Effect]) -> list[str]:
    """Titles of the effects that are not among `effects`."""
    return [effect.title for effect in EFFECTS if effect not in effects and effect is not ALL_DEVICE]


def without(config: EvaluationConfig, effects: Sequence[Effect]) -> EvaluationConfig:
    """The configuration with some effects switched off."""
    content = config.model_dump()
    for effect in effects:
        _set(content, effect.changes(config))
    return EvaluationConfig.model_validate(content)


def only(config: EvaluationConfig, effect: Effect, effects: Sequence[Effect]) -> EvaluationConfig:
    """The configuration with all of `effects` switched off but one."""
    content, before = without(config, effects).model_dump(), config.model_dump()
    for name, change in effect.changes(config).items():
        as_it_was = {field: before[name][field] for field in change} if isinstance(change, dict) else before[name]
        _set(content, {name: as_it_was})
    return EvaluationConfig.model_validate(content)


def _set(content: Content, changes: Content) -> None:
    for name, change in changes.items():
        if isinstance(change, dict) and isinstance(content[name], dict):
            content[name] |= change
        else:
            content[name] = change

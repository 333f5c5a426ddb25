"""The table of effects in a configuration file, and the wrappers that are made of it."""

import re

import pytest
import torch

from geniex.configuration import EvaluationConfig, read_config, template
from geniex.configuration.effects import EffectSection
from geniex.loading import MODELS, load_models
from geniex.models.effects import (
    AbsoluteSpread,
    Drift,
    FaultRates,
    FiniteLevels,
    FlickerNoise,
    LognormalSpread,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    StuckCells,
    Temperature,
    ThermalNoise,
    Wrapper,
)
from geniex.models.guard import RangeGuard
from geniex.models.ideal import Ideal
from geniex.models.randomness import generators

G_ON, G_OFF = 1e-5, 2e-6


def config(tmp_path, text):
    (tmp_path / "run.toml").write_text(text)
    return read_config(tmp_path / "run.toml", EvaluationConfig)


def wrappers(text, tmp_path):
    """Around an ideal crossbar, outermost first."""
    model = Ideal()
    wrapped, found = config(tmp_path, f"[effects]\n{text}").effects.wrap(model, G_ON, G_OFF), []
    while isinstance(wrapped, Wrapper):
        found.append(wrapped)
        wrapped = wrapped.model
    assert wrapped is model
    return found


def only(text, tmp_path):
    (wrapper,) = wrappers(text, tmp_path)
    return wrapper


def test_where_nothing_is_said_there_are_no_effects(tmp_path):
    assert wrappers("", tmp_path) == []
    model = Ideal()
    assert config(tmp_path, template(EvaluationConfig)).effects.wrap(model, G_ON, G_OFF) is model


@pytest.mark.parametrize(
    ("text", "spread"),
    [
        ("programming_relative = 0.05", RelativeSpread(0.05)),
        ("programming_absolute = 1e-7", AbsoluteSpread(1e-7)),
        ("programming_lognormal = 0.1", LognormalSpread(0.1)),
    ],
)
def test_spreads_of_writing(tmp_path, text, spread):
    wrapper = only(text, tmp_path)
    assert isinstance(wrapper, ProgrammingError)
    assert (wrapper.spread, wrapper.g_min, wrapper.g_max) == (spread, 0.0, float("inf"))


@pytest.mark.parametrize(
    ("text", "rates"), [("stuck_on = 0.01", FaultRates(on=0.01)), ("stuck_off = 0.02", FaultRates(off=0.02))]
)
def test_stuck_cells_have_the_conductances_of_the_largest_digit_and_of_0(tmp_path, text, rates):
    wrapper = only(text, tmp_path)
    assert isinstance(wrapper, StuckCells)
    assert (wrapper.faults, wrapper.g_on, wrapper.g_off) == (rates, G_ON, G_OFF)


@pytest.mark.parametrize(("text", "spread"), [("drift_nu = 0.05", 0.0), ("drift_nu = 0.05\ndrift_spread = 0.01", 0.01)])
def test_drift(tmp_path, text, spread):
    wrapper = only(f"drift_time = 1000\ndrift_t0 = 2.0\n{text}", tmp_path)
    assert isinstance(wrapper, Drift)
    assert (wrapper.time, wrapper.t0, wrapper.nu, wrapper.spread) == (1000, 2, 0.05, spread)


def test_temperature(tmp_path):
    wrapper = only("kelvin = 350\nactivation_energy = 0.1", tmp_path)
    assert isinstance(wrapper, Temperature)
    assert (wrapper.kelvin, wrapper.activation_energy_eV, wrapper.reference) == (350, 0.1, 300)


def test_levels(tmp_path):
    wrapper = only("levels = 5", tmp_path)
    assert isinstance(wrapper, FiniteLevels)
    torch.testing.assert_close(torch.tensor(wrapper.levels), torch.tensor([2e-6, 4e-6, 6e-6, 8e-6, 1e-5]))


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("thermal_bandwidth = 1e6", ThermalNoise(1e6, 300.0)),
        ("thermal_bandwidth = 1e6\nkelvin = 350", ThermalNoise(1e6, 350.0)),
        ("shot_bandwidth = 1e6", ShotNoise(1e6)),
        ("flicker = 0.01", FlickerNoise(0.01)),
    ],
)
def test_noise_of_reads(tmp_path, text, source):
    wrapper = only(text, tmp_path)
    assert isinstance(wrapper, ReadNoise)
    assert wrapper.sources == (source,)


EVERYTHING = """
levels = 8
programming_relative = 0.05
programming_absolute = 1e-7
programming_lognormal = 0.1
stuck_on = 0.01
stuck_off = 0.02
drift_time = 1000
drift_nu = 0.05
drift_spread = 0.01
kelvin = 350
activation_energy = 0.1
thermal_bandwidth = 1e6
shot_bandwidth = 1e6
flicker = 0.01
"""


def test_effects_follow_each_other_as_on_a_chip(tmp_path):
    """Cells are meant to have levels, are written with errors, some are stuck, all drift and warm up, and are read."""
    found = wrappers(EVERYTHING, tmp_path)
    writing = [ProgrammingError] * 3
    assert list(map(type, found)) == [FiniteLevels, *writing, StuckCells, Drift, Temperature, ReadNoise]
    assert {type(wrapper.spread) for wrapper in found[1:4]} == {RelativeSpread, AbsoluteSpread, LognormalSpread}
    assert len(found[-1].sources) == 3
    assert len(generators(found[0])) == 6  # one for each that draws


@pytest.mark.parametrize("name", EffectSection.model_fields)
def test_every_field_counts(tmp_path, name):
    """Each changes what all the others make."""

    def described(text):
        values = [
            {k: v for k, v in vars(wrapper).items() if k not in ("_modules", "source")}
            for wrapper in wrappers(text, tmp_path)
        ]
        return repr(values)

    line = re.search(rf"^{name} = .*$", EVERYTHING, re.M)
    changed = EVERYTHING.replace(line[0], "") if line else EVERYTHING + f"{name} = 3.0\n"
    if name == "drift_time":
        changed = EVERYTHING.replace(line[0], "drift_time = 2000")
    assert described(changed) != described(EVERYTHING)


def test_every_model_has_the_effects_and_the_guard_of_the_configuration(tmp_path):
    text = 'outside = "warn"\n[cell]\nr_on = 2e5\non_off = 5.0\n[effects]\nstuck_on = 0.1\nflicker = 0.1\n'
    models = load_models(list(MODELS), config(tmp_path, text), tmp_path)
    assert models.pop("digital") is None
    for model in models.values():
        assert isinstance(model, StuckCells)
        assert isinstance(model.model, ReadNoise)
        assert (model.g_on, model.g_off) == pytest.approx((5e-6, 1e-6))
        assert model.guard == model.model.model.guard == RangeGuard("warn")
    every = [generator for model in models.values() for generator in generators(model)]
    assert len(set(map(id, every))) == 2 * len(models)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stuck_on = 0.6\nstuck_off = 0.5", "stuck_on and stuck_off must be at most 1 together; got 0.6 and 0.5."),
        ("drift_nu = 0.1", "drift_nu and drift_spread need drift_time, the seconds since writing."),
        ("drift_spread = 0.1", "drift_nu and drift_spread need drift_time"),
        ("drift_time = 0.5\ndrift_nu = 0.1", "drift_time must be at least drift_t0 = 1 s; got 0.5 s."),
    ],
)
def test_what_does_not_fit_together_is_refused_when_the_file_is_read(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"run.toml cannot be used:\n  `effects`: {re.escape(message)}"):
        config(tmp_path, f"[effects]\n{text}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levels = 1", "`effects.levels` must be at least 2; got 1."),
        ("programming_relative = -0.1", "`effects.programming_relative` must be at least 0; got -0.1."),
        ("stuck_on = 1.5", "`effects.stuck_on` must be at most 1; got 1.5."),
        ("drift_time = 0.0", "`effects.drift_time` must be above 0; got 0.0."),
        ("kelvin = 0", "`effects.kelvin` must be above 0; got 0."),
        ("flicker = inf", "`effects.flicker` must be a finite number; got inf."),
        ("programming = 0.1", "`effects.programming` is not a field. Did you mean 'programming_relative'?"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        config(tmp_path, f"[effects]\n{text}")


def test_the_template_explains_every_effect():
    section = template(EvaluationConfig).split("[effects]\n")[1].split("\n[")[0]
    for name, field in EffectSection.model_fields.items():
        assert re.search(rf"^(# )?{name} = .*# {re.escape(field.description)}$", section, re.M)
    assert re.search(r"^chips = 1  # .*$", template(EvaluationConfig), re.M)

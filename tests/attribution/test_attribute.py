"""A planted cause is found, and nothing else is blamed."""

from dataclasses import replace

import numpy as np
import pytest

from geniex.attribution import AttributionOptions, attribute
from tests.attribution.conftest import configured

FAST = AttributionOptions(layers=False)


def found_of(network, images, config, **options):
    return attribute(network, images, config, replace(FAST, **options))


def effect(found, name):
    (one,) = [each for each in found.effects if each.name == name]
    return one


def test_flawless_crossbars_lose_nothing(network, images):
    found = found_of(network, images, configured())
    assert (found.digital.top1, found.whole.top1, found.nothing.top1) == (1.0, 1.0, 1.0)
    assert found.whole.distance < 1e-2
    assert found.effects == []
    assert found.lost == found.lost_alone == 0
    assert "wires" in found.absent
    assert {"ADC", "quantization"} <= set(found.absent)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("wires", {"crossbar": {"r_row": 2000.0, "r_col": 2000.0}}),
        ("drivers", {"crossbar": {"r_source": 1e5, "r_sink": 1e5}}),
        ("cells", {"cell": {"device": "sinh", "v0": 0.02}}),
        ("quantization", {"weights": {"bits": 3, "fraction_bits": 2}, "inputs": {"bits": 3, "fraction_bits": 1}}),
        ("adc", {"adc": {"bits": 3, "full_scale": 1e-6}}),
        ("noise", {"effects": {"flicker": 1.0}}),
        ("faults", {"effects": {"stuck_on": 0.1}}),
    ],
)
def test_a_planted_cause_comes_first_and_is_the_whole(network, images, name, tables):
    found = found_of(network, images, configured(**tables))
    assert found.whole.top1 < 0.95
    (cause,) = found.effects
    assert (cause.name, cause.off.low > 0) == (name, True)
    assert cause.off.points == pytest.approx(found.nothing.top1 - found.whole.top1)
    assert cause.on.points == pytest.approx(-cause.off.points)
    assert found.lost_alone == pytest.approx(found.lost)


def test_an_effect_that_costs_alone_can_help_in_company(network, images):
    """Wires take away some of what cells add."""
    both = configured(crossbar={"r_row": 1000.0, "r_col": 1000.0}, cell={"device": "sinh", "v0": 0.1})
    found = found_of(network, images, both)
    wires, cells = effect(found, "wires"), effect(found, "cells")
    assert wires.on.distance > 0
    assert cells.on.distance > 0
    assert wires.off.distance > 0 > cells.off.distance
    assert found.effects[0] is cells


def test_the_layer_with_the_terrible_crossbars_is_found(network, images, tmp_path):
    config = configured(crossbar={"r_row": 2000.0, "r_col": 2000.0}, layers={"digital": ["0"]})
    found = found_of(network, images, config, layers=True, work=tmp_path)
    (only,) = found.layers
    assert only.name == "3"
    assert only.ideal.points == pytest.approx(found.lost, abs=0.03)
    assert only.analog.points == pytest.approx(-found.lost, abs=0.03)
    every = found_of(network, images, configured(crossbar={"r_row": 2000.0, "r_col": 2000.0}), layers=True)
    assert [layer.name for layer in every.layers] == ["0", "3"]
    assert all(layer.analog.distance > 0 > layer.ideal.distance for layer in every.layers)


def test_shares_of_parts_add_up_to_the_whole_layer(network, images):
    found = found_of(network, images, configured(crossbar={"r_row": 200.0, "r_col": 200.0}))
    for parts in (found.tiles, found.slices, found.streams):
        for layer in ("0", "3"):
            assert sum(part.share for part in parts if part.layer == layer) == pytest.approx(1.0)
        assert [part.share for part in parts] == sorted((part.share for part in parts), reverse=True)
    assert all(part.nf_mean > 0 for part in found.tiles)  # wires take away


def test_chips_are_counted_and_noise_is_the_same_for_all(network, images):
    config = configured(effects={"flicker": 0.2}, chips=2)
    found = found_of(network, images, config)
    assert found.chips == 2
    assert found_of(network, images, config).effects == found.effects


class Killed(BaseException):
    """Nothing catches it."""


def test_a_run_that_was_killed_goes_on_with_the_same_result(network, images, tmp_path):
    config = configured(crossbar={"r_row": 200.0, "r_col": 200.0})
    wanted = found_of(network, images, config, layers=True)
    seen = []

    def kill(stage, done, total):
        seen.append((stage, done))
        if len(seen) == 17:
            raise Killed

    with pytest.raises(Killed):
        found_of(network, images, config, layers=True, work=tmp_path, advance=kill)
    kept = len(list(tmp_path.glob("*.npz")))
    assert kept > 3
    again = found_of(network, images, config, layers=True, work=tmp_path)
    assert replace(again, started=wanted.started) == wanted


def test_an_emulator_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"one of reduced, circuit, linear.*got 'geniex'.*another crossbar"):
        AttributionOptions(model="geniex")


def test_the_network_is_left_as_it_was(network, images):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    types = [type(layer) for layer in network]
    found_of(network, images, configured(adc={"bits": 4, "full_scale": 4e-6}), layers=True)
    assert [type(layer) for layer in network] == types
    assert all(np.array_equal(value, before[name]) for name, value in network.state_dict().items())

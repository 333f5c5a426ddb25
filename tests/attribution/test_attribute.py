"""A planted cause is found, and nothing else is blamed."""

from dataclasses import replace

import numpy as np
import pytest

from geniex.attribution import AttributionOptions, attribute
from geniex.calibration import AdcScale, calibrate
from geniex.evaluation import LabelledImages
from geniex.models.linear import LinearCircuit
from tests.attribution.conftest import PREPARE, configured

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


def test_numbers_beyond_their_range_are_a_cause_too(network, images):
    """16 bits, but weights up to 1/16 only."""
    found = found_of(network, images, configured(weights={"bits": 16, "fraction_bits": 19}))
    (cause,) = found.effects
    assert (cause.name, cause.off.low > 0) == ("quantization", True)
    assert found.nothing.distance < 1e-2


def test_device_effects_are_measured_together_too_and_counted_once(network, images):
    found = found_of(network, images, configured(effects={"stuck_on": 0.1, "programming_relative": 0.3}))
    assert {each.name for each in found.effects} == {"faults", "programming", "device"}
    together = effect(found, "device")
    assert together.on.points == pytest.approx(-found.lost)
    assert together.off.points == pytest.approx(found.lost)
    assert found.lost_alone == pytest.approx(-sum(effect(found, name).on.points for name in ("faults", "programming")))


@pytest.mark.parametrize("per_column", [False, True])
def test_converters_of_a_calibration_stay_what_they_are(network, images, tmp_path, per_column):
    wires = {"r_row": 200.0, "r_col": 200.0}
    adc = {"bits": 8, "full_scale": 2e-6}
    config = configured(crossbar=wires, adc=adc, weights={"bits": 8}, inputs={"bits": 8}, floor="dummy_column")
    batch = [PREPARE(images.images)]
    scale = AdcScale(model=LinearCircuit(config.crossbar.build()), per_column=per_column)
    calibrate(network, batch, config.hardware(), adc=scale).save(tmp_path / "c.json")
    found = found_of(network, images, config.model_copy(update={"calibration": "c.json"}), folder=tmp_path)
    assert {"wires", "quantization", "adc", "floor"} <= {each.name for each in found.effects}
    assert found.nothing.distance < 1e-2


def test_other_preparation_of_images_is_another_result(network, images, tmp_path):
    wires = {"r_row": 200.0, "r_col": 200.0}
    found_of(network, images, configured(crossbar=wires), work=tmp_path)
    darker = configured(crossbar=wires, preprocess={"scale": 0.5 / 255})
    again = found_of(network, images, darker, work=tmp_path)
    assert replace(again, started="") == replace(found_of(network, images, darker), started="")


def test_the_model_is_checked_on_the_worst_tiles(network, images):
    wires = {"r_row": 200.0, "r_col": 200.0}
    found = found_of(network, images, configured(crossbar=wires), model="linear")
    assert [(check.layer, check.part) for check in found.checks] == [
        (tile.layer, tile.part) for tile in found.tiles[: len(found.checks)]
    ]
    assert all(check.nf_exact > 0.1 for check in found.checks)
    assert all(check.error < 1e-2 for check in found.checks)  # cells are ohmic: two solvers, one of them in float32
    bent = found_of(network, images, configured(crossbar=wires, cell={"device": "sinh", "v0": 0.1}), model="linear")
    assert any(check.error > 1 for check in bent.checks)
    assert found_of(network, images, configured(crossbar=wires), model="circuit").checks == []


def test_labels_beyond_the_classes_are_refused(network, images):
    with pytest.raises(ValueError, match="labels from 0 to 9, but the network has 5 classes"):
        found_of(network, LabelledImages(images.images, np.arange(40) % 10, "noise"), configured())

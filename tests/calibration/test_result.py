"""A calibration in a file, and the networks and hardware that it refuses."""

import copy
import json

import pytest
import torch
from torch import nn

from geniex.calibration import AdcScale, Percentile, calibrate, load_calibration
from geniex.conversion import convert
from geniex.converters import Adc, Dac
from geniex.digital import FixedPoint
from geniex.models.ideal import Ideal


@pytest.fixture
def calibrated(network, batches, hardware):
    """A calibration with everything in it, and its hardware."""
    config = hardware(adc=Adc(9))
    return calibrate(network, batches, config, Percentile(99.0), per_channel=True, adc=AdcScale(True)), config


@pytest.fixture
def saved(calibrated, tmp_path):
    path = tmp_path / "folder" / "calibration.json"
    calibrated[0].save(path)
    return path


# --- the file ---


def test_a_file_holds_all_of_it(calibrated, saved, network, batches):
    calibration, config = calibrated
    loaded = load_calibration(saved, config)
    assert loaded.layers == calibration.layers
    assert (loaded.digital, loaded.tensors, loaded.about) == (
        calibration.digital,
        calibration.tensors,
        calibration.about,
    )
    one, other = (convert(network, Ideal(), each)(batches[0]) for each in (calibration, loaded))
    assert torch.equal(one, other)


@pytest.mark.parametrize("adc", [None, AdcScale()])
def test_formats_without_channels_and_columns_are_kept_too(network, batches, hardware, tmp_path, adc):
    nn.init.zeros_(network[0].weight)
    config = hardware(adc=Adc(9))
    calibration = calibrate(network, batches, config, adc=adc)
    calibration.save(tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json", config).layers == calibration.layers


def test_a_file_is_replaced_as_a_whole(calibrated, saved):
    before = saved.read_text()
    calibrated[0].save(saved)
    assert saved.read_text() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_configuration_is_given_when_a_file_is_read(saved, network, hardware):
    loaded = load_calibration(saved, lambda name, module: None if name == "0" else hardware(adc=Adc(9), cols=6))
    assert loaded("0", network[0]) is None
    assert loaded("4", network[4]).adc.bits == 9
    kept = load_calibration(saved, hardware(adc=Adc(9), weights=FixedPoint(8, 3, "raise")))("4", network[4])
    assert kept.weights.overflow == "raise"


def test_a_missing_file_is_named(tmp_path, hardware):
    with pytest.raises(FileNotFoundError, match=r"There is no calibration file .*none\.json.*`geniex calibrate`"):
        load_calibration(tmp_path / "none.json", hardware())


@pytest.mark.parametrize("text", ["", "{", "not JSON", '{"format": '])
def test_a_file_that_is_cut_short_is_refused(tmp_path, hardware, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=r"c\.json is not a whole JSON file: .*Calibrate again"):
        load_calibration(tmp_path / "c.json", hardware())


@pytest.mark.parametrize("content", [[], 3, {}, {"format": "geniex-calibration/99"}, {"format": None}])
def test_a_file_of_another_kind_is_refused(tmp_path, hardware, content):
    (tmp_path / "c.json").write_text(json.dumps(content))
    found = content.get("format") if isinstance(content, dict) else None
    with pytest.raises(ValueError, match=f"is not a calibration of this version: its format is {found}, not geniex-"):
        load_calibration(tmp_path / "c.json", hardware())


DAMAGES = {
    "no layers": lambda content: content.pop("layers"),
    "no tensors": lambda content: content.pop("tensors"),
    "another field": lambda content: content["layers"]["0"].update(colour="red"),
    "a field less": lambda content: content["layers"]["0"].pop("kind"),
    "no step": lambda content: content["layers"]["0"]["inputs"].pop("step"),
    "a step of 0": lambda content: content["layers"]["0"]["inputs"].update(step=0.0),
    "words for bits": lambda content: content["layers"]["0"]["inputs"].update(bits="eight"),
    "a scale of 0": lambda content: content["layers"]["0"]["full_scale"]["amperes"][0][0].append(0.0),
    "no shape": lambda content: content["layers"]["0"]["products"][0].update(shape=[3]),
    "layers in a list": lambda content: content.update(layers=[]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_refused(saved, hardware, damage):
    content = json.loads(saved.read_text())
    damage(content)
    saved.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"(?s)calibration\.json is damaged \(\w+: .*Calibrate again"):
        load_calibration(saved, hardware())


# --- other networks ---


def refused(calibration, network, batches, message):
    """By the check of a whole network, and by `convert`."""
    with pytest.raises(ValueError, match=message):
        calibration.check(network)
    with pytest.raises(ValueError, match=message):
        convert(network, Ideal(), calibration)


def test_the_network_itself_passes(calibrated, network):
    calibrated[0].check(network)
    calibrated[0].check(copy.deepcopy(network).train())
    calibrated[0].check(copy.deepcopy(network).double())


def test_a_network_with_other_weights_is_refused_with_their_names(calibrated, network, batches):
    with torch.no_grad():
        network[4].weight[0, 0] += 1e-6
    message = r"other values in 1 of \d+ weights and buffers \['4\.weight'\]\. Calibrate this network"
    refused(calibrated[0], network, batches, message)


def test_a_network_with_other_shapes_is_refused_with_both(calibrated, network, batches):
    network[4] = nn.Linear(64, 7)
    message = r"of another network: 4\.weight = 5x64 instead of 7x64, 4\.bias = 5 instead of 7\. Calibrate this network"
    refused(calibrated[0], network, batches, message)


def test_a_network_with_another_layer_is_refused_with_its_name(calibrated, network, batches):
    network.add_module("head", nn.Linear(5, 2))
    refused(calibrated[0], network, batches, r"of another network: it has no 'head\.weight' and 1 more\. Calibrate")


def test_a_network_with_a_layer_less_is_refused(calibrated, network):
    message = r"of another network: 2 of its 8 weights and buffers are not here \['4\.weight', '4\.bias'\]"
    with pytest.raises(ValueError, match=message):
        calibrated[0].check(network[:4])


def test_normalization_with_other_statistics_is_another_network(calibrated, network):
    network[1].running_mean += 1
    with pytest.raises(ValueError, match=r"other values in 1 of 8 weights and buffers \['1\.running_mean'\]"):
        calibrated[0].check(network)


# --- other hardware ---


@pytest.mark.parametrize("numbers", ["weights", "inputs"])
def test_other_bits_are_refused(saved, network, hardware, numbers):
    loaded = load_calibration(saved, hardware(adc=Adc(9), **{numbers: FixedPoint(7, 0)}))
    message = f"Layer `0` was calibrated for {numbers} of 8 bits; its configuration has 7. Calibrate again"
    with pytest.raises(ValueError, match=message):
        convert(network, Ideal(), loaded)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 16}, "rows = 8 instead of 16"),
        (
            {"slice_bits": 2, "dac": Dac(2)},
            r"slice_bits = 4 instead of 2, dac = Dac\(bits=4, .* instead of Dac\(bits=2",
        ),
        ({"g_on": 2e-5}, "g_on = 1e-05 instead of 2e-05"),
    ],
)
def test_full_scales_of_other_hardware_are_refused(saved, network, hardware, changes, message):
    loaded = load_calibration(saved, hardware(adc=Adc(9), **changes))
    with pytest.raises(ValueError, match=f"Layer `0` was calibrated with another ADC or crossbar: {message}"):
        convert(network, Ideal(), loaded)


def test_formats_alone_hold_for_tiles_of_any_size(network, batches, hardware, tmp_path):
    calibrate(network, batches, hardware(), per_channel=True).save(tmp_path / "c.json")
    convert(network, Ideal(), load_calibration(tmp_path / "c.json", hardware(rows=16, adc=Adc(12), g_on=2e-5)))


def test_full_scales_serve_adcs_of_any_bits(saved, network, hardware):
    assert load_calibration(saved, hardware(adc=Adc(5)))("4", network[4]).adc.bits == 5
    assert load_calibration(saved, hardware(adc=None))("4", network[4]).adc is None


def test_a_layer_that_was_digital_and_is_not_now_is_refused(network, batches, hardware, tmp_path):
    calibrate(network, batches, lambda name, module: None if name == "4" else hardware()).save(tmp_path / "c.json")
    loaded = load_calibration(tmp_path / "c.json", hardware())
    with pytest.raises(ValueError, match="Layer `4` was digital when the network was calibrated, and now it has a"):
        convert(network, Ideal(), loaded)


def test_modules_that_are_no_layers_have_no_configuration(calibrated, network):
    assert calibrated[0]("2", network[2]) is None
    assert calibrated[0]("1", network[1]) is None

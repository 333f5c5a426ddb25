"""A chip as an object and as a file: what is loaded answers as what was written, and nothing else passes for it."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from geniex.chip import chip_of, load_chip, occupancy
from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import convert
from geniex.converters import Adc, Dac, DigitalFloor
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.mapping import OffsetColumn
from geniex.models.effects import Drift, FlickerNoise, ProgrammingError, ReadNoise, RelativeSpread
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.randomness import generators
from tests.models.effects.statistics import seeded
from tests.tolerances import FLOAT32

SPEC = CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0)
CONFIG = HardwareConfig(6, 5, slice_bits=2, adc=None, accumulator=None)
X = torch.rand(3, 2, 4, 4, generator=seeded(1))


def make_network(seed=0, hidden=4):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        conv = nn.Conv2d(2, hidden, 3, padding=1, groups=2)
        return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(16 * hidden, 3)).eval()


NETWORK = make_network()


def scattering(model=None, seed=0):
    return ProgrammingError(model or Ideal(), RelativeSpread(0.1), generator=seeded(seed))


def on(model, config=CONFIG, network=NETWORK):
    return convert(network, model, config)


@torch.no_grad()
def answer(network):
    return network(X)


@pytest.fixture
def file(tmp_path):
    """A chip of NETWORK."""
    path = tmp_path / "chip.safetensors"
    chip_of(on(scattering()), {"network": "mine"}).save(path)
    return path


def installed(chip, network):
    chip.install(network)
    return network


# The same chip


def test_a_chip_from_a_file_answers_as_it_did(tmp_path):
    network = on(scattering())
    before = answer(network)
    chip_of(network).save(tmp_path / "chip")
    other = installed(load_chip(tmp_path / "chip"), on(scattering(seed=7)))
    for again in (other, other.eval(), other.train(), copy.deepcopy(other), copy.deepcopy(other).eval()):
        assert torch.equal(answer(again), before)


def test_making_a_chip_of_a_network_changes_nothing_of_it():
    network, other = on(scattering()), on(scattering())
    chip_of(network)
    assert torch.equal(answer(network), answer(other))


def test_a_loaded_chip_is_what_was_saved(file):
    model = scattering()
    made, loaded = chip_of(on(model), {"network": "mine"}), load_chip(file)
    assert (loaded.provenance, loaded.version, loaded.seeds) == (made.provenance, made.version, [0])
    assert list(loaded.layers) == ["0", "3"]
    assert occupancy(loaded) == occupancy(made)
    for layer, other in zip(loaded.layers.values(), made.layers.values(), strict=True):
        for one, two in zip(layer.matrices, other.matrices, strict=True):
            assert torch.equal(one.q, two.q)
            assert all(torch.equal(a.g, b.g) for a, b in zip(one.tiles, two.tiles, strict=True))


@pytest.mark.parametrize("in_file", [True, False], ids=["from a file", "in memory"])
def test_any_model_reads_the_same_conductances(file, in_file):
    """One seed is one chip, so a model that writes it itself is the reference."""
    chip = load_chip(file) if in_file else chip_of(on(scattering()))
    expected = answer(on(scattering(LinearCircuit(SPEC))))
    assert torch.equal(answer(installed(chip, on(LinearCircuit(SPEC)))), expected)
    assert torch.equal(answer(installed(chip, on(scattering(LinearCircuit(SPEC), seed=3)))), expected)


def test_a_model_of_another_precision_reads_a_chip():
    """Wide digits need float64 on ideal crossbars; an emulator has float32."""
    number = FixedPoint(16, 12)
    config = replace(CONFIG, weights=number, inputs=number, slice_bits=8, dac=Dac(8), adc=Adc(14, full_scale=1e-4))
    emulator = Geniex(SPEC, Scaling(0.25, 0.0, 1.0, 0.8, 1.2), hidden=4)
    chip = chip_of(on(scattering(), config))
    assert chip.layers["3"].matrices[0].tiles[0].g.dtype == torch.float64
    expected = answer(on(scattering(emulator), config))
    torch.testing.assert_close(answer(installed(chip, on(emulator, config))), expected, rtol=FLOAT32, atol=1e-3)


def test_noise_of_reads_is_not_on_the_chip(file):
    network = installed(load_chip(file), on(ReadNoise(Ideal(), FlickerNoise(0.1), seeded())))
    assert not torch.equal(answer(network), answer(network))


def test_effects_of_writing_are_not_applied_twice(file):
    expected = answer(on(scattering()))
    drifting = installed(load_chip(file), on(Drift(Ideal(), 1e6, 0.1)))
    assert torch.equal(answer(drifting), expected)


def test_other_converters_read_the_same_chip(file):
    coarse = replace(CONFIG, adc=Adc(5, full_scale=2e-5), dac=Dac(2), stream_bits=1, inputs=FixedPoint(12, 8))
    found = answer(installed(load_chip(file), on(Ideal(), coarse)))
    assert torch.equal(found, answer(on(scattering(), coarse)))
    assert not torch.equal(found, answer(on(scattering())))


def test_a_layer_that_is_used_twice_is_written_once():
    shared = nn.Linear(3, 3)
    network = nn.Sequential(shared, nn.ReLU(), shared)
    chip = chip_of(convert(network, scattering(), CONFIG))
    assert list(chip.layers) == ["0"]
    other = installed(chip, convert(network, Ideal(), CONFIG))
    assert other[0] is other[2]


def test_weights_that_change_on_an_installed_chip_are_refused(file):
    network = installed(load_chip(file), on(Ideal()))
    network[3].bias.data += 1  # digital
    expected = answer(network)
    network[3].weight.data[0, 0] += 1
    with pytest.raises(ValueError, match=r"weights of this layer are not those that its chip was written from\. Load"):
        network(X)
    network[3].weight.data[0, 0] -= 1
    assert torch.equal(answer(network), expected)
    network[3].weight.data[0, 0] += 1
    network[3].crossbars.forget()
    answer(network)  # on crossbars of its own


def test_seeds_of_the_chip_are_those_of_its_generators():
    model = ReadNoise(scattering(seed=5), FlickerNoise(0.1), seeded(8))
    assert chip_of(on(model)).seeds == [generator.initial_seed() for generator in generators(model)]
    assert set(chip_of(on(model)).seeds) == {5, 8}
    assert chip_of(on(Ideal())).seeds == []


# Another chip


def other_names():
    return nn.Sequential(NETWORK[0], nn.Flatten(), NETWORK[3])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            convert(other_names(), Ideal(), CONFIG),
            r"another network: of its 2 layers 1 are not here \['3'\], and 1 here are not on it \['2'\]\. Use a chip",
        ),
        (NETWORK, r"another network: of its 2 layers 2 are not here \['0', '3'\], and 0 here are not on it \[\]"),
        (
            on(Ideal(), network=make_network(hidden=2)),
            r"another network: layer `0` multiplies by matrices of \[\(9, 1\), \(9, 1\)\], on the chip they have "
            r"\[\(9, 2\), \(9, 2\)\]\. Use",
        ),
        (on(Ideal(), network=make_network(1)), "other weights: in layer `0`, 18 of 18 differ. Use a chip of this"),
        (on(Ideal(), replace(CONFIG, rows=7)), "other hardware: in layer `0`, rows = 6 instead of 7. Use a chip of"),
        (on(Ideal(), replace(CONFIG, g_on=2e-5)), "in layer `0`, g_on = 1e-05 instead of 2e-05"),
        (
            on(Ideal(), replace(CONFIG, mapping=OffsetColumn(), floor=DigitalFloor())),
            r"in layer `0`, floor = PaperFloor\(\) instead of DigitalFloor\(\), mapping = DifferentialPair\(\) instead",
        ),
        (
            convert(NETWORK, Ideal(), lambda name, _: replace(CONFIG, slice_bits=4) if name == "3" else CONFIG),
            "in layer `3`, slice_bits = 2 instead of 4",
        ),
    ],
    ids=["names", "not converted", "sizes", "weights", "rows", "conductances", "floor", "one layer"],
)
def test_a_chip_of_something_else_is_refused_and_changes_nothing(file, network, message):
    before = answer(network)
    with pytest.raises(ValueError, match=message):
        load_chip(file).install(network)
    assert torch.equal(answer(network), before)


def test_one_weight_tells_networks_apart(file):
    changed = copy.deepcopy(NETWORK)
    changed[3].weight.data[1, 5] += 2**-13
    with pytest.raises(ValueError, match="other weights: in layer `3`, 1 of 192 differ"):
        load_chip(file).install(on(Ideal(), network=changed))


def test_a_network_without_crossbars_is_no_chip():
    with pytest.raises(ValueError, match="Sequential has no layer on crossbars; `convert` puts them there"):
        chip_of(NETWORK)


# Files


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no chip file .*none. `geniex program` writes one"):
        load_chip(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="There is no chip file"):
        load_chip(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_file_cut_short_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"chip.safetensors is not a whole safetensors file: .* Write it again"):
        load_chip(file)


def test_a_file_with_a_changed_conductance_is_refused(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"chip\.safetensors is damaged: its content is not what was written"):
        load_chip(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: {**header, "chip": header["chip"].replace("rows", "row5")}, "is damaged"),
        (lambda header: {name: header[name] for name in ("format", "chip")}, "is damaged"),
        (lambda header: {name: header[name] for name in ("format", "sha256")}, "is damaged"),
        (
            lambda header: {**header, "format": "geniex-chip/0"},
            "is not a chip of this version: its format is geniex-chip/0, not geniex-chip/1",
        ),
        (lambda header: {}, "is not a chip of this version: its format is nothing, not geniex-chip/1"),
    ],
    ids=["description", "no digest", "no description", "version", "foreign"],
)
def test_a_file_with_another_header_is_refused(file, change, message):
    with safe_open(file, framework="pt") as opened:
        header, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}
    save_file(tensors, file, metadata=change(header))
    with pytest.raises(ValueError, match=f"chip.safetensors {message}"):
        load_chip(file)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "text").write_text(json.dumps({"a": 1}))
    with pytest.raises(ValueError, match="text is not a whole safetensors file"):
        load_chip(tmp_path / "text")


def test_others_may_read_a_chip_as_any_file(file):
    (file.parent / "any").touch()
    assert file.stat().st_mode == (file.parent / "any").stat().st_mode


def test_a_failing_write_leaves_the_old_chip_and_nothing_else(file, monkeypatch):
    before = file.read_bytes()

    def fail(source, destination):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        chip_of(on(Ideal())).save(file)
    assert [(path.name, path.read_bytes()) for path in file.parent.iterdir()] == [(file.name, before)]


# Occupancy


def test_occupancy_counts_what_can_be_counted_by_hand():
    """(7, 3) weights of 16 bits in digits of 4 bits: 4 slices of 3 columns on crossbars of 6x5, 3 side by side."""
    linear = nn.Linear(7, 3)
    linear.weight.data = torch.zeros(3, 7)
    linear.weight.data[0, 0], linear.weight.data[2, 6] = 3 / 2**13, -17 / 2**13
    (found,) = occupancy(chip_of(convert(linear, Ideal(), HardwareConfig(6, 5))))
    assert (found.layer, found.kind, found.matrices, found.size) == ("", "AnalogLinear", 1, (7, 3))
    # the 3 is in the first row tile of W+, 17 = 1 + 16 in the second one of W-: outputs 2 of slices 0 and 1, columns
    # 2 and 5, on two crossbars
    assert (found.crossbars, found.blank) == (3, 2 * 2 * 3 - 3)
    assert found.in_use == 2 * 4 * 21 / (12 * 30)
    assert found.nonzero == 3 / 90
    step = (1e-5 - 1e-5 / 6) / 15
    assert found.conductance == pytest.approx(1e-5 / 6 + (3 + 1 + 1) * step / 90, rel=1e-6)  # float32


def test_a_grouped_convolution_has_a_matrix_per_group():
    convolution, linear = occupancy(chip_of(on(Ideal())))
    assert (convolution.kind, convolution.matrices, convolution.size) == ("AnalogConv2d", 2, (9, 2))
    assert (linear.matrices, linear.size) == (1, (64, 3))

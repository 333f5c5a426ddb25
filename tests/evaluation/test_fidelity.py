"""How far models are from the exact circuit, and on which reads."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Generator, nn

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.evaluation.fidelity import PLOTTED_COLUMNS, TileSampler, compare_with_exact, record_digits, sample_reads
from geniex.functional import HardwareConfig
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.guard import OperatingRange
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.window import Window
from tests.tolerances import SAME_ALGORITHM

SINH = Sinh()


def reads_of(count, spec, seed=0):
    """v (read, 1, row) and g (read, row, col) of random digits; every tenth read drives nothing but its first row."""
    random, window = Generator().manual_seed(seed), Window()
    v = window.voltages(torch.randint(0, 16, (count, 1, spec.rows), generator=random), torch.float64)
    v[::10, :, 1:] = 0
    return v, window.conductances(torch.randint(0, 16, (count, spec.rows, spec.cols), generator=random), torch.float64)


# TileSampler


def numbered(tiles, inputs, first):
    """Reads that can be told apart: v holds 1 + the input's number, g 1 + the tile's."""
    v = (1.0 + first + torch.arange(inputs, dtype=torch.float64)).view(1, inputs, 1).expand(1, inputs, 2)
    g = (1.0 + torch.arange(tiles, dtype=torch.float64)).view(tiles, 1, 1).expand(tiles, 2, 3)
    return v, g


def sampled(seed, count, parts, silent=()):
    """Which of 3 x 24 reads are kept when the inputs come in `parts`; inputs in `silent` are at 0 V."""
    sampler, first = TileSampler(Ideal(), count, Generator().manual_seed(seed)), 0
    for inputs in parts:
        v, g = numbered(3, inputs, first)
        v = torch.where(torch.isin(v, torch.tensor(silent, dtype=v.dtype) + 1), 0, v)
        sampler.program(g)(v)
        first += inputs
    v, g = sampler.reads()
    return list(zip((g[:, 0, 0] - 1).int().tolist(), (v[:, 0, 0] - 1).int().tolist(), strict=True))


PARTS = {"at once": (24,), "in parts": (13, 7, 1, 3)}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_every_read_is_as_likely_to_be_kept(parts):
    runs, count, reads = 200, 9, 72
    kept = np.zeros((3, 24))
    for seed in range(runs):
        chosen = sampled(seed, count, parts)
        assert len(set(chosen)) == count  # none twice
        for tile, entry in chosen:
            kept[tile, entry] += 1
    share = count / reads
    deviation = (runs * share * (1 - share)) ** 0.5
    assert np.abs(kept - runs * share).max() < 4 * deviation  # 72 binomial counts, seeds fixed
    last = kept[:, -parts[-1] :].sum()  # of the part that comes last
    expected, total = runs * count * parts[-1] / 24, runs * count
    assert abs(last - expected) <= 4 * (expected * (1 - expected / total)) ** 0.5
    chi_squared = ((kept - runs * share) ** 2 / (runs * share * (1 - share))).sum()
    assert abs(chi_squared - reads) < 4 * (2 * reads) ** 0.5


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_reads_of_zero_volt_are_never_kept_and_the_others_stay_as_likely(parts):
    runs, count, silent = 150, 6, (0, 1, 5, 6, 7, 23)
    kept = np.zeros((3, 24))
    for seed in range(runs):
        for tile, entry in sampled(seed, count, parts, silent):
            kept[tile, entry] += 1
    assert kept[:, silent].sum() == 0
    share = count / (3 * 18)
    loud = np.delete(kept, silent, axis=1)
    assert np.abs(loud - runs * share).max() < 4 * (runs * share * (1 - share)) ** 0.5


def test_where_fewer_reads_are_seen_than_wanted_all_are_kept_once():
    assert sorted(sampled(0, 1000, (4, 3))) == [(tile, entry) for tile in range(3) for entry in range(7)]


def test_a_read_with_one_row_driven_counts():
    sampler = TileSampler(Ideal(), 5, Generator().manual_seed(0))
    v = torch.zeros(3, 4)
    v[1, 2] = 0.1
    sampler.program(torch.ones(4, 2))(v)
    kept, _ = sampler.reads()
    torch.testing.assert_close(kept, v[1].view(1, 1, 4), rtol=0, atol=0)


def test_without_any_voltage_there_is_nothing_to_compare():
    sampler = TileSampler(Ideal(), 5, Generator().manual_seed(0))
    sampler.program(torch.ones(4, 2))(torch.zeros(3, 4))
    with pytest.raises(RuntimeError, match="No read with a voltage other than 0 V was seen: are all images black"):
        sampler.reads()


@pytest.mark.parametrize("shapes", [((6, 4), (4, 5)), ((1, 6, 4), (3, 4, 5)), ((2, 3, 6, 4), (2, 1, 4, 5))])
def test_sampling_changes_no_current(shapes):
    v_shape, g_shape = shapes
    random = Generator().manual_seed(0)
    v, g = torch.rand(v_shape, generator=random), 1e-5 * torch.rand(g_shape, generator=random)
    model = LinearCircuit(CrossbarSpec(4, 5))
    sampler = TileSampler(model, 7, Generator().manual_seed(0))
    assert torch.equal(sampler(v, g), model(v, g))
    kept_v, kept_g = sampler.reads()
    assert kept_v.shape == (7 if len(g_shape) > 2 else 6, 1, 4)
    currents = model(kept_v, kept_g).squeeze(-2)
    nearest = torch.cdist(currents.double(), model(v, g).reshape(-1, 5).double()).min(dim=-1).values
    assert nearest.max() < 1e-6 * currents.max()  # pairs of v and g belong together; float32


def test_the_sampler_has_the_range_of_its_model():
    model = LinearCircuit(CrossbarSpec(4, 5))
    assert TileSampler(model, 1, Generator()).operating_range == OperatingRange(4, 5)
    assert TileSampler(Ideal(), 1, Generator()).operating_range is None


# Reads of a network


def layer_of_digits():
    """A layer whose numbers are digits already: its hardware, itself, its weights as integers, an input."""
    config = HardwareConfig(rows=4, cols=16)
    layer = nn.Linear(4, 4, bias=False)
    weight = torch.randint(0, 2**15, (4, 4), generator=Generator().manual_seed(0))
    layer.weight.data = weight / 2.0**13
    return config, layer, weight, torch.tensor([[0x123, 0x450, 0x006, 0x700]]) / 2.0**12


def test_reads_of_a_layer_are_the_digits_of_its_inputs_and_weights():
    """One layer whose numbers are digits already, so that its reads can be written down."""
    config, layer, weight, x = layer_of_digits()
    v, g = sample_reads(layer, config, x, 1000, Generator().manual_seed(0))
    window = Window()
    level = {tuple((row / window.v_step).round().int().tolist()) for row in v.squeeze(1)}
    assert level == {(3, 0, 6, 0), (2, 5, 0, 0), (1, 4, 0, 7)}
    stored = ((g - window.g_off) / window.g_step).round().int()
    digit = torch.stack([weight.T >> shift & 15 for shift in (0, 4, 8, 12)], dim=1).flatten(1)
    assert all((tile == digit).all() for tile in stored)  # W-, which is blank, is not read
    assert len(v) == 3


def test_recorded_digits_are_those_of_inputs_and_weights():
    """The same layer; crossbars are kept once each, inputs as often as they are read."""
    config, layer, weight, x = layer_of_digits()
    recorded = record_digits(layer, config, None, x, 1000, Generator().manual_seed(0))
    assert {tuple(row) for row in recorded.v_level.tolist()} == {(3, 0, 6, 0), (2, 5, 0, 0), (1, 4, 0, 7)}
    assert len(recorded.v_level) == 3
    digit = torch.stack([weight.T >> shift & 15 for shift in (0, 4, 8, 12)], dim=1).flatten(1).byte()
    (stored,) = recorded.g_level
    assert torch.equal(stored, digit)


def test_layers_that_stay_digital_are_not_sampled(network, images, hardware):
    x = torch.rand(2, 3, 8, 8, generator=Generator().manual_seed(0))
    only_last = sample_reads(
        network, lambda name, module: hardware if name == "4" else None, x, 10_000, Generator().manual_seed(0)
    )
    every = sample_reads(network, hardware, x, 100_000, Generator().manual_seed(0))
    assert 0 < len(only_last[0]) < len(every[0])


def test_reads_depend_on_the_generator_alone(network, images, hardware):
    x = torch.rand(2, 3, 8, 8, generator=Generator().manual_seed(0))
    first, again, other = (sample_reads(network, hardware, x, 20, Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


# Comparison


def test_errors_are_those_of_a_direct_computation(spec):
    v, g = reads_of(60, spec)
    exact = Circuit(spec, SINH)
    models = {"ideal": Ideal(), "linear": LinearCircuit(spec)}
    errors, sample = compare_with_exact(models, exact, (v, g), Generator().manual_seed(0))
    ideal = torch.einsum("nor,nrc->nc", v, g)
    solved = torch.stack([exact(v[k], g[k])[0] for k in range(len(v))])
    carries = ideal > 1e-9
    for name, model in models.items():
        current = torch.stack([model(v[k], g[k])[0] for k in range(len(v))])
        nf_exact, nf_model = (ideal - solved) / ideal, (ideal - current) / ideal
        error = 100 * (nf_model - nf_exact)[carries].abs()
        found = errors[name]
        assert found.rmse == pytest.approx(error.square().mean().sqrt().item(), rel=SAME_ALGORITHM * 1e3)
        assert found.worst == pytest.approx(error.max().item(), rel=SAME_ALGORITHM * 1e3)
        assert found.low < found.rmse < found.high
        assert found.columns == int(carries.sum())
        assert found.reads == int(carries.any(-1).sum())
    np.testing.assert_allclose(sorted(sample.i_exact), sorted(solved[carries].tolist()), rtol=1e-9)
    np.testing.assert_allclose(sorted(sample.i_ideal), sorted(ideal[carries].tolist()), rtol=1e-9)


def test_a_sample_holds_the_same_columns_of_every_model(spec):
    v, g = reads_of(40, spec)
    _, sample = compare_with_exact(
        {"ideal": Ideal(), "circuit": Circuit(spec, SINH)}, Circuit(spec, SINH), (v, g), Generator().manual_seed(0)
    )
    assert sample.i_model["ideal"] == pytest.approx(sample.i_ideal, rel=SAME_ALGORITHM)
    assert sample.i_model["circuit"] == pytest.approx(sample.i_exact, rel=SAME_ALGORITHM)


def test_long_samples_are_thinned_without_repeating_a_column(spec):
    v, g = reads_of(300, spec)
    _, sample = compare_with_exact({"ideal": Ideal()}, Circuit(spec, SINH), (v, g), Generator().manual_seed(0))
    assert len(sample.i_exact) == len(sample.i_ideal) == len(sample.i_model["ideal"]) == PLOTTED_COLUMNS
    assert len(set(sample.i_exact)) == PLOTTED_COLUMNS


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-7), (torch.float32, 1e-3)])
def test_the_circuit_itself_has_no_error_but_that_of_its_precision(spec, dtype, bound):
    """In percent: 1e-10 and 2e-6 of the drive, times the resistances seen."""
    v, g = (x.to(dtype) for x in reads_of(30, spec))
    errors, _ = compare_with_exact({"circuit": Circuit(spec, SINH)}, Circuit(spec, SINH), (v, g), Generator())
    assert errors["circuit"].worst < bound


def test_an_emulator_is_compared_in_its_own_precision(spec):
    """Reads in float64, weights in float32."""
    window = Window()
    emulator = Geniex(spec, Scaling(window.v_max, window.g_off, window.g_on, 0.5, 2.0), hidden=4)
    errors, _ = compare_with_exact({"geniex": emulator}, Circuit(spec, SINH), reads_of(10, spec), Generator())
    assert errors["geniex"].rmse > 0


def test_all_models_get_the_same_confidence_draws(spec):
    """Equal models have equal intervals, whatever stands between them."""
    models = {"a": Ideal(), "b": LinearCircuit(spec), "c": Ideal()}
    errors, _ = compare_with_exact(models, Circuit(spec, SINH), reads_of(20, spec), Generator().manual_seed(5))
    assert errors["a"] == errors["c"]
    assert list(errors) == ["a", "b", "c"]


class NoCurrent(CrossbarModel):
    def program(self, g):
        return lambda v: torch.zeros_like(v @ g)


def test_a_model_without_current_is_wrong_by_all_that_flows(spec):
    """NF is 1, so that the error is i_exact / i_ideal."""
    v, g = reads_of(20, spec)
    errors, sample = compare_with_exact({"none": NoCurrent()}, Circuit(spec, SINH), (v, g), Generator())
    ratio = torch.tensor(sample.i_exact) / torch.tensor(sample.i_ideal)
    assert errors["none"].rmse == pytest.approx(100 * ratio.square().mean().sqrt().item(), rel=1e-5)  # float32 here


def test_results_are_plain_values(spec):
    errors, sample = compare_with_exact({"ideal": Ideal()}, Circuit(spec, SINH), reads_of(5, spec), Generator())
    assert all(isinstance(value, float | int) for value in dataclasses.astuple(errors["ideal"]))
    assert all(isinstance(value, float) for value in sample.i_exact)

"""Batches of a dataset: every crossbar once before any comes again, the same row from wherever it is begun."""

import dataclasses
import itertools
import re

import pytest
import torch
from tests.emulation.stored import PLAN, SPEC

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Sinh
from geniex.emulation import (
    Corners,
    StoredSamples,
    TrainingRecipe,
    TrainingRun,
    make_dataset,
    open_dataset,
    source,
    train,
)
from geniex.models.circuit import Circuit
from geniex.window import Window

RECIPE = TrainingRecipe(steps=12, batch=6, hidden=8, checks=4, held_out_crossbars=4, held_out_inputs=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    make_dataset(folder, PLAN)
    return open_dataset(folder)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    """Two shards are shuffled at a time, so that a pass over the dataset takes three such parts."""
    monkeypatch.setattr(source, "CROSSBARS_SHUFFLED", 10)


@pytest.fixture
def stored(dataset):
    return StoredSamples(dataset, PLAN.circuit, PLAN.sampling, PLAN.window)


def batches(stored, size, seed, first, count):
    return list(itertools.islice(stored.batches(size, seed, first), count))


def keys(samples):
    """Each crossbar with its inputs and ratios, as bytes."""
    return [b"".join(x.numpy().tobytes() for x in row) for row in zip(samples.g_level, samples.v_level, samples.f)]  # noqa: B905


@pytest.fixture
def everything(dataset):
    return sorted(itertools.chain(*(keys(dataset.samples(k)) for k in range(5))))


def test_every_crossbar_comes_once_before_any_comes_again(stored, everything):
    passes = [keys(samples) for samples in batches(stored, 23, 7, 0, 3)]
    assert all(sorted(row) == everything for row in passes)
    assert passes[0] != passes[1] != passes[2]


@pytest.mark.parametrize("size", [1, 4, 10, 23, 50])
def test_batches_are_one_row_however_long_they_are(stored, size):
    whole = keys(batches(stored, 150, 7, 0, 1)[0])
    parts = batches(stored, size, 7, 0, 150 // size)
    assert {len(part) for part in parts} == {size}
    assert list(itertools.chain(*map(keys, parts))) == whole[: 150 // size * size]


@pytest.mark.parametrize("first", [1, 2, 3, 5, 6, 11, 40])
def test_a_row_can_be_begun_anywhere(stored, first):
    """Within a part, at the beginning of one, in a later pass."""
    expected = batches(stored, 4, 7, 0, first + 5)[first:]
    assert list(map(keys, batches(stored, 4, 7, first, 5))) == list(map(keys, expected))


def test_the_order_depends_on_the_seed(stored):
    assert keys(batches(stored, 23, 7, 0, 1)[0]) == keys(batches(stored, 23, 7, 0, 1)[0])
    assert keys(batches(stored, 23, 7, 0, 1)[0]) != keys(batches(stored, 23, 8, 0, 1)[0])


def test_a_damaged_shard_ends_training(stored, tmp_path):
    make_dataset(tmp_path, PLAN)
    (tmp_path / "shard-00002.npz").write_bytes(b"")
    copy = StoredSamples(open_dataset(tmp_path), PLAN.circuit, PLAN.sampling, PLAN.window)
    with pytest.raises(ValueError, match=r"shard-00002.npz is not whole: .* Run the `geniex dataset` command"):
        batches(copy, 23, 0, 0, 1)


@pytest.mark.parametrize(
    ("circuit", "window", "message"),
    [
        (Circuit(dataclasses.replace(SPEC, r_row=0.0), Sinh()), Window(), "spec.r_row = 2.5 instead of 0.0"),
        (Circuit(CrossbarSpec(8, 8), Sinh()), Window(), "spec.rows = 4 instead of 8, spec.cols = 5 instead of 8"),
        (Circuit(SPEC, Ohmic()), Window(), "device.type = Sinh instead of Ohmic"),
        (PLAN.circuit, Window(v_max=0.5), "window.v_max = 0.25 instead of 0.5"),
        (PLAN.circuit, Window(v_bits=2), "window.v_bits = 4 instead of 2"),
    ],
)
def test_a_dataset_of_something_else_is_refused(dataset, circuit, window, message):
    with pytest.raises(ValueError, match=rf"was made for something else: {re.escape(message)}.*Make one for this"):
        StoredSamples(dataset, circuit, PLAN.sampling, window)


def test_a_dataset_of_other_digits_is_refused(dataset):
    with pytest.raises(ValueError, match=r"made for something else: sampling.type = MixedDigits instead of Corners"):
        StoredSamples(dataset, PLAN.circuit, Corners(), PLAN.window)


# Training


def trained(stored, **run):
    return train(PLAN.circuit, PLAN.sampling, PLAN.window, RECIPE, TrainingRun(source=stored, **run))


def same_weights(one, other):
    return all(torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())


def test_training_from_a_dataset_gives_the_same_network_twice_and_the_card_says_so(stored):
    (one, card), (two, _) = trained(stored), trained(stored)
    assert same_weights(one, two)
    digest = stored.dataset.manifest.digest()[:16]
    assert card.provenance["samples"] == f"dataset {digest}: 23 crossbars with 2 inputs each, seed 3"
    fresh, _ = train(PLAN.circuit, PLAN.sampling, PLAN.window, RECIPE)
    assert not same_weights(one, fresh)


def test_a_killed_training_goes_on_in_the_middle_of_a_pass(stored, tmp_path):
    def stop(step, numbers):
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(stored, state=tmp_path / "state", log=stop)
    assert same_weights(trained(stored, state=tmp_path / "state")[0], trained(stored)[0])


def test_a_training_with_fresh_samples_is_not_continued_with_a_dataset(stored, tmp_path):
    def stop(step, numbers):
        if step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(None, state=tmp_path / "state", log=stop)
    with pytest.raises(ValueError, match=r"left by another run: samples = fresh samples.* instead of dataset"):
        trained(stored, state=tmp_path / "state")

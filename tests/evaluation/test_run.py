import dataclasses
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import Dac
from geniex.devices import Sinh
from geniex.energy import Costs, measure_energy
from geniex.evaluation import LabelledImages, Preprocess, RunOptions, evaluate
from geniex.evaluation.statistics import paired_interval, wilson_interval
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.evaluation.conftest import CLASSES, Recording, make_network


class Dead(CrossbarModel):
    """No current flows: a layer's product is 0."""

    def program(self, g):
        return lambda v: torch.zeros_like(v @ g)


def predictions(runs):
    """Classes under each of `runs` models, image by image, as the network itself saw them; batches of one size."""
    calls = [logits.argmax(-1).numpy() for logits in Recording.logits[1:]]  # the first is a check on one image
    each = len(calls) // runs
    return [np.concatenate(calls[k * each : (k + 1) * each]) for k in range(runs)]


def without_times(evaluation):
    return [replace(result, seconds_per_image=0.0) for result in evaluation.models]


# Accuracy


def test_with_16_bits_and_ideal_crossbars_the_network_says_what_it_says_digitally(network, images, hardware):
    evaluation = evaluate(network, images, {"digital": None, "ideal": Ideal()}, hardware)
    digital, ideal = evaluation.models
    assert (ideal.agreement, ideal.difference, ideal.top1) == (1.0, 0.0, digital.top1)
    calls = Recording.logits[1:]
    worst = (calls[0] - calls[1]).abs().max()
    assert 0 < worst < 36 * 2**-11  # 36 products in a row, inputs and weights truncated at 12 and 13 bits


def test_accuracies_are_the_plain_ratios(network, images, spec, hardware):
    harsh = replace(spec, r_source=3e4, r_sink=3e4)  # so that predictions change
    models = {"digital": None, "linear": LinearCircuit(harsh), "dead": Dead()}
    evaluation = evaluate(network, images, models, hardware, RunOptions(batch=5))
    seen = dict(zip(models, predictions(3), strict=True))
    assert [result.name for result in evaluation.models] == ["digital", "linear", "dead"]
    assert 0 < sum(seen["linear"] == seen["digital"]) < 12
    for result in evaluation.models:
        right = [a == b for a, b in zip(seen[result.name], images.labels, strict=True)]
        same = [a == b for a, b in zip(seen[result.name], seen["digital"], strict=True)]
        digital = [a == b for a, b in zip(seen["digital"], images.labels, strict=True)]
        assert result.images == 12
        assert result.top1 == sum(right) / 12
        assert result.agreement == sum(same) / 12
        assert result.difference == pytest.approx((sum(right) - sum(digital)) / 12, abs=1e-15)
        assert result.seconds_per_image > 0
        assert set(result.against) == {"digital", "linear", "dead"} - {result.name}
        for name, margin in result.against.items():
            other = [a == b for a, b in zip(seen[name], images.labels, strict=True)]
            assert margin.points == pytest.approx((sum(right) - sum(other)) / 12)
            assert (margin.low, margin.high) == paired_interval(np.array([right]), np.array([other]))
        interval = binomtest(sum(right), 12).proportion_ci(method="wilson")
        assert (result.low, result.high) == pytest.approx(tuple(interval), abs=1e-4)  # 1.96 for 1.95996


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 9), (64, 128), (1, 10_000)])
def test_intervals_are_those_of_wilson(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    low, high = wilson_interval(hits / count, count)
    assert (low, high) == pytest.approx(tuple(expected), abs=1e-4)
    assert 0 <= low <= hits / count <= high <= 1


def test_without_a_digital_run_nothing_is_compared_with_it(network, images, hardware):
    (result,) = evaluate(network, images, {"ideal": Ideal()}, hardware).models
    assert result.difference is None
    assert result.agreement is None


def test_the_digital_network_can_come_last_and_alone(network, images, hardware):
    ideal, digital = evaluate(network, images, {"ideal": Ideal(), "digital": None}, hardware).models
    assert ideal.agreement == 1.0
    (alone,) = evaluate(network, images, {"digital": None}, hardware, RunOptions(exact=None)).models
    assert (alone.top1, alone.nf) == (digital.top1, None)


def test_the_size_of_a_batch_changes_no_prediction(network, images, spec, hardware):
    models = {"digital": None, "linear": LinearCircuit(spec)}
    found = []
    for batch in (1, 5, 12, 1000):
        Recording.logits.clear()
        evaluate(network, images, models, hardware, RunOptions(batch=batch))
        found.append(np.stack(predictions(2)))
        assert max(len(logits) for logits in Recording.logits) == min(batch, 12)
    assert all((each == found[0]).all() for each in found)


def test_images_are_prepared_as_asked(network, images, hardware):
    evaluate(network, images, {"digital": None}, hardware, RunOptions(prepare=Preprocess(channel_order="BGR")))
    flipped = torch.from_numpy(images.images[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(Recording.logits[1], make_network()(flipped), rtol=1e-5, atol=1e-6)  # float32


# Comparison with the exact circuit


def test_each_analog_model_is_compared_with_the_exact_circuit(network, images, spec, hardware):
    exact = Circuit(spec, Sinh())
    models = {"digital": None, "ideal": Ideal(), "linear": LinearCircuit(spec)}
    evaluation = evaluate(network, images, models, hardware, RunOptions(exact=exact, reads=50, read_images=2))
    digital, ideal, linear = evaluation.models
    assert digital.nf is None
    assert ideal.nf.reads <= 50
    assert ideal.nf.rmse > 0
    assert linear.nf.rmse > 0
    assert set(evaluation.sample.i_model) == {"ideal", "linear"}


def test_reads_depend_on_the_seed_alone(network, images, spec, hardware):
    options = RunOptions(exact=Circuit(spec, Sinh()), reads=30, read_images=2)
    first, again, other = (
        evaluate(network, images, {"ideal": Ideal()}, hardware, replace(options, seed=seed, batch=batch))
        for seed, batch in ((0, 4), (0, 12), (1, 12))
    )
    assert first.sample == again.sample
    assert first.models[0].nf == again.models[0].nf
    assert first.sample != other.sample


def test_the_circuit_can_be_a_model(network, images, spec, hardware):
    circuit = Circuit(spec, Sinh())
    models = {"digital": None, "ideal": Ideal(), "circuit": circuit}
    evaluation = evaluate(network, images.first(1), models, hardware, RunOptions(exact=circuit, reads=40))
    result = evaluation.models[2]
    assert result.images == 1
    assert result.nf.rmse < 1e-3 < evaluation.models[1].nf.rmse  # percent; float32 in the run, 2e-6 of the drive


def test_without_an_exact_circuit_there_is_no_comparison(network, images, hardware):
    evaluation = evaluate(network, images, {"ideal": Ideal()}, hardware)
    assert evaluation.sample is None
    assert evaluation.models[0].nf is None


def test_more_images_for_reads_than_there_are_is_no_mistake(network, images, spec, hardware):
    options = RunOptions(exact=Circuit(spec, Sinh()), reads=10, read_images=1000)
    assert evaluate(network, images.first(2), {"ideal": Ideal()}, hardware, options).models[0].nf.reads > 0


# Settings of layers


def only(analog, hardware):
    return lambda name, module: hardware if name == analog else None


def test_layers_can_be_left_digital(network, images, hardware):
    """Without currents a layer gives its bias: the last layer's are the logits, those of the first pass the others."""
    from_first = network[1](network[0].bias.view(1, 4, 1, 1)).relu().expand(1, 4, 3, 3).flatten(1)
    for analog, expected in (("4", network[4].bias), ("0", network[4](from_first))):
        Recording.logits.clear()
        evaluate(network, images, {"dead": Dead()}, only(analog, hardware))
        torch.testing.assert_close(Recording.logits[1], expected.expand(12, CLASSES), rtol=1e-5, atol=1e-6)  # float32


def test_settings_of_layers_are_part_of_what_is_stored(network, images, hardware, tmp_path):
    for analog in ("0", "4", "0"):
        evaluate(network, images, {"ideal": Ideal()}, only(analog, hardware), RunOptions(folder=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2


# What is left alone


def test_the_network_comes_back_as_it_was(images, spec, hardware):
    network = make_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    network[1].eval()  # frozen statistics in a network that is being trained
    modes = [module.training for module in network.modules()]
    evaluate(network, images, {"digital": None, "linear": LinearCircuit(spec)}, hardware)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_the_network_comes_back_as_it_was_after_a_failure(images, hardware):
    network = make_network().train()
    with pytest.raises(ValueError, match="asked for"):
        evaluate(network, images, {"linear": LinearCircuit(CrossbarSpec(4, 4))}, hardware)
    assert all(module.training for module in network.modules())


def test_a_network_in_training_mode_is_evaluated_in_evaluation_mode(network, images, hardware):
    expected = evaluate(network, images, {"digital": None}, hardware)
    again = evaluate(network.train(), images, {"digital": None}, hardware)
    assert without_times(expected) == without_times(again)


def test_a_network_in_double_precision_is_given_doubles(images, hardware):
    evaluation = evaluate(make_network().double(), images, {"digital": None, "ideal": Ideal()}, hardware)
    assert evaluation.models[1].agreement == 1.0


# Mistakes


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, CLASSES, 3)), r"for one image it returned a tensor of shape \(1, 5, 6, 6\)"),
        (nn.Sequential(nn.Linear(8, CLASSES), nn.Flatten(0)), r"for one image it returned a tensor of shape \(120,\)"),
        (nn.Sequential(nn.Linear(8, CLASSES), nn.Flatten(0, 2)), r"it returned a tensor of shape \(24, 5\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), "labels from 0 to 4, but the network has 2 classes"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(48, 5)),
            r"does not take images that are prepared to \(3, 8, 8\) \(Runtime",
        ),
        (nn.GRU(8, 5), "does not take images"),
        (nn.Sequential(nn.Flatten(), nn.LSTM(192, 5)), "for one image it returned tuple"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_the_run(network, images, hardware, message):
    stages = []
    with pytest.raises(ValueError, match=message):
        evaluate(
            network,
            images,
            {"digital": None},
            hardware,
            RunOptions(progress=lambda stage, done, total: stages.append(stage)),
        )
    assert stages == []


@pytest.mark.parametrize(("labels", "found"), [([0, 1, 5], "0 to 5"), ([-1, 0, 1], "-1 to 1")])
def test_labels_of_the_last_image_are_checked_before_the_first_is_classified(network, hardware, labels, found):
    images = LabelledImages(np.zeros((3, 8, 8, 3), np.uint8), np.array(labels), "bad.npz")
    with pytest.raises(ValueError, match=f"bad.npz has labels from {found}, but the network has 5 classes"):
        evaluate(network, images, {"digital": None}, hardware, RunOptions(batch=1))
    assert len(Recording.logits) == 1


def test_a_network_without_layers_for_crossbars_is_refused(images, hardware):
    class Mean(nn.Module):
        def forward(self, x):
            return torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=-1)

    with pytest.raises(ValueError, match="No layer of Mean was put on crossbars"):
        evaluate(Mean(), images, {"ideal": Ideal()}, hardware)


def test_a_model_for_other_crossbars_is_refused_before_the_run(network, images, spec, hardware):
    with pytest.raises(ValueError, match="Layer `0`: LinearCircuit models crossbars of 8x8, but tiles of 4x8"):
        evaluate(network, images, {"digital": None, "linear": LinearCircuit(spec)}, replace(hardware, rows=4))
    assert len(Recording.logits) == 1


def test_voltages_beyond_an_emulators_are_refused_before_the_run(network, images, spec, hardware):
    emulator = Geniex(spec, Scaling(0.25, 1e-5 / 6, 1e-5, 0.5, 2.0), hidden=2)
    with pytest.raises(ValueError, match=r"Layer `0`: Geniex holds for v from 0 to 0.25 V, but 0 to 0.5 V was asked"):
        evaluate(network, images, {"geniex": emulator}, replace(hardware, dac=Dac(v_max=0.5)))


def test_a_circuit_that_does_not_converge_fails_the_run(network, images, spec, hardware):
    with pytest.raises(RuntimeError, match=r"did not converge: the worst residual is .* V, the tolerance 1e-18"):
        evaluate(network, images.first(1), {"circuit": Circuit(spec, Sinh(), rtol=1e-18)}, hardware)


@pytest.mark.parametrize("name", ["batch", "reads", "read_images"])
@pytest.mark.parametrize("value", [0, -3])
def test_amounts_below_one_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got {value}"):
        RunOptions(**{name: value})


# Progress and storage


def test_progress_counts_the_images_of_every_model(network, images, spec, hardware):
    told = []
    evaluate(
        network,
        images,
        {"digital": None, "ideal": Ideal()},
        hardware,
        RunOptions(
            batch=5,
            exact=Circuit(spec, Sinh()),
            reads=9,
            progress=lambda stage, done, total: told.append((stage, done, total)),
        ),
    )
    per_model = [0, 5, 10, 12]
    assert told == [
        *[("digital", done, 12) for done in per_model],
        *[("ideal", done, 12) for done in per_model],
        ("exact circuit", 0, 9),
        ("exact circuit", 9, 9),
    ]


@pytest.fixture
def run(images, spec, hardware, tmp_path):
    """Evaluates in batches of 3, under two models, with a folder; changes by name."""

    def evaluate_with(**changes):
        Recording.logits.clear()
        given = {
            "network": make_network(),
            "images": images,
            "models": {"digital": None, "linear": LinearCircuit(spec)},
            "config": hardware,
            "options": RunOptions(batch=3, folder=tmp_path / "batches"),
        }
        given.update(changes)
        return evaluate(*given.values())

    evaluate_with.options = RunOptions(batch=3, folder=tmp_path / "batches")
    evaluate_with.folder = tmp_path / "batches"
    return evaluate_with


def computed():
    """Batches that were computed, not found; the first call is a check on one image."""
    return len(Recording.logits) - 1


def test_a_run_that_is_repeated_computes_nothing(run):
    first = run()
    assert computed() == 8
    assert len(list(run.folder.iterdir())) == 8
    again = run()
    assert computed() == 0
    assert first.models == again.models  # times too: those of the batches when they were computed


def test_seconds_are_those_of_all_batches(run):
    (result,) = run(models={"digital": None}).models
    seconds = [np.load(file)["seconds"].item() for file in run.folder.iterdir()]
    assert len(seconds) == 4
    assert result.seconds_per_image == pytest.approx(sum(seconds) / 12, rel=1e-12)


@pytest.mark.parametrize("stop_at", [1, 2, 4, 5, 8])
def test_a_run_that_was_killed_continues_where_it_was(run, stop_at, monkeypatch):
    whole = run(options=RunOptions(batch=3))
    monkeypatch.setattr(Recording, "stop_at", stop_at)
    with pytest.raises(KeyboardInterrupt):
        run()
    done = computed()
    assert done == stop_at - 1
    assert len(list(run.folder.iterdir()) if run.folder.exists() else []) == done
    monkeypatch.setattr(Recording, "stop_at", None)
    continued = run()
    assert computed() == 8 - done
    assert without_times(continued) == without_times(whole)


def test_a_run_that_is_killed_between_batches_keeps_them(run):
    def stop(stage, done, total):
        if (stage, done) == ("linear", 6):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(options=replace(run.options, progress=stop))
    run()
    assert computed() <= 2  # of four; a thread may have been one batch ahead


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "cut"])
def test_a_damaged_batch_is_computed_again(run, content):
    whole = run()
    files = sorted(run.folder.iterdir())
    for file in files[::3]:
        file.write_bytes(file.read_bytes()[:100] if content is None else content)
    assert without_times(run()) == without_times(whole)
    assert computed() == 3
    assert sorted(run.folder.iterdir()) == files


def test_what_another_process_left_half_written_is_not_read(run):
    whole = run()
    (run.folder / ".0123.npz.77").write_bytes(b"half")
    assert without_times(run()) == without_times(whole)
    assert computed() == 0


def other_weights():
    network = make_network()
    network[4].bias.data[2] += 1e-3
    return network


def test_another_network_finds_nothing(run):
    run()
    run(network=other_weights())
    assert computed() == 8


def test_another_model_finds_nothing_but_the_digital_results(run, spec):
    run()
    run(models={"digital": None, "linear": LinearCircuit(replace(spec, r_row=2.6))})
    assert computed() == 4
    run(models={"digital": None, "geniex": Ideal()})
    assert computed() == 4


def test_the_name_of_a_model_does_not_matter(run, spec):
    run()
    run(models={"digital": None, "wires": LinearCircuit(spec)})
    assert computed() == 0


def test_another_configuration_finds_nothing(run, hardware):
    run()
    run(config=replace(hardware, adc=None))
    assert computed() == 8


def test_other_images_find_nothing(run, images):
    run()
    pixels = images.images.copy()
    pixels[4, 3, 2, 1] ^= 1
    run(images=LabelledImages(pixels, images.labels, "random.npz"))
    assert computed() == 2  # the batch with the changed pixel, under both models


def test_another_preparation_finds_nothing(run):
    run()
    run(options=replace(run.options, prepare=Preprocess(scale=1 / 254)))
    assert computed() == 8


def test_other_labels_use_what_is_stored(run, images):
    run()
    evaluation = run(images=LabelledImages(images.images, (images.labels + 1) % CLASSES, "random.npz"))
    assert computed() == 0
    assert evaluation.models[0].images == 12


def test_more_images_use_the_batches_of_the_fewer(run, images):
    run(images=images.first(6))
    assert computed() == 4
    run()
    assert computed() == 4


def test_an_evaluation_says_what_was_evaluated(run, images):
    evaluation = run()
    assert evaluation.title == "Recording on random.npz"
    assert evaluation.provenance["images"]["source"] == "random.npz"
    assert evaluation.provenance["images"]["count"] == 12
    assert set(evaluation.provenance["models"]) == {"linear"}
    other = run(network=other_weights()).provenance
    assert other["network"]["digest"] != evaluation.provenance["network"]["digest"]
    assert other["images"] == evaluation.provenance["images"]
    assert dataclasses.is_dataclass(evaluation)


# Threads


class Counting(CrossbarModel):
    """Counts what is programmed."""

    def __init__(self):
        super().__init__()
        self.programmed = 0

    def program(self, g):
        self.programmed += 1
        return Ideal().program(g)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_batches_in_threads_change_nothing(network, images, hardware, spec, threads):
    models = {"digital": None, "linear": LinearCircuit(spec)}
    alone = evaluate(network, images, models, hardware, RunOptions(batch=2, threads=1))
    together = evaluate(network, images, models, hardware, RunOptions(batch=2, threads=threads))
    assert without_times(together) == without_times(alone)


def test_threads_share_what_is_programmed(network, images, hardware):
    counts = []
    for threads in (1, 4):
        model = Counting()
        evaluate(network, images, {"counting": model}, hardware, RunOptions(batch=1, threads=threads))
        counts.append(model.programmed)
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("fails", [False, True], ids=["done", "broken off"])
def test_torch_has_as_many_threads_after_a_run_as_before(network, images, hardware, fails):
    def stop(stage, done, total):
        if fails and done:
            raise KeyboardInterrupt

    before = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt) if fails else nullcontext():
        evaluate(network, images, {"ideal": Ideal()}, hardware, RunOptions(batch=2, threads=2, progress=stop))
    assert torch.get_num_threads() == before


def test_a_run_in_threads_that_was_killed_continues(run):
    def stop(stage, done, total):
        if done:
            raise KeyboardInterrupt

    threaded = replace(run.options, threads=2)
    with pytest.raises(KeyboardInterrupt):
        run(options=replace(threaded, progress=stop))
    whole = run(options=RunOptions(batch=3))
    assert without_times(run(options=threaded)) == without_times(whole)


# Energy


def test_energy_is_that_of_the_first_images_on_the_crossbars_of_the_run(network, images, spec, hardware):
    models = {"digital": None, "ideal": Ideal(), "circuit": Circuit(spec, Sinh())}
    options = RunOptions(costs=Costs(), energy_images=2)
    found = evaluate(network, images, models, hardware, options).energy
    analog = {name: model for name, model in models.items() if model is not None}
    x = options.prepare(images.first(2).images)
    assert found == measure_energy(network, x, analog, hardware)
    assert found is not None
    assert (found.images, found.models) == (2, ["ideal", "circuit"])
    assert evaluate(network, images, models, hardware).energy is None


def test_a_digital_network_has_no_energy_on_crossbars(network, images, hardware):
    assert evaluate(network, images, {"digital": None}, hardware, RunOptions(costs=Costs())).energy is None


# Several evaluations at once


def test_a_network_that_others_evaluate_too_is_left_as_it_is(network, images, hardware):
    """It has no hooks on the way: another thread may be copying it, or sending it to a worker."""
    hooks = []

    def prepare(x):
        hooks.extend(hook for module in network.modules() for hook in module._forward_pre_hooks)
        return Preprocess()(x)

    evaluate(network, images, {"digital": None, "ideal": Ideal()}, hardware, RunOptions(prepare=prepare))
    assert not hooks
    network[0].register_forward_pre_hook(lambda module, x: None)
    evaluate(network, images, {"digital": None}, hardware, RunOptions(prepare=prepare))
    assert hooks  # those of the user are seen

"""Accuracy of a network under several models of the crossbar, on the same images."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TypeVar

import numpy as np
import torch
from torch import Generator, Tensor, nn

from geniex.conversion import LayerConfig, check_called, convert
from geniex.energy import Costs, EnergyReport, measure_energy
from geniex.evaluation.chips import (
    check_conductances,
    chip_to_compare_on,
    generators_of_converters,
)
from geniex.evaluation.classification import Job, classify, prepared
from geniex.evaluation.fidelity import compare_with_exact, sample_reads
from geniex.evaluation.images import LabelledImages
from geniex.evaluation.options import DEFAULTS, RunOptions
from geniex.evaluation.results import Evaluation, Margin, ModelResult, NfError, NfSample
from geniex.evaluation.statistics import paired_interval, wilson_interval
from geniex.evaluation.store import fingerprint
from geniex.functional import HardwareConfig
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.guard import shares_outside
from geniex.models.randomness import is_random, reseed, seed_each
from geniex.threads import taken_from_torch

__all__ = ["check_fits", "evaluate", "evaluating"]

Found = TypeVar("Found")
_Fidelity = tuple[dict[str, NfError], dict[str, dict[str, float]], NfSample]
"""Errors and shares out of range by model, and columns for plots."""


def evaluate(
    network: nn.Module,
    images: LabelledImages,
    models: Mapping[str, CrossbarModel | None],
    config: HardwareConfig | LayerConfig,
    options: RunOptions = DEFAULTS,
) -> Evaluation:
    """Classify images under every model, and compare the models with the exact circuit on reads of this run.

    Args:
        network: the trained network; it is not changed.
        images: labelled images.
        models: by name, in the order of the table; None is the digital network itself.
        config: the hardware, for all layers or per layer; see `convert`.
        options: batches, sampling, storage, progress.

    Raises:
        ValueError: if a layer cannot be mapped, a model does not fit, the network does not take the images, a layer
            is not called, or labels exceed its classes; all before the first batch is classified.
        RuntimeError: if a circuit does not converge.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with evaluating(network):
        probe = copy.deepcopy(network)  # other threads may evaluate the same one, which gets no hooks therefore
        with _calls_of(probe) as met:
            check_fits(probe, images, options)
        hardware = _hardware(network, config)
        seed_each(generators_of_converters(_configs(hardware)), options.seed)  # digests tell of what is drawn next
        chip = None if options.chip is None else fingerprint(options.chip)
        run = _Run(network, images, config, options, fingerprint(network, hardware), chip)
        analog = {name: model for name, model in models.items() if model is not None}
        digests = {name: _checked(run, model) for name, model in analog.items()}
        if analog and any(module._parameters and module not in met for module in probe.modules()):
            check_called(network, config, prepared(network, images.first(1), options))
        runs = {name: _measured(run, name, model) for name, model in models.items()}
        results = _results(images.labels, runs, next((name for name in models if models[name] is None), None))
        sample = energy = None
        if analog and options.exact is not None:
            compare = partial(_compared, models=analog, exact=options.exact)
            stage = ("exact circuit", options.reads)
            errors, outside, sample = _done(run, stage, compare, options.read_images)
            results = [replace(r, nf=errors.get(r.name), outside=outside.get(r.name, {})) for r in results]
        if analog and options.costs is not None:
            measure = partial(_energy, models=analog, costs=options.costs)
            energy = _done(run, ("energy", 1), measure, options.energy_images)
    return Evaluation(
        title=f"{type(network).__name__} on {images.source}",
        version=version("geniex"),
        started=started,
        provenance=_provenance(run, digests),
        config={"hardware": repr(hardware)},
        models=results,
        sample=sample,
        energy=energy,
    )


@dataclass(frozen=True)
class _Run:
    """What all models of a run have in common.

    Attributes:
        network: digital.
        images: that are classified.
        config: of the layers.
        options: of the run.
        digest: of network and hardware.
        chip: digest of the chip in `options`.
    """

    network: nn.Module
    images: LabelledImages
    config: HardwareConfig | LayerConfig
    options: RunOptions
    digest: str
    chip: str | None


def _provenance(run: _Run, models: dict[str, str]) -> dict[str, object]:
    """What was evaluated, with digests."""
    images = run.images
    return {
        "network": {"type": type(run.network).__qualname__, "digest": fingerprint(run.network)},
        "images": {
            "source": images.source,
            "count": len(images),
            "digest": fingerprint(images.images, images.labels),
        },
        "models": models,
        "chip": run.chip,
    }


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode, and afterwards as it was."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@contextmanager
def _calls_of(network: nn.Module) -> Iterator[set[nn.Module]]:
    """The modules that are called meanwhile."""
    met: set[nn.Module] = set()
    hooks = [module.register_forward_pre_hook(lambda module, _: met.add(module)) for module in network.modules()]
    try:
        yield met
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def check_fits(network: nn.Module, images: LabelledImages, options: RunOptions) -> None:
    """Raise ValueError unless the network gives the first image a logit per class, and no label lies beyond them."""
    x = prepared(network, images.first(1), options)
    try:
        logits = network(x)
    except Exception as error:  # the network is the user's: it can raise anything
        raise ValueError(
            f"{type(network).__name__} does not take images that are prepared to {tuple(x.shape[1:])} "
            f"({type(error).__name__}: {error}). Give other images, or another `preprocess`."
        ) from error
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != 1:
        found = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The network must return logits (image, class); for one image it returned {found}.")
    if images.labels.min() < 0 or images.labels.max() >= logits.shape[-1]:
        raise ValueError(
            f"{images.source} has labels from {images.labels.min()} to {images.labels.max()}, "
            f"but the network has {logits.shape[-1]} classes."
        )


_Hardware = HardwareConfig | list[tuple[str, HardwareConfig | None]]


def _hardware(network: nn.Module, config: HardwareConfig | LayerConfig) -> _Hardware:
    """The configuration as a value that a digest can be taken of."""
    if isinstance(config, HardwareConfig):
        return config
    whole = next(network.children(), None) is None  # a network that is one layer
    return [(name, config(name, module)) for name, module in network.named_modules() if name or whole]


def _configs(hardware: _Hardware) -> list[HardwareConfig]:
    return [hardware] if isinstance(hardware, HardwareConfig) else [each for _, each in hardware if each is not None]


def _checked(run: _Run, model: CrossbarModel) -> str:
    """The digest of a model that can do this run; ValueError if it cannot: now, not after hours."""
    seed, chip = run.options.seed, run.options.chip
    network = convert(run.network, model, run.config)
    if chip is not None:
        chip.install(network)
    reseed(model, seed)
    check_conductances(network)
    reseed(model, seed)  # digests tell of what is drawn next
    return fingerprint(model)


def _measured(run: _Run, name: str, model: CrossbarModel | None) -> tuple[np.ndarray, float]:
    """Predicted classes (chip, image), and seconds per image."""
    several = model is not None and is_random(model) and run.options.chip is None
    numbers = range(run.options.chips if several else 1)
    found = [_measured_chip(run, f"{name}, chip {k + 1}" if k else name, model, k) for k in numbers]
    return np.stack([classes for classes, _ in found]), sum(seconds for _, seconds in found) / len(found)


def _measured_chip(run: _Run, stage: str, model: CrossbarModel | None, number: int) -> tuple[np.ndarray, float]:
    """Predicted classes, and seconds per image, on the chip of that number.

    All generators are seeded, so that nothing depends on what was drawn before.
    """
    seed = run.options.seed + number
    job = Job(run.network, model, run.config, seed, run.options.chip)
    if model is None:
        key = run.digest
    elif run.options.chip is None:
        reseed(model, seed)
        key = fingerprint(run.digest, model)
    else:
        reseed(model.after_writing, seed)
        key = fingerprint(run.digest, model.after_writing, run.chip)
    return classify(stage, job, run.images, key, run.options)


def _results(
    labels: np.ndarray, runs: Mapping[str, tuple[np.ndarray, float]], digital: str | None
) -> list[ModelResult]:
    reference = runs[digital][0] if digital is not None else None
    right = {name: predicted == labels for name, (predicted, _) in runs.items()}
    results = []
    for name, (predicted, seconds) in runs.items():
        chips = right[name].mean(axis=1).tolist()
        top1 = sum(chips) / len(chips)
        low, high = wilson_interval(top1, len(labels))
        difference = agreement = None
        if reference is not None:
            difference = top1 - float((reference == labels).mean())
            agreement = float((predicted == reference).mean())
        measured = (len(labels), top1, low, high, difference, agreement, seconds)
        against = {other: _margin(right[name], right[other]) for other in right if other != name}
        results.append(ModelResult(name, *measured, chips=chips if len(chips) > 1 else [], against=against))
    return results


def _margin(right: np.ndarray, other: np.ndarray) -> Margin:
    """By how much one model's accuracy is above another's."""
    return Margin(float(right.mean() - other.mean()), *paired_interval(right, other))


def _compared(run: _Run, models: Mapping[str, CrossbarModel], exact: Circuit) -> _Fidelity:
    """Each model's error against the exact circuit, on crossbars as they were written, and what is out of its range."""
    options = run.options
    reads = _sample(run, list(models.values()))
    reading = {name: model.after_writing for name, model in models.items()}
    for model in reading.values():
        reseed(model, options.seed)
    errors, sample = compare_with_exact(reading, exact, reads, Generator().manual_seed(options.seed))
    return errors, {name: _outside(model, reads) for name, model in models.items()}, sample


def _sample(run: _Run, models: list[CrossbarModel]) -> tuple[Tensor, Tensor]:
    """Voltages and conductances of some reads of the run."""
    options, images = run.options, run.images
    chip = options.chip or chip_to_compare_on(run.network, models, run.config, options.seed)
    seed_each(generators_of_converters(_configs(_hardware(run.network, run.config))), options.seed)
    x = prepared(run.network, images.first(min(options.read_images, len(images))), options)
    generator = Generator().manual_seed(options.seed)
    return sample_reads(run.network, run.config, x, options.reads, generator, chip)


def _energy(run: _Run, models: Mapping[str, CrossbarModel], costs: Costs) -> EnergyReport:
    """Of the first images, on the crossbars of `_sample`."""
    options = run.options
    chip = options.chip or chip_to_compare_on(run.network, list(models.values()), run.config, options.seed)
    x = prepared(run.network, run.images.first(min(options.energy_images, len(run.images))), options)
    return measure_energy(run.network, x, models, run.config, costs, chip)


def _done(run: _Run, stage: tuple[str, int], work: Callable[[_Run], Found], images: int) -> Found:
    """What `work` finds on the first images, here or on a worker of the cluster; `stage` has a name and a total."""
    cluster, progress = run.options.cluster, run.options.progress
    options = replace(run.options, cluster=None, folder=None, progress=DEFAULTS.progress)
    small = replace(run, options=options, images=run.images.first(min(images, len(run.images))))
    name, total = stage
    progress(name, 0, total)
    with taken_from_torch():  # sums of torch's threads round otherwise than those of one, as workers have
        found = work(small) if cluster is None else cluster.call(work, small)
    progress(name, total, total)
    return found


def _outside(model: CrossbarModel, reads: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Shares of the reads that the model was not made for."""
    if model.operating_range is None:
        return {}
    return {name: share for name, share in shares_outside(model.operating_range, *reads).items() if share > 0}

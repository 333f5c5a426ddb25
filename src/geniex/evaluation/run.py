"""Accuracy of a network under several models of the crossbar, on the same images."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from geniex.chip import Chip, chip_of
from geniex.conversion import LayerConfig, convert
from geniex.evaluation.fidelity import compare_with_exact, sample_reads
from geniex.evaluation.images import LabelledImages, Preprocess
from geniex.evaluation.results import Evaluation, ModelResult
from geniex.evaluation.store import BatchStore, fingerprint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogLayer
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.guard import shares_outside
from geniex.models.randomness import is_random, reseed

__all__ = ["RunOptions", "evaluate"]

Progress = Callable[[str, int, int], None]
"""Called with a stage (a model's name, or what else goes on), the images done, and their total."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is done; what it computes is in the arguments of `evaluate`.

    Attributes:
        prepare: from uint8 images (image, height, width, 3) to the network's input.
        batch: largest number of images per forward pass.
        threads: batches classified at a time, each on its share of torch's threads; None is one batch per thread, which
            outruns threads inside of operations. A model that draws random numbers gets one batch at a time.
        chips: how many chips of a model that draws are written and measured; others are all alike, and measured once.
        chip: written before: all models read this one, and write none of their own.
        exact: the exact circuit that all models are compared with; None leaves the comparison out.
        reads: number of reads of the run on which they are compared.
        read_images: number of images, the first ones of the run, from which these reads are drawn.
        seed: of the sampled reads, and of what the chips draw.
        folder: where results of single batches are kept, so that a killed run continues; None keeps nothing.
        progress: told how far the run is.
    """

    prepare: Callable[[np.ndarray], Tensor] = field(default_factory=Preprocess)
    batch: int = 16
    threads: int | None = None
    chips: int = 1
    chip: Chip | None = None
    exact: Circuit | None = None
    reads: int = 1024
    read_images: int = 4
    seed: int = 0
    folder: Path | None = None
    progress: Progress = lambda stage, done, total: None

    def __post_init__(self) -> None:
        for name in ("batch", "threads", "chips", "reads", "read_images"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"`{name}` must be at least 1; got {count}.")


def evaluate(
    network: nn.Module,
    images: LabelledImages,
    models: Mapping[str, CrossbarModel | None],
    config: HardwareConfig | LayerConfig,
    options: RunOptions = RunOptions(),
) -> Evaluation:
    """Classify images under every model, and compare the models with the exact circuit on reads of this run.

    Args:
        network: the trained network; it is not changed.
        images: labelled images.
        models: by name, in the order of the table; None is the digital network itself.
        config: the hardware, for all layers or per layer; see `convert`.
        options: batches, sampling, storage, progress.

    Raises:
        ValueError: if a layer cannot be mapped, a model does not fit, the network does not take the images, or labels
            exceed its classes; all before the first batch is classified.
        RuntimeError: if a circuit does not converge.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with _evaluating(network):
        _check_fits(network, images, options)
        analog = {name: model for name, model in models.items() if model is not None}
        for model in analog.values():
            reseed(model, options.seed)  # a digest tells what a model is about to draw
            converted = convert(network, model, config)  # fails now, not after hours
            if options.chip is not None:
                options.chip.install(converted)
        digests = {name: fingerprint(model) for name, model in analog.items()}
        hardware = _hardware(network, config)
        runs = {name: _run(name, network, model, images, config, options) for name, model in models.items()}
        results = _results(images.labels, runs, next((name for name in models if models[name] is None), None))
        sample = None
        if analog and options.exact is not None:
            reads = _sample(network, images, config, options)
            errors, sample = compare_with_exact(analog, options.exact, reads, Generator().manual_seed(options.seed))
            options.progress("exact circuit", options.reads, options.reads)
            results = [
                replace(result, nf=errors.get(result.name), outside=_outside(models[result.name], reads))
                for result in results
            ]
    return Evaluation(
        title=f"{type(network).__name__} on {images.source}",
        version=version("geniex"),
        started=started,
        provenance={
            "network": {"type": type(network).__qualname__, "digest": fingerprint(network)},
            "images": {
                "source": images.source,
                "count": len(images),
                "digest": fingerprint(images.images, images.labels),
            },
            "models": digests,
            "chip": None if options.chip is None else fingerprint(options.chip),
        },
        config={"hardware": repr(hardware)},
        models=results,
        sample=sample,
    )


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode, and afterwards as it was."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@torch.no_grad()
def _check_fits(network: nn.Module, images: LabelledImages, options: RunOptions) -> None:
    """Raise ValueError unless the network gives the first image a logit per class, and no label lies beyond them."""
    x = _input(network, images.first(1), options)
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


def _hardware(network: nn.Module, config: HardwareConfig | LayerConfig) -> object:
    """The configuration as a value that a digest can be taken of."""
    if isinstance(config, HardwareConfig):
        return config
    return [(name, config(name, module)) for name, module in network.named_modules() if name]


def _run(
    name: str,
    network: nn.Module,
    model: CrossbarModel | None,
    images: LabelledImages,
    config: HardwareConfig | LayerConfig,
    options: RunOptions,
) -> tuple[np.ndarray, float]:
    """Predicted classes (chip, image), and seconds per image."""
    predicted, seconds = [], []
    for chip in range(options.chips if model is not None and is_random(model) and options.chip is None else 1):
        parts: list[object] = [network, _hardware(network, config)]
        written = network if model is None else _written(network, model, config, options, chip)
        if model is not None:
            parts += [model] if options.chip is None else [model.after_writing, options.chip]
        stage = name if chip == 0 else f"{name}, chip {chip + 1}"
        classes, spent = _classify(stage, written, images, fingerprint(*parts), options)
        predicted.append(classes)
        seconds.append(spent)
    return np.stack(predicted), sum(seconds) / len(seconds)


def _written(
    network: nn.Module,
    model: CrossbarModel,
    config: HardwareConfig | LayerConfig,
    options: RunOptions,
    chip: int,
) -> nn.Module:
    """A converted network whose crossbars hold the chip of that number, or the one of the options."""
    converted = convert(network, model, config).eval()
    if options.chip is not None:
        options.chip.install(converted)
    elif is_random(model):
        reseed(model, options.seed + chip)
        chip_of(converted)  # all layers, in their order
        reseed(model, options.seed + chip)
    return converted


def _models(network: nn.Module) -> list[CrossbarModel]:
    """The models that the layers of a network share, each once."""
    layers = (module for module in network.modules() if isinstance(module, AnalogLayer))
    return list({id(layer.matmul.model): layer.matmul.model for layer in layers}.values())


def _classify(
    name: str, network: nn.Module, images: LabelledImages, key: str, options: RunOptions
) -> tuple[np.ndarray, float]:
    """Predicted classes, and seconds per image."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    draws = any(map(is_random, _models(network)))
    threads = (options.threads or torch.get_num_threads()) if on_cpu and not draws else 1
    batches = list(_batches(images, min(options.batch, math.ceil(len(images) / threads))))
    threads, parts, seconds = min(threads, len(batches)), [], 0.0
    options.progress(name, 0, len(images))
    with _workers(threads) as pool:
        for predicted, spent in pool.map(lambda batch: _classify_batch(network, batch, key, options), batches):
            parts.append(predicted)
            seconds += spent / threads
            options.progress(name, sum(map(len, parts)), len(images))
    return np.concatenate(parts), seconds / len(images)


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that share torch's own among them: small operations lose more by waiting than they gain from two."""
    total = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(max(1, total // threads),))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(total)


@torch.no_grad()
def _classify_batch(
    network: nn.Module, batch: LabelledImages, key: str, options: RunOptions
) -> tuple[np.ndarray, float]:
    """Predicted classes and seconds, stored or computed now."""
    store, x = BatchStore(options.folder), _input(network, batch, options)
    batch_key = fingerprint(key, x)
    stored = store.get(batch_key)
    if stored is None:
        for model in _models(network):
            reseed(model, int(batch_key[:8], 16))  # what a batch draws does not depend on those before it
        began = time.perf_counter()
        stored = network(x).argmax(-1).cpu().numpy(), time.perf_counter() - began
        store.put(batch_key, *stored)
    return stored


def _input(network: nn.Module, images: LabelledImages, options: RunOptions) -> Tensor:
    """Prepared images on the device and in the precision of the network's weights."""
    x = options.prepare(images.images)
    return next((x.to(weight) for weight in network.parameters() if weight.is_floating_point()), x)


def _batches(images: LabelledImages, size: int) -> Iterator[LabelledImages]:
    for start in range(0, len(images), size):
        yield LabelledImages(images.images[start : start + size], images.labels[start : start + size], images.source)


def _results(
    labels: np.ndarray, runs: Mapping[str, tuple[np.ndarray, float]], digital: str | None
) -> list[ModelResult]:
    reference = runs[digital][0] if digital is not None else None
    results = []
    for name, (predicted, seconds) in runs.items():
        chips = (predicted == labels).mean(axis=1).tolist()
        top1 = sum(chips) / len(chips)
        low, high = wilson_interval(top1, len(labels))
        difference = agreement = None
        if reference is not None:
            difference = top1 - float((reference == labels).mean())
            agreement = float((predicted == reference).mean())
        measured = (len(labels), top1, low, high, difference, agreement, seconds)
        results.append(ModelResult(name, *measured, chips=chips if len(chips) > 1 else []))
    return results


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share of `count` (Wilson 1927)."""
    z = 1.96
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _sample(
    network: nn.Module, images: LabelledImages, config: HardwareConfig | LayerConfig, options: RunOptions
) -> tuple[Tensor, Tensor]:
    """Voltages and conductances of some reads of the run."""
    options.progress("exact circuit", 0, options.reads)
    x = _input(network, images.first(min(options.read_images, len(images))), options)
    return sample_reads(network, config, x, options.reads, Generator().manual_seed(options.seed))


def _outside(model: CrossbarModel | None, reads: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Shares of the reads that the model was not made for."""
    if model is None or model.operating_range is None:
        return {}
    return {name: share for name, share in shares_outside(model.operating_range, *reads).items() if share > 0}

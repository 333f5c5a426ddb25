"""Training of the GENIEx network on exactly solved crossbars.

The loss is the squared error of NF itself, because that is the metric. What limits the network is the number of
distinct crossbars it has seen (its first layer has a weight per cell and hidden unit): the solver is fast enough to
give each step new ones.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from geniex.devices.description import describe_device
from geniex.emulation.card import EmulatorCard
from geniex.emulation.errors import held_out_errors
from geniex.emulation.progress import Progress, ProgressFile
from geniex.emulation.recipe import TrainingRecipe
from geniex.emulation.samples import Advance, Samples, check_bits, fingerprint, solve_samples
from geniex.emulation.sampling import DigitSampling, describe_sampling, generator_of
from geniex.emulation.source import FreshSamples, SampleSource
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.guard import RangeGuard
from geniex.window import Window

__all__ = ["TrainingRun", "train"]

Log = Callable[[int, dict[str, float]], None]
"""Called with a step and named numbers."""

STARTING_CROSSBARS = 1024
SMALLEST_RATIO = 0.2  # f_R below this is taken for this while training: a start far off must not explode


@dataclass(frozen=True)
class TrainingRun:
    """What a run of training has around it.

    Attributes:
        source: of solved samples; None solves new ones for each step.
        state: file to save the state to at each check, and to go on from where it exists. It stays, for as long as
            the result is nowhere else.
        advance: told how far it is.
        log: given the training error, the error on unseen crossbars and the learning rate at each check.
    """

    source: SampleSource | None = None
    state: Path | None = None
    advance: Advance = lambda stage, done, total, note: None
    log: Log = lambda step, numbers: None


def train(
    circuit: Circuit,
    sampling: DigitSampling,
    window: Window,
    recipe: TrainingRecipe,
    run: TrainingRun | None = None,
) -> tuple[Geniex, EmulatorCard]:
    """Fit a network to solved samples, and measure it on unseen crossbars.

    Args:
        circuit: the exact crossbar to learn.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        recipe: amounts and rates; the same recipe gives the same network on the same machine.
        run: where samples come from, where the state goes, who is told.

    Raises:
        ValueError: if the digits of `sampling` are not those of `window`, or the state is that of another run.
    """
    check_bits(sampling, window)
    started, run = time.perf_counter(), run or TrainingRun()
    task = _Task(circuit, sampling, window, recipe)
    source = run.source or FreshSamples(circuit, sampling, window, recipe.inputs)
    network, seconds = _fit(task, source, run)
    card = EmulatorCard(
        spec=circuit.solver.spec,
        device=describe_device(circuit.solver.device),
        window=window,
        sampling=describe_sampling(sampling),
        recipe=dataclasses.asdict(recipe),
        errors=held_out_errors(network, circuit.solver.spec, task.unseen("card"), recipe.seed),
        provenance={
            "geniex": version("geniex"),
            "torch": torch.__version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds + time.perf_counter() - started),
            "samples": source.describe(),
        },
    )
    network.guard = RangeGuard()
    return network, card


@dataclass(frozen=True)
class _Task:
    """What is to be learned, and how."""

    circuit: Circuit
    sampling: DigitSampling
    window: Window
    recipe: TrainingRecipe

    def unseen(self, purpose: str) -> Samples:
        """Crossbars for one purpose alone."""
        recipe = self.recipe
        size = (recipe.held_out_crossbars, recipe.held_out_inputs)
        return solve_samples(self.circuit, self.sampling, self.window, size, generator_of(recipe.seed, purpose))

    def identity(self, source: SampleSource) -> dict[str, object]:
        """All that decides about the result, as plain values."""
        return {
            "spec": dataclasses.asdict(self.circuit.solver.spec),
            "device": describe_device(self.circuit.solver.device),
            "sampling": describe_sampling(self.sampling),
            "window": dataclasses.asdict(self.window),
            "recipe": dataclasses.asdict(self.recipe),
            "samples": source.describe(),
            "drawn": fingerprint(self.sampling, self.circuit.solver.spec, seed=0),
            "tolerance": self.circuit.solver.tolerance(torch.float64),
        }


def _fit(task: _Task, source: SampleSource, run: TrainingRun) -> tuple[Geniex, float]:
    """The best network, and the seconds that a run spent before this one continued it."""
    recipe = task.recipe
    network = _initialized(task)
    file = ProgressFile(run.state, task.identity(source))
    progress = Progress(network, recipe, *_optimizer(network, recipe))
    before = file.restore(progress)
    validation, every, started = task.unseen("check"), -(-recipe.steps // recipe.checks), time.perf_counter()
    losses: list[float] = []
    with closing(source.batches(recipe.batch, recipe.seed, progress.step)) as batches:
        while not progress.finished:
            samples = next(batches)
            _widen(network, samples)
            losses.append(progress.advance(_loss(network, samples, recipe)))
            trained = 100 * (sum(losses) / len(losses)) ** 0.5
            unseen = f", unseen {progress.best:.2f} %" if math.isfinite(progress.best) else ""
            run.advance("fit", progress.step, recipe.steps, f"RMSE of NF {trained:.2f} %{unseen}")
            if progress.step % every == 0 or progress.step == recipe.steps:
                progress.check(_error(network, validation))
                run.log(progress.step, {"training": trained, "unseen": progress.last, "rate": progress.rate})
                file.save(progress, before + time.perf_counter() - started)
                losses.clear()
    if not math.isfinite(progress.best):
        raise RuntimeError(
            "Training found no network: at no check was the error on unseen crossbars a number. Lower "
            f"`learning_rate` = {recipe.learning_rate:g}, or raise `held_out_inputs` = {recipe.held_out_inputs}."
        )
    network.load_state_dict(progress.best_weights)
    return network.requires_grad_(False).eval(), before


def _optimizer(
    network: Geniex, recipe: TrainingRecipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    rate = recipe.learning_rate
    if recipe.optimizer == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    else:
        optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=recipe.steps + 1, pct_start=0.1, cycle_momentum=False
    )
    return optimizer, schedule


def _loss(network: Geniex, samples: Samples, recipe: TrainingRecipe) -> Tensor:
    """Mean squared error of NF. Reads that drive nothing have no NF."""
    v, g = samples.inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        half = network.conductance_half(g)
    f = network.ratio_from(v, half.float())
    driven = ~samples.f.isnan()
    reference = torch.where(driven, network.reference(v, g) / (v @ g), 1)
    error = reference / f.clamp(min=SMALLEST_RATIO) - 1 / torch.where(driven, samples.f, 1)
    return (error * driven).square().sum() / driven.sum().clamp(min=1)


@torch.no_grad()
def _error(network: Geniex, samples: Samples) -> float:
    """RMSE of NF in percent."""
    v, g = samples.inputs(torch.float32)
    driven = ~samples.f.isnan()
    error = (network(v, g) / (v @ g) - 1 / samples.f)[driven]
    return 100 * error.square().mean().sqrt().item()


@torch.no_grad()
def _initialized(task: _Task) -> Geniex:
    """A network that starts at f_R = 1 and sees inputs with their means removed, which halves the steps needed."""
    recipe, window, spec = task.recipe, task.window, task.circuit.solver.spec
    generator = generator_of(recipe.seed, "start")
    size = (STARTING_CROSSBARS, recipe.inputs)
    samples = solve_samples(task.circuit, task.sampling, window, size, generator, dtype=torch.float32)
    v, g = samples.inputs(torch.float64)
    driven = ~samples.f.isnan()
    curve = _curve(v / window.v_max, v @ g, (g, samples.f.double()), recipe.curve)
    scaling = Scaling(window.v_max, window.g_off, window.g_on, 0.5, 2.0, curve)
    f = (Geniex(spec, scaling, 1).reference(v, g) / (v @ g) * samples.f)[driven]
    nothing = {"v_density": (1.0, 0.0), "g_density": (1.0, 0.0)}
    scaling = dataclasses.replace(scaling, f_min=f.min().item(), f_max=f.max().item(), **nothing)
    network = Geniex(spec, scaling, recipe.hidden)
    network.guard = RangeGuard("ignore")  # it has no range yet
    _widen(network, samples)
    g_mean = samples.g_level.float().mean(0).mT.flatten() / (2**window.g_bits - 1)
    v_mean = samples.v_level.float().mean((0, 1)) / (2**window.v_bits - 1)
    network.conductance.weight.normal_(0, spec.rows**-0.5 * spec.cols**-0.5, generator=generator)
    network.voltage.weight.normal_(0, spec.rows**-0.5, generator=generator)
    network.conductance.bias.copy_(-network.conductance.weight @ g_mean - network.voltage.weight @ v_mean)
    network.output.weight.normal_(0, 0.1 * recipe.hidden**-0.5, generator=generator)
    network.output.bias.fill_((1 - scaling.f_min) / (scaling.f_max - scaling.f_min))
    return network


def _widen(network: Geniex, samples: Samples) -> None:
    """The densities that a model was made for are all that it has seen. Inputs of zeros say nothing."""
    scaling, window = network.scaling, samples.window
    v = samples.v_level[samples.v_level.any(-1).bool()].float().mean(-1) / (2**window.v_bits - 1)
    g = samples.g_level.float().mean((-2, -1)) / (2**window.g_bits - 1)
    network.scaling = dataclasses.replace(
        scaling, v_density=_around(scaling.v_density, v), g_density=_around(scaling.g_density, g)
    )


def _around(span: tuple[float, float], values: Tensor) -> tuple[float, float]:
    """The smallest span that holds `span` and all values."""
    if not values.numel():
        return span
    low, high = torch.aminmax(values.double())
    return min(span[0], low.item()), max(span[1], high.item())


def _curve(share: Tensor, i_ideal: Tensor, exact: tuple[Tensor, Tensor], count: int) -> tuple[float, ...]:
    """Coefficients of the reference current that is closest to the exact one, relative to the ideal one.

    Args:
        share: (crossbar, input, row) of the largest voltage.
        i_ideal: (crossbar, input, col)
        exact: conductances (crossbar, row, col), and i_ideal / i (crossbar, input, col), NaN where nothing is driven.
        count: of coefficients; one is Ohm's law, unfitted.
    """
    if count == 1:
        return (1.0,)
    g, f = exact
    driven = ~f.isnan()
    v_max = (i_ideal.sum() / (share @ g).sum()).item()
    columns = torch.stack([(v_max * share**power @ g / i_ideal)[driven] for power in range(1, count + 1)], -1)
    return tuple(torch.linalg.lstsq(columns, (1 / f[driven])[:, None]).solution[:, 0].tolist())

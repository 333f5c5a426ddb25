"""Training of the GENIEx network on exactly solved crossbars.

The loss is the squared error of NF itself, 1 / f_R - 1 / f_R_exact, because that is the metric. What limits the network
is the number of distinct crossbars it has seen (its first layer has a weight per cell and hidden unit): few inputs on
each of many crossbars are the best use of solver time.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import torch
from torch import Generator, Tensor

from geniex.devices.description import describe_device
from geniex.emulation.card import EmulatorCard, held_out_errors
from geniex.emulation.dataset import Samples, solve_samples
from geniex.emulation.sampling import MixedDigits
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.window import Window

__all__ = ["Advance", "TrainingRecipe", "train"]

Advance = Callable[[str, int, int, str], None]
"""Called with a stage, the amount done, the total, and a note, as training goes on."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How much to solve and how to fit.

    Attributes:
        crossbars: number of crossbars to solve.
        inputs: number of inputs on each.
        epochs: passes over the samples.
        batch: crossbars per optimizer step.
        learning_rate: peak of the one-cycle schedule of AdamW.
        hidden: width of the hidden layer.
        held_out_crossbars: crossbars for the card, never seen in training.
        held_out_inputs: inputs on each of them.
        seed: of everything random.
    """

    crossbars: int = 20_000
    inputs: int = 4
    epochs: int = 10
    batch: int = 128
    learning_rate: float = 1e-3
    hidden: int = 500
    held_out_crossbars: int = 128
    held_out_inputs: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name != "seed" and not getattr(self, field.name) > 0:
                raise ValueError(f"`{field.name}` must be positive; got {getattr(self, field.name)}.")
        if self.batch > self.crossbars:
            raise ValueError(f"`batch` must be at most `crossbars` = {self.crossbars}; got {self.batch}.")


def train(
    circuit: Circuit,
    sampling: MixedDigits,
    window: Window,
    recipe: TrainingRecipe,
    advance: Advance = lambda stage, done, total, note: None,
) -> tuple[Geniex, EmulatorCard]:
    """Solve samples, fit a network, and measure it on unseen crossbars.

    Args:
        circuit: the exact crossbar to learn.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        recipe: amounts and rates; the same recipe gives the same network on the same machine.
        advance: told how far it is.
    """
    if (sampling.v_bits, sampling.g_bits) != (window.v_bits, window.g_bits):
        raise ValueError(
            f"`sampling` draws digits of {sampling.v_bits} and {sampling.g_bits} bits, `window` has {window.v_bits} "
            f"and {window.g_bits}. Make them equal."
        )
    started = time.perf_counter()
    samples = _solve(circuit, sampling, window, recipe, advance)
    network = fit(circuit, samples, recipe, advance)
    held_out = solve_samples(
        circuit,
        sampling,
        window,
        (recipe.held_out_crossbars, recipe.held_out_inputs),
        Generator().manual_seed(recipe.seed + 1),
    )
    card = EmulatorCard(
        spec=circuit.solver.spec,
        device=describe_device(circuit.solver.device),
        window=window,
        sampling={"type": type(sampling).__name__, **dataclasses.asdict(sampling)},
        recipe=dataclasses.asdict(recipe),
        errors=held_out_errors(network, circuit.solver.spec, held_out, recipe.seed),
        provenance={
            "geniex": version("geniex"),
            "torch": torch.__version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started),
        },
    )
    return network, card


def fit(circuit: Circuit, samples: Samples, recipe: TrainingRecipe, advance: Advance) -> Geniex:
    """A network fitted to solved samples."""
    generator = Generator().manual_seed(recipe.seed)
    network = _initialized(circuit, samples, recipe, generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    batches = len(samples) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * batches + 1, pct_start=0.1
    )
    for epoch in range(recipe.epochs):
        order, total = torch.randperm(len(samples), generator=generator), 0.0
        for batch in range(batches):
            loss = _loss(network, samples[order[batch * recipe.batch : (batch + 1) * recipe.batch]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            note = f"training RMSE of NF {100 * (total / (batch + 1)) ** 0.5:.2f} %"
            advance("fit", epoch * batches + batch + 1, recipe.epochs * batches, note)
    return network.requires_grad_(False).eval()


def _solve(
    circuit: Circuit, sampling: MixedDigits, window: Window, recipe: TrainingRecipe, advance: Advance
) -> Samples:
    """Training samples, in float32: its 2e-6 is far below what a network resolves."""
    done, total = 0, recipe.crossbars * recipe.inputs

    def count(solved: int) -> None:
        nonlocal done
        done += solved
        advance("solve", done, total, "circuits")

    size, generator = (recipe.crossbars, recipe.inputs), Generator().manual_seed(recipe.seed)
    return solve_samples(circuit, sampling, window, size, generator, dtype=torch.float32, advance=count)


def _loss(network: Geniex, samples: Samples) -> Tensor:
    v, g = samples.inputs(torch.float32)
    driven = ~samples.f.isnan()
    return (1 / network.ratio(v, g)[driven] - 1 / samples.f[driven]).square().mean()


@torch.no_grad()
def _initialized(circuit: Circuit, samples: Samples, recipe: TrainingRecipe, generator: Generator) -> Geniex:
    """A network that starts at f_R = 1 and sees inputs with their means removed, which halves the epochs needed."""
    window, spec, driven = samples.window, circuit.solver.spec, ~samples.f.isnan()
    f = samples.f[driven]
    scaling = Scaling(window.v_max, window.g_off, window.g_on, f.min().item(), f.max().item())
    network = Geniex(spec, scaling, recipe.hidden)
    some = samples[: min(len(samples), 2000)]
    g_mean = some.g_level.float().mean(0).mT.flatten() / (2**window.g_bits - 1)
    v_mean = some.v_level.float().mean((0, 1)) / (2**window.v_bits - 1)
    network.conductance.weight.normal_(0, spec.rows**-0.5 * spec.cols**-0.5, generator=generator)
    network.voltage.weight.normal_(0, spec.rows**-0.5, generator=generator)
    network.conductance.bias.copy_(-network.conductance.weight @ g_mean - network.voltage.weight @ v_mean)
    network.output.weight.normal_(0, 0.1 * recipe.hidden**-0.5, generator=generator)
    network.output.bias.fill_((1 - scaling.f_min) / (scaling.f_max - scaling.f_min))
    return network

"""Where models draw from, so that runs can be repeated: generators found, seeded, recorded and replayed.

A model draws from `torch.Generator`s that its user passed, and from nothing else. They are found as attributes of a
model and of the modules that it wraps, whoever wrote these. Generators are changed in place: threads that share one
draw in whatever order they come, and none may draw while another replays.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Generator, Tensor, nn

__all__ = ["RandomSource", "generators", "is_random", "replaying", "reseed", "seed_each", "states"]


class RandomSource:
    """A generator as a model holds it: its `repr` tells its state, so that results are filed under what was drawn.

    Numbers are drawn in float32 where the generator is, and converted: one seed is one chip in any precision.
    """

    def __init__(self, generator: Generator | None, owner: str = "RandomSource") -> None:
        """Hold a generator.

        Args:
            generator: to draw from.
            owner: whose argument it is, as the user typed it.

        Raises:
            ValueError: if there is none.
        """
        if not isinstance(generator, Generator):
            raise ValueError(
                f"`{owner}(generator=...)` must be a torch.Generator, since it draws; got {generator!r}. "
                "Pass `torch.Generator().manual_seed(0)`, for example."
            )
        self.generator = generator

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like`."""
        device = self.generator.device
        return torch.randn(like.shape, generator=self.generator, device=device, dtype=torch.float32).to(like)

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in 0 .. 1, 1 excluded, of the shape and device of `like`, in float32."""
        device = self.generator.device
        drawn = torch.rand(like.shape, generator=self.generator, device=device, dtype=torch.float32)
        return drawn.to(like.device)

    def __repr__(self) -> str:
        digest = hashlib.sha256(self.generator.get_state().numpy().tobytes()).hexdigest()[:16]
        return f"RandomSource(seed={self.generator.initial_seed()}, state={digest}, device={self.generator.device})"


def generators(model: nn.Module) -> list[Generator]:
    """All generators that `model` and the modules in it hold as attributes, bare or in a `RandomSource`, each once.

    Args:
        model: a model of the crossbar, with all that it wraps. Deterministic ones have no generators.
    """
    held = (value for module in model.modules() for value in vars(module).values())
    found = (value.generator if isinstance(value, RandomSource) else value for value in held)
    return list({id(value): value for value in found if isinstance(value, Generator)}.values())


def is_random(model: nn.Module) -> bool:
    """Whether `model`, or a module in it, holds a generator."""
    return bool(generators(model))


def reseed(model: nn.Module, seed: int) -> None:
    """Seed every generator of `model`, each differently, all from `seed`.

    Args:
        model: its generators are changed.
        seed: at least 0.
    """
    seed_each(generators(model), seed)


def seed_each(found: Sequence[Generator], seed: int) -> None:
    """Seed generators, each differently, all from `seed`, which is at least 0."""
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0; got {seed}.")
    seeds = np.random.SeedSequence(seed).generate_state(len(found), np.uint64)
    for generator, own in zip(found, seeds.tolist(), strict=True):
        generator.manual_seed(own)


def states(model: nn.Module) -> list[Tensor]:
    """What all generators of `model` are about to draw, for `replaying`."""
    return [generator.get_state() for generator in generators(model)]


@contextmanager
def replaying(model: nn.Module, recorded: Sequence[Tensor]) -> Iterator[None]:
    """Let `model` draw again, within the block, what it drew after `recorded`; its generators then go on as before.

    Args:
        model: its generators are changed, and put back.
        recorded: `states` of the same model.
    """
    found = generators(model)
    if len(found) != len(recorded):
        raise ValueError(
            f"`recorded` must hold a state for each of the {len(found)} generators of {type(model).__name__}; "
            f"got {len(recorded)}. Record them with `states` of the same model."
        )
    before = states(model)
    _restore(found, recorded)
    try:
        yield
    finally:
        _restore(found, before)


def _restore(found: Sequence[Generator], recorded: Sequence[Tensor]) -> None:
    for generator, state in zip(found, recorded, strict=True):
        generator.set_state(state)

"""How much is solved and how it is fitted: amounts and rates, in values that datasets and cards repeat."""

import dataclasses
from dataclasses import dataclass

__all__ = ["DatasetRecipe", "TrainingRecipe"]


@dataclass(frozen=True)
class DatasetRecipe:
    """How much to draw and solve for a dataset.

    Attributes:
        crossbars: number of crossbars.
        inputs: inputs on each of them.
        crossbars_per_shard: crossbars in one file, which is what a kill can cost, and part of the draw.
        seed: of everything random.
    """

    crossbars: int = 20_000
    inputs: int = 4
    crossbars_per_shard: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("crossbars", "inputs", "crossbars_per_shard"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive; got {getattr(self, name)}.")


@dataclass(frozen=True)
class TrainingRecipe:
    """How much to see and how to fit.

    Attributes:
        steps: of the optimizer.
        batch: crossbars per step.
        inputs: inputs on each crossbar, where samples are solved for the step.
        learning_rate: peak of the one-cycle schedule.
        optimizer: `adamw`, or `sgd` with Nesterov's momentum of 0.9.
        precision: of the products with conductances while training; bfloat16 is twice as fast where the processor has
            it. Weights stay in float32.
        hidden: width of the hidden layer.
        curve: coefficients of the reference current's curve; 1 is Ohm's law, as in the paper. See `Scaling`.
        checks: how often the error on crossbars never seen is measured, and the state saved, evenly over the steps.
        patience: checks without a smaller error after which training ends; the best network is kept in any case.
        held_out_crossbars: crossbars for each check, and others for the card, never seen in training.
        held_out_inputs: inputs on each of them.
        seed: of everything random.
    """

    steps: int = 2000
    batch: int = 128
    inputs: int = 4
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    precision: str = "float32"
    hidden: int = 500
    curve: int = 5
    checks: int = 20
    patience: int = 10
    held_out_crossbars: int = 128
    held_out_inputs: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "seed" and not isinstance(value, str) and not value > 0:
                raise ValueError(f"`{field.name}` must be positive; got {value}.")
        for name, known in (("optimizer", ("adamw", "sgd")), ("precision", ("float32", "bfloat16"))):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be {' or '.join(known)}; got {getattr(self, name)!r}.")
        if self.checks > self.steps:
            raise ValueError(f"`checks` must be at most `steps` = {self.steps}; got {self.checks}.")

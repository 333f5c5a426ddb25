"""What the file of `geniex train`, `dataset` and `card` can say, and what it builds."""

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    model_validator,
)

from geniex.configuration.sections import CellSection, CrossbarSection, FileSection, Section
from geniex.emulation.recipe import DatasetRecipe, TrainingRecipe
from geniex.emulation.recorded import load_digits
from geniex.emulation.sampling import Corners, DigitSampling, MixedDigits, Mixture
from geniex.window import Window

__all__ = ["TrainingConfig"]


class DigitSection(Section):
    """What DACs drive and cells store."""

    v_max: float = Field(default=0.25, gt=0, description="voltage of the largest input digit, in volt")
    v_bits: int = Field(default=4, ge=1, le=8, description="bits of an input digit")
    g_bits: int = Field(default=4, ge=1, le=8, description="bits of a weight digit")
    sparsest: float = Field(default=0.95, ge=0, le=1, description="largest share of zeros that is drawn")
    network_share: float = Field(
        default=0.5, ge=0, le=1, description="share of crossbars and inputs drawn like a network's digits"
    )
    corner_share: float = Field(
        default=0.02, ge=0, le=1, description="share of extremes: all on, all off, one row, one column"
    )
    recorded: str | None = Field(
        default=None, description="file of a network's own digits, made by `geniex record`, relative to this one"
    )
    recorded_share: float = Field(
        default=0.5, ge=0, le=1, description="share of the others drawn from `recorded`, where it is given"
    )


class DatasetSection(Section):
    """How much `geniex dataset` solves, for `geniex train --data`."""

    crossbars: int = Field(default=20_000, ge=1, description="crossbars to draw and solve")
    inputs: int = Field(default=4, ge=1, description="inputs on each crossbar")
    crossbars_per_shard: int = Field(default=512, ge=1, description="crossbars in one file, made or lost as a whole")
    seed: int = Field(default=0, ge=0, lt=2**63 - 1, description="of everything random")


class TrainingSection(Section):
    """How much `geniex train` sees and how it fits."""

    steps: int = Field(default=2000, ge=1, description="steps of the optimizer")
    batch: int = Field(default=128, ge=1, description="crossbars per step")
    inputs: int = Field(default=4, ge=1, description="inputs on each crossbar, where samples are solved for the step")
    learning_rate: float = Field(default=1e-3, gt=0, description="peak of the one-cycle schedule")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="adamw, or sgd with a momentum of 0.9")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the largest product while training; bfloat16 where the processor has it"
    )
    hidden: int = Field(default=500, ge=1, description="width of the hidden layer")
    curve: int = Field(
        default=5, ge=1, description="coefficients of the reference current's curve; 1 is Ohm's law, as in the paper"
    )
    checks: int = Field(default=20, ge=1, description="how often the error on unseen crossbars is measured")
    patience: int = Field(default=10, ge=1, description="checks without a smaller error after which training ends")
    held_out_crossbars: int = Field(default=128, ge=1, description="unseen crossbars on which errors are measured")
    held_out_inputs: int = Field(default=16, ge=1, description="inputs on each of them")
    seed: int = Field(default=0, ge=0, lt=2**63 - 1, description="of everything random")


class TrainingConfig(FileSection):
    """Crossbar, digits and recipe of `geniex train`."""

    command = "train"

    crossbar: CrossbarSection = Field(default=CrossbarSection())
    cell: CellSection = Field(default=CellSection())
    digits: DigitSection = Field(default=DigitSection())
    dataset: DatasetSection = Field(default=DatasetSection())
    training: TrainingSection = Field(default=TrainingSection())

    @model_validator(mode="after")
    def _builds(self) -> "TrainingConfig":
        for build in (self.window, self.recipe):
            build()
        return self

    def window(self) -> Window:
        """Voltages and conductances of the digits."""
        g_on = 1 / self.cell.r_on
        return Window(self.digits.v_max, g_on, g_on / self.cell.on_off, self.digits.v_bits, self.digits.g_bits)

    def sampling(self, folder: Path = Path()) -> DigitSampling:
        """Distribution of the digits; names of files are relative to `folder`."""
        digits = self.digits
        parts: list[DigitSampling] = [
            MixedDigits(digits.v_bits, digits.g_bits, digits.sparsest, digits.network_share),
            Corners(digits.v_bits, digits.g_bits),
        ]
        others = 1 - digits.corner_share
        shares = [others, digits.corner_share]
        if digits.recorded is not None:
            parts.append(load_digits(folder / digits.recorded))
            shares = [others * (1 - digits.recorded_share), digits.corner_share, others * digits.recorded_share]
        used = [(part, share) for part, share in zip(parts, shares, strict=True) if share > 0]
        return used[0][0] if len(used) == 1 else Mixture(*(tuple(column) for column in zip(*used, strict=True)))

    def named_from(self, folder: Path) -> "TrainingConfig":
        """The same, where `digits.recorded` names a file relative to `folder`, with its full name."""
        if self.digits.recorded is None:
            return self
        digits = self.digits.model_copy(update={"recorded": str((folder / self.digits.recorded).resolve())})
        return self.model_copy(update={"digits": digits})

    def dataset_recipe(self) -> DatasetRecipe:
        """Amounts of a dataset."""
        return DatasetRecipe(**self.dataset.model_dump())

    def recipe(self) -> TrainingRecipe:
        """Amounts and rates."""
        return TrainingRecipe(**self.training.model_dump())

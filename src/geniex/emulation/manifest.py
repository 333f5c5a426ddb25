"""What a dataset is: the plan it is made by, and the manifest that says so beside its shards.

The identity of a dataset is all that decides about its contents: circuit, window, sampling, amounts, seed, solver, and
a fingerprint of digits drawn as its shards are. Versions of geniex, torch and numpy are noted but are no part of it.
If a version draws other digits, the fingerprint differs, and the dataset is another one. If it solves otherwise, the
currents still agree to the solver's tolerance, far below the float32 in which they are kept.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.devices.description import describe_device, flattened
from geniex.emulation.recipe import DatasetRecipe
from geniex.emulation.samples import Levels, check_bits, draw_levels, fingerprint, solve_currents
from geniex.emulation.sampling import DigitSampling, describe_sampling, generator_of
from geniex.hints import differences
from geniex.models.circuit import Circuit
from geniex.window import Window

__all__ = ["DatasetPlan", "Manifest", "differences_from"]

FORMAT = "geniex-dataset/1"
DTYPE = torch.float64


@dataclass(frozen=True)
class Manifest:
    """What is in a folder of shards.

    Attributes:
        spec: geometry and parasitics of the crossbar.
        device: description of the cells.
        window: voltages and conductances of the digits.
        sampling: parameters of the distribution of digits.
        recipe: amounts and seed.
        solver: precision, and residual asked for as a share of the drive.
        drawn: fingerprint of digits drawn as those of the shards are.
        versions: of geniex, torch and numpy that began it.
    """

    spec: CrossbarSpec
    device: dict[str, Any]
    window: Window
    sampling: dict[str, Any]
    recipe: DatasetRecipe
    solver: dict[str, Any]
    drawn: str
    versions: dict[str, str]

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.recipe.crossbars // self.recipe.crossbars_per_shard)

    def crossbars_in(self, shard: int) -> int:
        """Number of crossbars in one shard: the last one may hold fewer."""
        size = self.recipe.crossbars_per_shard
        return min(size, self.recipe.crossbars - shard * size)

    def identity(self) -> dict[str, Any]:
        """All that decides about the contents, as plain values."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "versions"}

    def digest(self) -> str:
        """Fingerprint of the identity; 1 ohm and 1.0 ohm are the same."""
        numbers = json.loads(json.dumps(self.identity()), parse_int=float)
        return hashlib.sha256(json.dumps([FORMAT, numbers], sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The text of a manifest file."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2) + "\n"

    @staticmethod
    def read(path: Path) -> "Manifest":
        """The manifest in a file.

        Raises:
            ValueError: if it is damaged, or of another format.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = content.pop("format")
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(_damaged(path, error)) from error
        if found != FORMAT:
            raise ValueError(f"{path} is not of this version: its format is {found}, not {FORMAT}.")
        try:
            kinds = {"spec": CrossbarSpec, "window": Window, "recipe": DatasetRecipe}
            return Manifest(**{**content, **{name: kind(**content[name]) for name, kind in kinds.items()}})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(_damaged(path, error)) from error


@dataclass(frozen=True)
class DatasetPlan:
    """All that decides about a dataset.

    Attributes:
        circuit: the exact model.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        recipe: amounts and seed.
    """

    circuit: Circuit
    sampling: DigitSampling
    window: Window
    recipe: DatasetRecipe

    def __post_init__(self) -> None:
        check_bits(self.sampling, self.window)

    def manifest(self) -> Manifest:
        """What the dataset is, made by the installed versions."""
        solver = self.circuit.solver
        return Manifest(
            spec=solver.spec,
            device=describe_device(solver.device),
            window=self.window,
            sampling=describe_sampling(self.sampling),
            recipe=self.recipe,
            solver={"dtype": str(DTYPE).removeprefix("torch."), "tolerance": solver.tolerance(DTYPE)},
            drawn=fingerprint(self.sampling, solver.spec, self.recipe.seed),
            versions={name: version(name) for name in ("geniex", "torch", "numpy")},
        )

    def draw(self, shard: int, crossbars: int) -> Levels:
        """The digits of one shard; they depend on the seed and its number alone."""
        size, generator = (crossbars, self.recipe.inputs), generator_of(self.recipe.seed, "shard", shard)
        return draw_levels(self.sampling, self.circuit.solver.spec, size, generator)

    def solve(self, levels: Levels) -> Tensor:
        """Exact column currents (crossbar, input, col) in ampere, in float32, which keeps 6e-8 of each."""
        return solve_currents(self.circuit, self.window, levels, DTYPE).float()


def differences_from(found: Manifest, wanted: dict[str, Any]) -> str:
    """Where `found` is not what was wanted, by name with both values; empty where it is.

    Args:
        found: the manifest of a folder.
        wanted: some entries of a manifest's `identity`.
    """
    identity = found.identity()
    return differences(flattened({name: identity[name] for name in wanted}), flattened(wanted))


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path} is damaged ({type(error).__name__}: {error}). Remove it, then run the `geniex dataset` command that "
        "made it again: whole shards stay."
    )

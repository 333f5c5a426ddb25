"""Error card of a model: how far its NF is from the exact circuit's, overall and split by what a read looks like.

The crossbars are drawn like those of training, from seeds of their own. Errors that depend on the values of single
cells, beyond how many of them are on, are not told apart.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.devices.description import describe_device
from geniex.emulation.samples import Samples, check_bits, solve_samples
from geniex.emulation.sampling import DigitSampling, describe_sampling, generator_of
from geniex.models.base import CrossbarModel, check_range, in_own_precision
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex
from geniex.models.guard import OperatingRange
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder
from geniex.nf import NfError, Spread, carries_current, nf_error, spread
from geniex.window import Window

__all__ = ["DrawnColumns", "ErrorCard", "ErrorMap", "Part", "held_out_errors", "measure_errors"]

NAMES = {Geniex: "geniex", ReducedOrder: "reduced"}
PARTS = 10  # of a split
MOST_POSITIONS = 16  # groups of neighbouring columns
MOST_DRAWN = 1500  # columns for plots
CROSSBARS_AT_ONCE = 32


@dataclass(frozen=True)
class Part:
    """Columns whose quantity lies from `low` to below `high` (the last part of a split: to `high`).

    Attributes:
        low: lower end, in the unit of the split.
        high: upper end.
        columns: how many.
        errors: by model, over these columns.
    """

    low: float
    high: float
    columns: int
    errors: dict[str, Spread]


@dataclass(frozen=True)
class ErrorMap:
    """Errors of the model by how full its crossbars and its reads are.

    Attributes:
        edges: of the parts of both axes, as shares from 0 to 1.
        rmse: root mean square of the errors of NF in percent, (share of cells on, share of rows driven); None where no
            column was drawn.
        columns: number of columns behind each.
    """

    edges: list[float]
    rmse: list[list[float | None]]
    columns: list[list[int]]


@dataclass(frozen=True)
class DrawnColumns:
    """Columns drawn evenly from all, for plots.

    Attributes:
        nf_exact: NF of the exact circuit in percent.
        nf_model: NF by model in percent; the same columns in the same order.
    """

    nf_exact: list[float]
    nf_model: dict[str, list[float]]


@dataclass(frozen=True)
class ErrorCard:
    """Errors of a model, and of the linear circuit and of ideal beside it, against the exact circuit.

    Attributes:
        model: `geniex`, `reduced`, or the name of the model's class.
        spec: geometry and parasitics of the crossbar.
        device: description of the cells.
        window: voltages and conductances of the digits.
        sampling: parameters of the distribution of digits.
        crossbars: number of crossbars drawn.
        inputs: number of inputs drawn for each.
        seed: of the draw.
        errors: by model, over all columns; the intervals resample whole crossbars.
        splits: parts by `voltage` (mean of the driven rows in volt), `v_density` (share of driven rows), `g_density`
            (share of cells above g_off), `column` (position, from 0), `current` (ideal current in ampere, in
            quantiles). Parts without columns are left out.
        map: errors of the model over both densities.
        drawn: columns for plots.
    """

    model: str
    spec: CrossbarSpec
    device: dict[str, Any]
    window: Window
    sampling: dict[str, Any]
    crossbars: int
    inputs: int
    seed: int
    errors: dict[str, NfError]
    splits: dict[str, list[Part]]
    map: ErrorMap
    drawn: DrawnColumns

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class _Reads:
    """All columns in their places, and those that carry current."""

    samples: Samples
    i_ideal: Float[Tensor, "crossbar input col"]
    i_exact: Float[Tensor, "crossbar input col"]
    i_model: dict[str, Tensor]

    @property
    def counts(self) -> Bool[Tensor, "crossbar input col"]:
        return carries_current(self.i_ideal)

    def nf(self, i: Float[Tensor, "crossbar input col"]) -> Float[Tensor, " column"]:
        """NF in percent of the columns that count."""
        return 100 * ((self.i_ideal - i) / self.i_ideal)[self.counts]


@torch.no_grad()
def measure_errors(
    model: CrossbarModel, circuit: Circuit, sampling: DigitSampling, window: Window, size: tuple[int, int], seed: int
) -> ErrorCard:
    """Draw crossbars, solve them exactly in float64, and compare.

    Args:
        model: what to judge; it computes in the precision of its weights, in float64 if it has none.
        circuit: the exact crossbar. Its currents are kept to 6e-8 of each.
        sampling: distribution of the digits.
        window: their voltages and conductances.
        size: number of crossbars, number of inputs of each.
        seed: of the draw. It never repeats a draw of training, whatever the seed of that.

    Raises:
        ValueError: if an argument is out of range, or the model is for another crossbar or less than the window.
    """
    spec, name = circuit.solver.spec, NAMES.get(type(model), type(model).__name__)
    _check(model, spec, sampling, window, size)
    samples = solve_samples(circuit, sampling, window, size, generator_of(seed, "error card"))
    reads = _read(samples, _beside(name, model, spec))
    overall = _overall(reads, seed)
    exact = reads.nf(reads.i_exact)
    errors = {key: reads.nf(i) - exact for key, i in reads.i_model.items()}
    return ErrorCard(
        model=name,
        spec=spec,
        device=describe_device(circuit.solver.device),
        window=window,
        sampling=describe_sampling(sampling),
        crossbars=size[0],
        inputs=size[1],
        seed=seed,
        errors=overall,
        splits={key: _parts(place[reads.counts], edges, errors) for key, (place, edges) in _places(reads).items()},
        map=_map(reads, errors[name]),
        drawn=_drawn(reads, exact, seed),
    )


@torch.no_grad()
def held_out_errors(model: CrossbarModel, spec: CrossbarSpec, samples: Samples, seed: int) -> dict[str, NfError]:
    """Errors over all columns of some samples: of an emulator as `geniex`, and of `linear` and `ideal` beside it.

    Args:
        model: the emulator; it computes in the precision of its weights.
        spec: its crossbar.
        samples: exactly solved.
        seed: of the bootstrap, which resamples whole crossbars.
    """
    return _overall(_read(samples, _beside(NAMES[Geniex], model, spec)), seed)


def _beside(name: str, model: CrossbarModel, spec: CrossbarSpec) -> dict[str, CrossbarModel]:
    return {name: model, "linear": LinearCircuit(spec), "ideal": Ideal()}


def _check(
    model: CrossbarModel, spec: CrossbarSpec, sampling: DigitSampling, window: Window, size: tuple[int, int]
) -> None:
    for name, count in zip(("crossbars", "inputs"), size, strict=True):
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1; got {count}.")
    check_bits(sampling, window)
    check_range(model, OperatingRange(spec.rows, spec.cols, 0.0, window.v_max, window.g_off, window.g_on))


def _read(samples: Samples, models: Mapping[str, CrossbarModel]) -> _Reads:
    """Ideal, exact and modelled currents of all samples."""
    found: dict[str, list[Tensor]] = {name: [] for name in ("", *models)}
    for start in range(0, len(samples), CROSSBARS_AT_ONCE):
        v, g = samples[start : start + CROSSBARS_AT_ONCE].inputs(torch.float64)
        found[""].append(v @ g)
        for name, model in models.items():
            found[name].append(in_own_precision(model, v, g).double())
    currents = {name: torch.cat(parts) for name, parts in found.items()}
    i_ideal = currents.pop("")
    return _Reads(samples, i_ideal, torch.where(samples.f.isnan(), 0, i_ideal / samples.f), currents)


def _overall(reads: _Reads, seed: int) -> dict[str, NfError]:
    """Errors over all columns; inputs of one crossbar are no independent samples, so that crossbars are resampled."""
    i_exact, i_ideal, driven = reads.i_exact.flatten(1), reads.i_ideal.flatten(1), int(reads.counts.any(-1).sum())

    def error(i: Tensor) -> NfError:
        found = nf_error(i.flatten(1), i_exact, i_ideal, Generator().manual_seed(seed))
        return dataclasses.replace(found, reads=driven)

    return {name: error(i) for name, i in reads.i_model.items()}


def _places(reads: _Reads) -> dict[str, tuple[Int[Tensor, "crossbar input col"], list[float]]]:
    """For each split, the part in which each column is, and the edges of the parts."""
    samples, cols = reads.samples, reads.i_ideal.shape[-1]
    v_max, groups = samples.window.v_max, min(cols, MOST_POSITIONS)
    rows_driven, cells_on = _densities(samples)
    level = samples.v_level.long()
    height = _tenth(level.sum(-1), (level > 0).sum(-1) * (2**samples.window.v_bits - 1))
    currents = reads.i_ideal[reads.counts].sort().values
    quantiles = currents[torch.linspace(0, len(currents) - 1, PARTS + 1).long()].unique()
    shares = _shares()
    places = {
        "voltage": (height[:, :, None], [v_max * share for share in shares]),
        "v_density": (rows_driven[:, :, None], shares),
        "g_density": (cells_on[:, None, None], shares),
        "column": (torch.arange(cols) * groups // cols, [float(-(-k * cols // groups)) for k in range(groups + 1)]),
        "current": (torch.bucketize(reads.i_ideal, quantiles[1:-1], right=True), _closed(quantiles.tolist())),
    }
    return {name: (place.expand(reads.i_ideal.shape), edges) for name, (place, edges) in places.items()}


def _densities(samples: Samples) -> tuple[Int[Tensor, "crossbar input"], Int[Tensor, " crossbar"]]:
    """Tenth in which the share of driven rows lies, and that in which the share of cells above g_off lies."""
    v_on, g_on = samples.v_level > 0, samples.g_level > 0
    return _tenth(v_on.sum(-1), v_on.shape[-1]), _tenth(g_on.sum((-2, -1)), g_on[0].numel())


def _tenth(count: Int[Tensor, "*place"], whole: Int[Tensor, "*place"] | int) -> Int[Tensor, "*place"]:
    """Tenth of `whole`, from 0, in which `count` lies; whole numbers all the way, so that edges fall on no rounding."""
    return (PARTS * count // torch.as_tensor(whole).clamp(min=1)).clamp(max=PARTS - 1)


def _shares() -> list[float]:
    return [k / PARTS for k in range(PARTS + 1)]


def _closed(edges: list[float]) -> list[float]:
    """At least one part, even if all columns carry the same current."""
    return edges if len(edges) > 1 else edges * 2


def _parts(place: Int[Tensor, " column"], edges: Sequence[float], errors: Mapping[str, Tensor]) -> list[Part]:
    parts = []
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = place == k
        if inside.any():
            found = {name: spread(error[inside]) for name, error in errors.items()}
            parts.append(Part(low, high, int(inside.sum()), found))
    return parts


def _map(reads: _Reads, error: Float[Tensor, " column"]) -> ErrorMap:
    rows_driven, cells_on = _densities(reads.samples)
    place = (PARTS * cells_on[:, None] + rows_driven)[:, :, None].expand(reads.i_ideal.shape)[reads.counts]
    columns = place.bincount(minlength=PARTS**2).view(PARTS, PARTS)
    squares = place.bincount(error.square(), minlength=PARTS**2).view(PARTS, PARTS)
    rmse = (squares / columns).sqrt()
    known = [[value if value == value else None for value in row] for row in rmse.tolist()]  # 0 / 0 is NaN
    return ErrorMap(_shares(), known, columns.tolist())


def _drawn(reads: _Reads, exact: Float[Tensor, " column"], seed: int) -> DrawnColumns:
    chosen = torch.randperm(len(exact), generator=Generator().manual_seed(seed))[:MOST_DRAWN]
    return DrawnColumns(
        exact[chosen].tolist(), {name: reads.nf(i)[chosen].tolist() for name, i in reads.i_model.items()}
    )

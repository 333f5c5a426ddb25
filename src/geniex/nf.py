"""The non-ideality factor NF = (i_ideal - i) / i_ideal, and the one way in which models are compared by it.

The metric of the GENIEx paper (arXiv 2003.06902), section 5: the error of a model is the root mean square, over
columns, of the difference between its NF and that of the exact circuit.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

__all__ = ["NfError", "Spread", "carries_current", "nf_error", "spread"]

SMALLEST_CURRENT = 1e-9  # ampere; a ratio of smaller currents says nothing about a read
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class NfError:
    """Error of a model's NF against the exact circuit, in percent of the ideal current.

    Attributes:
        rmse: root mean square over columns.
        low: lower end of the 95 % confidence interval of `rmse`, by bootstrap over reads.
        high: upper end of it.
        p99: 99th percentile of the absolute error.
        worst: largest absolute error.
        reads: number of reads (one input on one tile).
        columns: number of columns with an ideal current above 1 nA, over which the errors are taken.
    """

    rmse: float
    low: float
    high: float
    p99: float
    worst: float
    reads: int
    columns: int


@dataclass(frozen=True)
class Spread:
    """Errors of NF over some columns, in percent of the ideal current.

    Attributes:
        rmse: root mean square.
        p99: 99th percentile of the absolute error.
        worst: largest absolute error.
    """

    rmse: float
    p99: float
    worst: float


def carries_current(i_ideal: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Columns whose NF is meaningful: an ideal current above 1 nA."""
    return i_ideal > SMALLEST_CURRENT


def spread(error: Float[Tensor, " column"]) -> Spread:
    """Summary of the errors of at least one column."""
    absolute = error.abs().sort().values
    p99 = absolute[int(0.99 * (len(absolute) - 1))].item()
    return Spread(error.square().mean().sqrt().item(), p99, absolute[-1].item())


def nf_error(
    i: Float[Tensor, "*read col"],
    i_exact: Float[Tensor, "*read col"],
    i_ideal: Float[Tensor, "*read col"],
    generator: Generator,
) -> NfError:
    """Compare a model's currents with the exact circuit's.

    Args:
        i: currents of the model in ampere.
        i_exact: currents of the exact circuit in ampere.
        i_ideal: currents without non-idealities in ampere.
        generator: for the bootstrap.

    Raises:
        ValueError: if no column carries a current above 1 nA.
    """
    i, i_exact, i_ideal = (x.double().reshape(-1, x.shape[-1]) for x in (i, i_exact, i_ideal))
    counts = carries_current(i_ideal)
    if not counts.any():
        raise ValueError("No column has an ideal current above 1 nA: drive more rows, or raise the conductances.")
    error = torch.where(counts, 100 * (i_exact - i) / i_ideal, 0)
    per_read = torch.stack([error.square().sum(-1), counts.sum(-1).double()])
    draw = torch.randint(len(error), (BOOTSTRAP_DRAWS, len(error)), generator=generator)
    squares, columns = per_read[0][draw].sum(-1), per_read[1][draw].sum(-1).clamp(min=1)
    low, high = torch.quantile((squares / columns).sqrt(), torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    overall = spread(error[counts])
    return NfError(
        rmse=overall.rmse,
        low=low,
        high=high,
        p99=overall.p99,
        worst=overall.worst,
        reads=int((per_read[1] > 0).sum()),
        columns=int(counts.sum()),
    )

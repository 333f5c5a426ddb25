"""What the two solvers share: when they stop, and what they return."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Rules", "Solved"]

ROUNDING = 64  # roundings, each enlarged by 1 + rho, that a mismatch can hold


@dataclass(frozen=True)
class Rules:
    """When to stop, and what to return.

    Attributes:
        rtol: largest residual as a share of the drive, the largest input of a circuit; None is 1e-10 in float64 and
            2e-6 in float32, or what rounding allows in a stiff circuit: 64 eps (1 + rho).
        max_steps: Newton steps after which a circuit counts as not converged.
        voltages: whether to return the cell voltages.
    """

    rtol: float | None = None
    max_steps: int = 200
    voltages: bool = True

    def share(self, dtype: torch.dtype) -> float:
        """The residual to reach, as a share of the drive."""
        if self.rtol is not None:
            return self.rtol
        return 1e-10 if dtype == torch.float64 else 2e-6

    def tolerance(self, dtype: torch.dtype, rho: Tensor) -> Tensor:
        """The residual at which circuits count as converged, as a share of the drive.

        Args:
            dtype: of the results.
            rho: the largest voltage that wires lose per volt on the cells.
        """
        share = torch.full_like(rho, self.share(dtype))
        floor = ROUNDING * torch.finfo(torch.float64).eps * (1 + rho)
        return share if self.rtol is not None else torch.maximum(share, floor)


class Solved(NamedTuple):
    """Results of a flat batch of circuits.

    Attributes:
        i: (circuit, col) column currents in ampere.
        u: (circuit, row, col) cell voltages in volt, or (0, row, col).
        residual: (circuit,) float64, in volt.
        steps: (circuit,) Newton steps.
        converged: (circuit,)
    """

    i: Tensor
    u: Tensor
    residual: Tensor
    steps: Tensor
    converged: Tensor

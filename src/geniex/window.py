"""Digit levels as physical quantities: the one place where numbers become volt and siemens."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """Level 0 is 0 V and g_off, the largest level v_max and g_on, the others lie evenly between.

    Attributes:
        v_max: voltage of the largest input digit, in volt.
        g_on: conductance of the largest weight digit, in siemens.
        g_off: conductance of weight digit 0, in siemens.
        v_bits: bits of an input digit.
        g_bits: bits of a weight digit.
        v_inl: deviation of each input level from the straight line, in levels; None is none.
    """

    v_max: float = 0.25
    g_on: float = 1e-5
    g_off: float = 1e-5 / 6
    v_bits: int = 4
    g_bits: int = 4
    v_inl: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.v_max < math.inf:
            raise ValueError(f"`v_max` must be positive and finite; got {self.v_max} V.")
        if not 0 <= self.g_off < self.g_on < math.inf:
            raise ValueError(
                f"`g_off` must lie between 0 and `g_on`, and both be finite; got {self.g_off} and {self.g_on} S."
            )
        for name in ("v_bits", "g_bits"):
            if not 1 <= getattr(self, name) <= 8:
                raise ValueError(f"`{name}` must lie between 1 and 8; got {getattr(self, name)}.")

    @property
    def v_step(self) -> float:
        """Volt per level."""
        return self.v_max / (2**self.v_bits - 1)

    @property
    def g_step(self) -> float:
        """Siemens per level."""
        return (self.g_on - self.g_off) / (2**self.g_bits - 1)

    @property
    def product(self) -> float:
        """Ampere of one level of voltage times one of conductance."""
        return self.v_step * self.g_step

    def every_voltage(self) -> Tensor:
        """Volt of all input levels, ascending, in float64."""
        return self.voltages(torch.arange(2**self.v_bits), torch.float64)

    def voltages(self, level: Tensor, dtype: torch.dtype) -> Tensor:
        """Volt for input levels."""
        if self.v_inl is not None:
            level = level + torch.tensor(self.v_inl, dtype=torch.float64, device=level.device)[level.detach().long()]
        return level.to(dtype) * self.v_step

    def conductances(self, level: Tensor, dtype: torch.dtype) -> Tensor:
        """Siemens for weight levels."""
        return self.g_off + level.to(dtype) * self.g_step

"""Gradients that pass straight through what has none, such as rounding (Bengio, Leonard, Courville 2013)."""

from torch import Tensor

__all__ = ["straight_through"]


def straight_through(value: Tensor, x: Tensor) -> Tensor:
    """`value`, exactly, with the gradient of `x`, of which it was made."""
    return value + (x - x.detach()) if x.requires_grad else value

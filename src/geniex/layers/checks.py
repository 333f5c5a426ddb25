"""What layers ask of their inputs before any work."""

import torch
from torch import Tensor

__all__ = ["check_channels", "check_numbers", "with_batch"]

SIZES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def check_channels(x: Tensor, channels: int, dimensions: int) -> None:
    """Raise ValueError unless `x` is (image, channel, *size), or one image without a batch."""
    if x.dim() not in (dimensions + 1, dimensions + 2) or x.shape[-dimensions - 1] != channels:
        raise ValueError(
            f"This layer takes (image, {channels}, {SIZES[dimensions]}); got an input of shape {tuple(x.shape)}."
        )


def check_numbers(x: Tensor) -> None:
    """Raise ValueError unless `x` is floating and finite."""
    if not x.is_floating_point():
        raise ValueError(f"A layer's inputs and weights must be floating numbers; got {x.dtype}. Cast with `.float()`.")
    finite = torch.isfinite(x)
    if not finite.all():
        raise ValueError(
            f"A layer's inputs and weights must be finite; {int((~finite).sum())} of {x.numel()} values are not."
        )


def with_batch(x: Tensor, dimensions: int) -> Tensor:
    """`x` itself, or one image as a batch of one."""
    return x if x.dim() == dimensions + 2 else x.unsqueeze(0)

"""Quantities that depend on a cell's conductance, as measured points with straight lines between them."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Points", "between", "check_points"]

Points = tuple[tuple[float, float], ...]
"""(conductance in siemens, value), conductances ascending."""


def check_points(argument: str, points: Points) -> None:
    """Raise ValueError unless there are points, all finite, of ascending conductances.

    Args:
        argument: as the user typed it, such as `TabulatedSpread(points=...)`.
        points: conductances in siemens, with values.
    """
    if not points or any(len(point) != 2 or not all(map(math.isfinite, point)) for point in points):
        raise ValueError(f"`{argument}` must hold finite pairs (conductance, value); got {points}.")
    for (a, _), (b, _) in pairwise(points):
        if not a < b:
            raise ValueError(f"Conductances of `{argument}` must ascend; got {a:g} S before {b:g} S.")


def between(points: Points, g: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
    """Values at conductances `g` in siemens; beyond the points, that of the nearest. Differentiable.

    Args:
        points: as `check_points` accepts.
        g: any shape.
    """
    at, values = torch.tensor(list(zip(*points, strict=True)), dtype=g.dtype, device=g.device)
    if len(points) == 1:
        return values.expand_as(g)
    k = torch.searchsorted(at, g.detach().contiguous()).clamp(1, len(points) - 1)
    share = ((g - at[k - 1]) / (at[k] - at[k - 1])).clamp(0.0, 1.0)
    return values[k - 1] + share * (values[k] - values[k - 1])

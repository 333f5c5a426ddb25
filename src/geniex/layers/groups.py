"""Groups of a convolution, which share neither inputs nor outputs: on crossbars of their own, or packed.

Packed groups lie on rows and columns of their own of one crossbar, a block-diagonal matrix.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.functional import HardwareConfig, slices_per_weight, used_cols

__all__ = ["block_diagonal", "multiplied", "packed"]


def packed(groups: int, rows: int, cols: int, config: HardwareConfig) -> list[slice]:
    """Groups that share a matrix.

    Args:
        groups: how many there are.
        rows: inputs of a group.
        cols: outputs of a group.
        config: whether to pack them, and the crossbars that they are to fit on.
    """
    together = 1
    if config.pack_groups:
        together = max(1, min(config.rows // rows, used_cols(config) // (slices_per_weight(config) * cols)))
    return [slice(k, min(k + together, groups)) for k in range(0, groups, together)]


def block_diagonal(matrices: Float[Tensor, "group row col"], packing: list[slice]) -> list[Float[Tensor, "_ _"]]:
    """The matrices of groups that share one, as blocks of it."""
    return [torch.block_diag(*matrices[groups]) for groups in packing]


def multiplied(
    x: Float[Tensor, "*input group row"], packing: list[slice], product: Callable[[int, Tensor], Tensor]
) -> Float[Tensor, "*input col"]:
    """Products of each group's inputs with its matrix, one group after the other.

    Args:
        x: inputs of the groups.
        packing: groups that share a matrix.
        product: multiplies with the matrix of that number.
    """
    outputs = [product(k, x[..., groups, :].flatten(-2)) for k, groups in enumerate(packing)]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)

"""Groups of a convolution, which share neither inputs nor outputs: on crossbars of their own, or packed.

Packed groups lie on rows and columns of their own of one crossbar, a block-diagonal matrix.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.functional import HardwareConfig, slices_per_weight

__all__ = ["block_diagonal", "packed"]


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
        used = config.cols - config.floor.reserved_cols
        together = max(1, min(config.rows // rows, used // (slices_per_weight(config) * cols)))
    return [slice(k, min(k + together, groups)) for k in range(0, groups, together)]


def block_diagonal(matrices: Float[Tensor, "group row col"], packing: list[slice]) -> list[Float[Tensor, "_ _"]]:
    """The matrices of groups that share one, as blocks of it."""
    return [torch.block_diag(*matrices[groups]) for groups in packing]

"""The voltage lost on drivers, wires and sense amplifiers, as a linear function of the cell currents.

With `I` the currents of the cells, the loss is `Z I = I R + C I`: the drop along each word line plus the rise along
each bit line. `R[j, l]` is the resistance that cell `l` shares with cell `j` on their way to the driver, `C[i, k]` the
one that rows `i` and `k` share on their way to ground. `Z` is symmetric and positive semidefinite.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec

__all__ = ["bit_line_resistance", "wire_loss", "word_line_resistance"]


def word_line_resistance(spec: CrossbarSpec, like: Tensor) -> Float[Tensor, "col col"]:
    """Resistance in ohm shared by two cells of a word line: r_source + r_row min(j, l). Dtype and device of `like`."""
    col = torch.arange(spec.cols, dtype=like.dtype, device=like.device)
    return spec.r_source + spec.r_row * torch.minimum(col[:, None], col)


def bit_line_resistance(spec: CrossbarSpec, like: Tensor) -> Float[Tensor, "row row"]:
    """Resistance in ohm shared by two cells of a bit line: r_sink + r_col (rows - 1 - max(i, k)). Dtype of `like`."""
    row = torch.arange(spec.rows, dtype=like.dtype, device=like.device)
    return spec.r_sink + spec.r_col * (spec.rows - 1 - torch.maximum(row[:, None], row))


def wire_loss(spec: CrossbarSpec, i: Float[Tensor, "*batch row col"]) -> Float[Tensor, "*batch row col"]:
    """Voltage lost between driver and ground at each cell, in volt, for cell currents `i` in ampere."""
    return i @ word_line_resistance(spec, i) + bit_line_resistance(spec, i) @ i

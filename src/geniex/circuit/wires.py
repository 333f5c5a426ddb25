"""The voltage lost on drivers, wires and sense amplifiers, as a linear function of the cell currents.

With `I` the currents of the cells, the loss is `Z I = I R + C I`: the drop along each word line plus the rise along
each bit line. `R[j, l]` is the resistance that cell `l` shares with cell `j` on their way to the driver, `C[i, k]` the
one that rows `i` and `k` share on their way to ground. `Z` is symmetric and positive semidefinite.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec

__all__ = ["bit_line_resistance", "lumped_resistance", "wire_loss", "word_line_resistance"]


def word_line_resistance(spec: CrossbarSpec, like: Tensor) -> Float[Tensor, "col col"]:
    """Resistance in ohm that two cells of a word line share: r_source + r_row min(j, l), driven from one end.

    Args:
        spec: the crossbar.
        like: gives dtype and device.
    """
    col = torch.arange(spec.cols, dtype=like.dtype, device=like.device)
    return _shared(spec.r_source + spec.r_row * col, spec.r_source, spec.driven_ends)


def bit_line_resistance(spec: CrossbarSpec, like: Tensor) -> Float[Tensor, "row row"]:
    """Resistance in ohm that two cells of a bit line share: r_sink + r_col (rows - 1 - max(i, k)), sensed at one end.

    Args:
        spec: the crossbar.
        like: gives dtype and device.
    """
    below = spec.rows - 1 - torch.arange(spec.rows, dtype=like.dtype, device=like.device)
    return _shared(spec.r_sink + spec.r_col * below, spec.r_sink, spec.sensed_ends)


def _shared(to_end: Float[Tensor, " cell"], other_end: float, ends: int) -> Float[Tensor, "cell cell"]:
    """Resistance shared by two cells of a line, `to_end` ohm away from an end, on their way to all ends.

    With a second end, x from the first one and `whole` in all, it is min(x, y) (whole - max(x, y)) / whole: the
    potential at one cell per ampere into the other.
    """
    nearer = torch.minimum(to_end[:, None], to_end)
    if ends == 1:
        return nearer
    whole = to_end.max() + other_end
    return nearer * (1 - torch.maximum(to_end[:, None], to_end) / whole.clamp(min=torch.finfo(to_end.dtype).tiny))


def wire_loss(spec: CrossbarSpec, i: Float[Tensor, "*batch row col"]) -> Float[Tensor, "*batch row col"]:
    """Voltage lost between driver and ground at each cell, in volt, for cell currents `i` in ampere."""
    return i @ word_line_resistance(spec, i) + bit_line_resistance(spec, i) @ i


def lumped_resistance(spec: CrossbarSpec) -> float:
    """Resistance in ohm that a cell sees, on average, if all cells of its row and of its column carry its current."""
    like = torch.empty(0, dtype=torch.float64)
    row, col = word_line_resistance(spec, like), bit_line_resistance(spec, like)
    return row.sum().item() / spec.cols + col.sum().item() / spec.rows

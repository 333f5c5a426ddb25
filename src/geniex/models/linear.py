"""Wires and drivers with ohmic cells: the analytical model that knows the linear non-idealities only.

The circuit is linear, so that the currents are i = M v with one transfer matrix per crossbar. It is found by
elimination, row by row from the far end of the bit lines, in resistances, so that zero ohm is exact.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import word_line_resistance
from geniex.models.base import CrossbarModel, OperatingRange, Read, check_conductances, check_voltages

__all__ = ["LinearCircuit"]

CHUNK_CROSSBARS = 64


class LinearCircuit(CrossbarModel):
    """The crossbar `spec` with ohmic cells, exactly: `program` finds the transfer matrix, a read is one matmul."""

    def __init__(self, spec: CrossbarSpec) -> None:
        """Describe the circuit by its geometry and parasitics."""
        super().__init__()
        self.spec = spec

    @property
    def operating_range(self) -> OperatingRange:
        """Any voltage and conductance on crossbars of one size."""
        return OperatingRange(self.spec.rows, self.spec.cols)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Find the transfer matrices; see `CrossbarModel.program`. Differentiable with respect to `g`."""
        check_conductances(g, self.spec)
        flat = g.reshape(-1, *g.shape[-2:])
        transfer = torch.cat([_transfer(self.spec, part) for part in flat.split(CHUNK_CROSSBARS)]).view(g.shape)

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            return v @ transfer

        return read


def _transfer(spec: CrossbarSpec, g: Float[Tensor, "batch row col"]) -> Float[Tensor, "batch row col"]:
    """Column current per volt on each row, in siemens.

    Up to and including row `i` the bit lines carry J = H v - B c, with `c` their potentials at that row. A row adds
    A (v_i 1 - c), A = (1 + diag(g_i) R)^-1 diag(g_i) with R the word line's resistances; one wire segment turns (H, B)
    into (1 + r_col B)^-1 (H, B); the sense amplifiers close the recursion with c = r_sink J.
    """
    batch, rows, cols = g.shape
    eye = torch.eye(cols, dtype=g.dtype, device=g.device)
    shared = word_line_resistance(spec, g)
    line, drive = g.new_zeros(batch, cols, cols), g.new_zeros(batch, cols, 0)
    for row in range(rows):
        cell = torch.diag_embed(g[:, row])
        ladder = torch.linalg.solve(eye + g[:, row, :, None] * shared, cell)
        line, drive = _through(spec.r_col if row else 0.0, line, drive, eye)
        line, drive = line + ladder, torch.cat([drive, ladder.sum(-1, keepdim=True)], dim=-1)
    return _through(spec.r_sink, line, drive, eye)[1].mT


def _through(ohm: float, line: Tensor, drive: Tensor, eye: Tensor) -> tuple[Tensor, Tensor]:
    """(H, B) behind a resistance in series with each bit line."""
    if ohm == 0:
        return line, drive
    both = torch.linalg.solve(eye + ohm * line, torch.cat([line, drive], dim=-1))
    return both[..., : eye.shape[0]], both[..., eye.shape[0] :]

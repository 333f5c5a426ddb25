"""The worst tiles again under the exact circuit: whether what is blamed on them is the crossbar's, or the model's."""

from collections.abc import Sequence

import torch

from geniex.attribution.parts import Parts, Reads
from geniex.attribution.results import PartError, TileCheck
from geniex.functional.hardware import used_cols
from geniex.models.circuit import Circuit
from geniex.nf import carries_current

__all__ = ["check_tiles"]


@torch.no_grad()
def check_tiles(parts: Parts, tiles: Sequence[PartError], exact: Circuit) -> list[TileCheck]:
    """NF of some tiles under the model and under the exact circuit, over the same reads.

    Tiles of whose reads no column carries current are left out.

    Args:
        parts: with their reads.
        tiles: to be checked.
        exact: the circuit, solved in float64.

    Raises:
        RuntimeError: if it does not converge.
    """
    checks = (_checked(tile, parts.reads[tile.layer, tile.part], exact) for tile in tiles)
    return [check for check in checks if check is not None]


def _checked(part: PartError, reads: Reads, exact: Circuit) -> TileCheck | None:
    tile, columns = reads.tile, slice(used_cols(reads.tile.config))
    v, g = tile.levels.voltages(reads.level, reads.level.dtype), tile.g[reads.place]
    found = tile.read(v.unsqueeze(0))[reads.place, :, columns].double()
    ideal, solved = (i[:, columns] for i in (v.double() @ g.double(), exact(v.double(), g.double())))
    carrying = carries_current(ideal)
    if not carrying.any():
        return None
    nf, nf_exact = (100 * (ideal - i)[carrying] / ideal[carrying] for i in (found, solved))
    error = (nf - nf_exact).square().mean().sqrt()
    return TileCheck(part.layer, part.part, len(v), nf.mean().item(), nf_exact.mean().item(), error.item())

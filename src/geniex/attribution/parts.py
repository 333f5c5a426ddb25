"""Tiles, slices and streams: how far their column currents are from ideal, and what that does to a layer's outputs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from geniex.attribution.results import PartError
from geniex.calibration.currents import columns_in_use
from geniex.calibration.watching import watched
from geniex.digital import places
from geniex.functional import ProgrammedMatrix
from geniex.functional.hardware import array_widths, crossbars_per_array, used_cols
from geniex.functional.reading import RowTile, columns
from geniex.layers import analog_layers
from geniex.nf import carries_current

__all__ = ["Parts", "Reads", "part_errors", "ranked"]

INPUTS = 128  # of a product in which a layer is seen, evenly taken from all of them
KEPT = 8  # reads of each row tile, for checks


@dataclass
class _Sums:
    """Over columns that carry current: their number, NF and its square; over all columns the squared error."""

    count: int = 0
    nf: float = 0.0
    square: float = 0.0
    error: float = 0.0

    def add(self, nf: Tensor, error: Tensor) -> None:
        """Add NFs of columns that carry current, and squared errors of all."""
        self.count += nf.numel()
        self.nf += nf.sum().item()
        self.square += nf.square().sum().item()
        self.error += error.sum().item()


@dataclass(frozen=True)
class Reads:
    """Some reads of a crossbar.

    Attributes:
        tile: of which it is one.
        place: of the crossbar among those of `tile`.
        level: digits (read, row) of the inputs.
    """

    tile: RowTile
    place: int
    level: Tensor


@dataclass
class Parts:
    """Sums by layer and part, and reads of tiles."""

    tiles: dict[tuple[str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    slices: dict[tuple[str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    streams: dict[tuple[str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    reads: dict[tuple[str, str], Reads] = field(default_factory=dict)


@torch.no_grad()
def part_errors(network: nn.Module, x: Tensor) -> Parts:
    """Errors of tiles, slices and streams.

    Layers see the activations of the digital network. The error of a column is the difference of what it brings to the
    ADC from what an ideal crossbar of the same digits does, times the places of its slice and of the stream.

    Args:
        network: converted; its layers compute in floating point from now on.
        x: inputs of the network.
    """
    matrices = {name: layer.programmed() for name, layer in analog_layers(network)}
    parts = Parts()

    def see(name: str, which: int, inputs: Tensor) -> None:
        step = max(1, len(inputs) // INPUTS)
        _add(parts, name, matrices[name][which], inputs[::step], f"matrix {which}, " if len(matrices[name]) > 1 else "")

    watched(network, see)(x)
    return parts


def ranked(sums: dict[tuple[str, str], _Sums]) -> list[PartError]:
    """Parts, from the largest share of their layer's error down."""
    whole: dict[str, float] = defaultdict(float)
    for (layer, _), each in sums.items():
        whole[layer] += each.error
    found = [
        PartError(
            layer,
            part,
            nf_rms=(each.square / each.count) ** 0.5 if each.count else 0.0,
            nf_mean=each.nf / each.count if each.count else 0.0,
            share=each.error / whole[layer] if whole[layer] else 0.0,
        )
        for (layer, part), each in sums.items()
    ]
    return sorted(found, key=lambda part: (-part.share, part.layer, part.part))


def _add(parts: Parts, name: str, matrix: ProgrammedMatrix, inputs: Tensor, prefix: str) -> None:
    places_of = _places(matrix)
    for tile, level, stream in matrix.drives(inputs):
        nf, carrying, difference = _columns(tile, level)
        weight = torch.from_numpy(places_of[tile.which.cpu().numpy()])[:, None] * matrix.places[stream].cpu()[:, None]
        error = (difference.cpu() * weight).square()
        for k, which in enumerate(tile.which.tolist()):
            label = f"{prefix}row tile {tile.number}, crossbar {which}"
            parts.tiles[name, label].add(nf[k][carrying[k]], error[k])
            if (name, label) not in parts.reads:
                parts.reads[name, label] = Reads(tile, k, level[:: -(-len(level) // KEPT)])
        for label, used in _labels(matrix):
            chosen = torch.from_numpy(used[tile.which.cpu().numpy()])[:, None].expand_as(carrying)
            if chosen.any():
                parts.slices[name, prefix + label].add(nf[chosen & carrying], error[chosen])
        for number in stream.unique().tolist():
            at = stream == number
            parts.streams[name, f"stream {number}"].add(nf[:, at][carrying[:, at]], error[:, at])


def _columns(tile: RowTile, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """NF in percent, whether there is current, and errors in products of levels; all (crossbar, read, used)."""
    config = tile.config
    v = tile.levels.voltages(level, level.dtype).unsqueeze(0)
    used = used_cols(config)
    ideal, found = (v @ tile.g)[..., :used].double(), tile.read(v)[..., :used].double()
    carrying = carries_current(ideal)
    nf = 100 * (ideal - found) / torch.where(carrying, ideal, 1.0)
    wanted = tile.ideal(level.unsqueeze(0)).double()
    return nf.cpu(), carrying.cpu(), columns(level, tile).double() - wanted


def _places(matrix: ProgrammedMatrix) -> np.ndarray:
    """What a product of levels in each column (crossbar, used) is worth; 0 in columns without a digit."""
    config, outputs = matrix.config, matrix.shape[1]
    found = np.zeros((matrix.crossbars, used_cols(config)))
    first = 0
    for widths, count in zip(array_widths(config), crossbars_per_array(outputs, config), strict=True):
        column = np.repeat(places(widths), outputs)
        found[first : first + count].reshape(-1)[: len(column)] = column
        first += count
    return found


def _labels(matrix: ProgrammedMatrix) -> Iterator[tuple[str, np.ndarray]]:
    """Slices of every array, with their columns (crossbar, used)."""
    config, outputs = matrix.config, matrix.shape[1]
    names: Sequence[str] = ("W+", "W-") if config.mapping.arrays == 2 else ("W",)
    first, in_use = 0, columns_in_use(outputs, config)
    for array, (widths, count) in enumerate(
        zip(array_widths(config), crossbars_per_array(outputs, config), strict=True)
    ):
        for digit in range(len(widths)):
            used = np.zeros_like(in_use)
            used[first : first + count].reshape(-1)[digit * outputs : (digit + 1) * outputs] = True
            yield f"slice {digit} of {names[array] if array < len(names) else f'array {array}'}", used
        first += count

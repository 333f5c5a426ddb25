"""A programmed chip: the conductances of every crossbar of a network as they were written, as an object and as a file.

What device effects drew is in it, so that a chip that is loaded again answers as it did. It belongs to one network, and
to the part of the hardware that says what is written: tiles, digits, conductances, mapping and floor. Any model of the
crossbar can read it, through any converters.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from geniex.digital import quantize
from geniex.files import read_safetensors, replacing
from geniex.functional import HardwareConfig, Placed, WrittenMatrix, WrittenTile, crossbars_of, described, digits_of
from geniex.hints import differences
from geniex.layers import AnalogLayer, analog_layers
from geniex.models.randomness import generators

__all__ = ["Chip", "ChipLayer", "Occupancy", "chip_of", "load_chip", "occupancy"]

FORMAT = "geniex-chip/1"
OF_READING = ("inputs", "dac", "adc", "accumulator", "stream_bits", "signed_inputs")
"""Fields of the hardware that change nothing of what is written."""
REMEDY = "Use a chip of this network and hardware: `geniex program` or `chip_of` makes one."


@dataclass(frozen=True)
class ChipLayer:
    """The crossbars of a layer.

    Attributes:
        kind: type of the layer.
        hardware: what says how the layer is written, field by field, as Python writes it.
        model: that it was written with, as Python writes it.
        crossbars: that its matrices take, blank ones too.
        digits: cells that stand for a digit of a weight.
        matrices: what stands on crossbars.
    """

    kind: str
    hardware: dict[str, str]
    model: str
    crossbars: int
    digits: int
    matrices: list[WrittenMatrix]


@dataclass(frozen=True)
class Chip:
    """A network on crossbars.

    Attributes:
        layers: by name in the network.
        seeds: of the generators that device effects drew from.
        version: of geniex that wrote it.
        written: ISO 8601 time.
        provenance: what its maker says of network and weights.
    """

    layers: dict[str, ChipLayer]
    seeds: list[int]
    version: str
    written: str
    provenance: dict[str, str] = field(default_factory=dict)

    def install(self, network: nn.Module) -> None:
        """Let the layers of a converted network be this chip, in place of one of their own.

        Raises:
            ValueError: if the network has other layers, other weights or other hardware.
        """
        layers = dict(analog_layers(network))
        if layers.keys() != self.layers.keys():
            missing, surplus = self.layers.keys() - layers.keys(), layers.keys() - self.layers.keys()
            raise ValueError(
                f"The chip was written for another network: of its {len(self.layers)} layers {len(missing)} are not "
                f"here {sorted(missing)[:3]}, and {len(surplus)} here are not on it {sorted(surplus)[:3]}. {REMEDY}"
            )
        for name, layer in layers.items():
            _check_layer(name, self.layers[name], layer)
        for name, layer in layers.items():
            layer.crossbars.install(self.layers[name].matrices, [x.detach() for x in layer.parameters()])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with a header of JSON; an existing file is replaced in one step or left whole."""
        tensors = dict(_tensors(self))
        about = json.dumps({
            "layers": {name: _described(layer) for name, layer in self.layers.items()},
            **{name: getattr(self, name) for name in ("seeds", "version", "written", "provenance")},
        })  # fmt: skip
        header = {"format": FORMAT, "chip": about, "sha256": _digest(about, tensors)}
        with replacing(Path(path)) as beside:
            beside.touch()
            mode = beside.stat().st_mode
            save_file(tensors, beside, metadata=header)
            beside.chmod(mode)  # safetensors lets nobody else read its files


@dataclass(frozen=True)
class Occupancy:
    """How a layer fills its crossbars.

    Attributes:
        layer: its name.
        kind: its type.
        matrices: how many it multiplies by.
        size: rows and columns of the largest, in weights.
        crossbars: that are used.
        blank: that hold only zeros, and are left out.
        in_use: share of the cells of all of them that stand for a digit of a weight.
        nonzero: share of the cells of the used ones that hold a digit other than 0.
        conductance: mean of the used ones, in siemens.
    """

    layer: str
    kind: str
    matrices: int
    size: tuple[int, int]
    crossbars: int
    blank: int
    in_use: float
    nonzero: float
    conductance: float


def chip_of(network: nn.Module, provenance: Mapping[str, str] | None = None) -> Chip:
    """The chip that a converted network is: written now where it was not yet.

    Args:
        network: as `convert` makes it.
        provenance: what is to be known of network and weights.

    Raises:
        ValueError: if it has no layer on crossbars.
    """
    layers, seeds = {}, {}
    for name, layer in analog_layers(network):
        seeds |= {id(generator): generator.initial_seed() for generator in generators(layer.matmul.model)}
        layers[name] = _layer_of(layer)
    if not layers:
        raise ValueError(f"{type(network).__name__} has no layer on crossbars; `convert` puts them there.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Chip(layers, list(seeds.values()), version("geniex"), now, dict(provenance or {}))


def load_chip(path: str | os.PathLike[str]) -> Chip:
    """Read a chip.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or is not a chip.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no chip file {path}. `geniex program` writes one.")
    header, tensors = read_safetensors(path, "Write it again.")
    found = header.get("format", "nothing")
    if found != FORMAT:
        raise ValueError(f"{path} is not a chip of this version: its format is {found}, not {FORMAT}.")
    if header.get("sha256") != _digest(header.get("chip", ""), tensors):
        raise ValueError(f"{path} is damaged: its content is not what was written. Write it again.")
    about = json.loads(header["chip"])
    layers = {name: _layer(name, of, tensors) for name, of in about.pop("layers").items()}
    return Chip(layers, **about)


def occupancy(chip: Chip) -> list[Occupancy]:
    """How each layer fills its crossbars."""
    return [_occupancy(name, layer) for name, layer in chip.layers.items()]


def _occupancy(name: str, layer: ChipLayer) -> Occupancy:
    tiles = [part for matrix in layer.matrices for part in matrix.tiles]
    crossbars, cells = sum(len(part.g) for part in tiles), sum(part.g.numel() for part in tiles)
    rows, cols = int(layer.hardware["rows"]), int(layer.hardware["cols"])
    return Occupancy(
        layer=name,
        kind=layer.kind,
        matrices=len(layer.matrices),
        size=max((matrix.q.shape[0], matrix.q.shape[1]) for matrix in layer.matrices),
        crossbars=crossbars,
        blank=layer.crossbars - crossbars,
        in_use=layer.digits / (layer.crossbars * rows * cols),
        nonzero=sum(int((part.placed.level != 0).sum()) for part in tiles) / max(1, cells),
        conductance=sum(part.g.double().sum().item() for part in tiles) / max(1, cells),
    )


def _layer_of(layer: AnalogLayer) -> ChipLayer:
    config, matrices = layer.matmul.config, layer.written()
    return ChipLayer(
        kind=type(layer).__name__,
        hardware=_fields(config),
        model=" ".join(repr(layer.matmul.model).split()),
        crossbars=sum(-(-len(m.q) // config.rows) * crossbars_of(m.q.shape[1], config) for m in matrices),
        digits=sum(digits_of(m.q.shape, config) for m in matrices),
        matrices=[replace(matrix, states=None) for matrix in matrices],  # of generators that a chip has not
    )


def _fields(config: HardwareConfig) -> dict[str, str]:
    return {name: value for name, value in described(config).items() if name not in OF_READING}


def _check_layer(name: str, on_chip: ChipLayer, layer: AnalogLayer) -> None:
    """Raise ValueError unless `on_chip` is the layer, with its weights and hardware."""
    different = differences(on_chip.hardware, _fields(layer.matmul.config))
    if different:
        raise ValueError(f"The chip was written for other hardware: in layer `{name}`, {different}. {REMEDY}")
    matrices = [w.detach() for w in layer.matrices()]
    shapes = [tuple(w.shape) for w in matrices], [tuple(written.q.shape) for written in on_chip.matrices]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"The chip was written for another network: layer `{name}` multiplies by matrices of {shapes[0]}, on the "
            f"chip they have {shapes[1]}. {REMEDY}"
        )
    for w, written in zip(matrices, on_chip.matrices, strict=True):
        other = int((quantize(w, layer.matmul.config.weights).cpu() != written.q.cpu()).sum())
        if other:
            raise ValueError(
                f"The chip was written from other weights: in layer `{name}`, {other} of {w.numel()} differ. {REMEDY}"
            )


def _tensors(chip: Chip) -> Iterator[tuple[str, Tensor]]:
    """Everything that is a tensor, by the name in the file."""
    for name, layer in chip.layers.items():
        for k, matrix in enumerate(layer.matrices):
            yield f"{name}/{k}/weights", matrix.q.cpu().contiguous()
            for tile in matrix.tiles:
                number, which, level = tile.placed
                for part, value in (("which", which), ("digits", level), ("siemens", tile.g)):
                    yield f"{name}/{k}/{number}/{part}", value.cpu().contiguous()


def _described(layer: ChipLayer) -> dict[str, Any]:
    """What is no tensor."""
    about = {each.name: getattr(layer, each.name) for each in fields(layer) if each.name != "matrices"}
    return {**about, "row_tiles": [[tile.placed.number for tile in matrix.tiles] for matrix in layer.matrices]}


def _layer(name: str, about: dict[str, Any], tensors: Mapping[str, Tensor]) -> ChipLayer:
    matrices = []
    for k, numbers in enumerate(about.pop("row_tiles")):
        tiles = []
        for number in numbers:
            which, level, g = (tensors[f"{name}/{k}/{number}/{part}"] for part in ("which", "digits", "siemens"))
            tiles.append(WrittenTile(Placed(number, which, level), g))
        matrices.append(WrittenMatrix(tensors[f"{name}/{k}/weights"], tiles))
    return ChipLayer(**about, matrices=matrices)


def _digest(about: str, tensors: Mapping[str, Tensor]) -> str:
    sha256 = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        value = tensors[name]
        sha256.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha256.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()

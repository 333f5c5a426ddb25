"""What an attribution found: plain values that tables, plots and JSON files are made from."""

from dataclasses import asdict, dataclass
from typing import Any

from geniex.attribution.effects import TOGETHER
from geniex.attribution.statistics import Difference

__all__ = ["Attribution", "EffectLoss", "LayerLoss", "Outcome", "PartError", "TileCheck"]


@dataclass(frozen=True)
class Outcome:
    """A network over all images.

    Attributes:
        top1: share of images classified correctly, over all chips.
        low: lower end of its 95 % interval (Wilson).
        high: upper end of it.
        distance: root mean square distance of its logits from the digital network's, as a share of their norm.
    """

    top1: float
    low: float
    high: float
    distance: float


@dataclass(frozen=True)
class EffectLoss:
    """An effect.

    Attributes:
        name: short.
        title: for people.
        meaning: what switching it off does.
        off: the network without this effect, beside the whole: what is won.
        on: the network with this effect alone, beside the one with none: what is lost (negative points).
    """

    name: str
    title: str
    meaning: str
    off: Difference
    on: Difference


@dataclass(frozen=True)
class LayerLoss:
    """A layer.

    Attributes:
        name: in the network.
        ideal: the network with this layer alone on ideal crossbars, beside the whole: what is won.
        analog: the network with this layer alone on non-ideal ones, beside all on ideal ones: what is lost.
    """

    name: str
    ideal: Difference
    analog: Difference


@dataclass(frozen=True)
class PartError:
    """Some columns of a layer, or some of their reads.

    Attributes:
        layer: name in the network.
        part: `row tile 2, crossbar 0`, `slice 3 of W+`, `stream 1`.
        nf_rms: root mean square of NF over its columns that carry current, in percent.
        nf_mean: mean of the same.
        share: of the squared error of the layer's outputs that its columns make, each alone.
    """

    layer: str
    part: str
    nf_rms: float
    nf_mean: float
    share: float


@dataclass(frozen=True)
class TileCheck:
    """A tile under the exact circuit.

    Attributes:
        layer: name in the network.
        part: `row tile 2, crossbar 0`.
        reads: number of inputs.
        nf_model: mean of NF over its columns that carry current, in percent, under the model.
        nf_exact: the same under the exact circuit.
        error: root mean square difference of the two, column by column, in percent.
    """

    layer: str
    part: str
    reads: int
    nf_model: float
    nf_exact: float
    error: float


@dataclass(frozen=True)
class Attribution:
    """One run of `geniex attribute`.

    Attributes:
        title: what was looked at, for people.
        version: of geniex.
        started: ISO 8601 time.
        model: of the crossbar.
        images: number of images.
        chips: number of chips that were written where effects draw.
        digital: the digital network.
        whole: the network with every effect.
        nothing: with none of them.
        absent: titles of effects that the configuration does not have.
        effects: the effects, the one first without which most is won.
        layers: in the order of the network.
        tiles: crossbars, the one first that errs most for its layer.
        slices: digits of weights, by what they make of the error.
        streams: digits of inputs.
        checks: the worst of `tiles` under the exact circuit; none where that is the model.
        provenance: network, images, command: where from, with digests.
        config: the full configuration.
    """

    title: str
    version: str
    started: str
    model: str
    images: int
    chips: int
    digital: Outcome
    whole: Outcome
    nothing: Outcome
    absent: list[str]
    effects: list[EffectLoss]
    layers: list[LayerLoss]
    tiles: list[PartError]
    slices: list[PartError]
    streams: list[PartError]
    checks: list[TileCheck]
    provenance: dict[str, Any]
    config: dict[str, Any]

    @property
    def lost(self) -> float:
        """What all effects together cost, as a share."""
        return self.nothing.top1 - self.whole.top1

    @property
    def lost_alone(self) -> float:
        """What effects cost one by one, added up: another number, where they help or hinder each other."""
        return -sum(effect.on.points for effect in self.effects if effect.name != TOGETHER)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        return {**asdict(self), "lost": self.lost, "lost_alone": self.lost_alone}

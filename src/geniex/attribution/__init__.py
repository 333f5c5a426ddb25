"""Where accuracy is lost: effects, layers, tiles and slices, one at a time, on the same images with the same draws."""

from geniex.attribution.attribute import attribute
from geniex.attribution.effects import EFFECTS, Effect, effects_of
from geniex.attribution.results import Attribution, EffectLoss, LayerLoss, Outcome, PartError, TileCheck
from geniex.attribution.run import AttributionOptions
from geniex.attribution.statistics import Difference

__all__ = [
    "EFFECTS",
    "Attribution",
    "AttributionOptions",
    "Difference",
    "Effect",
    "EffectLoss",
    "LayerLoss",
    "Outcome",
    "PartError",
    "TileCheck",
    "attribute",
    "effects_of",
]

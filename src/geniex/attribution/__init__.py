"""Where accuracy is lost: effects, layers, tiles and slices, one at a time, on the same images with the same draws."""

from geniex.attribution.attribute import AttributionOptions, attribute
from geniex.attribution.effects import EFFECTS, Effect, effects_of
from geniex.attribution.results import Attribution, EffectLoss, LayerLoss, Outcome, PartError
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
    "attribute",
    "effects_of",
]

"""Layers whose matrix products run on crossbars. Everything else of a network stays digital."""

from geniex.layers.base import AnalogLayer
from geniex.layers.convolution import AnalogConv2d
from geniex.layers.linear import AnalogLinear

__all__ = ["AnalogConv2d", "AnalogLayer", "AnalogLinear"]

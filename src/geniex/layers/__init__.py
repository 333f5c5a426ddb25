"""Layers whose matrix products run on crossbars. Everything else of a network stays digital."""

from geniex.layers.base import AnalogLayer
from geniex.layers.convolution import AnalogConv1d, AnalogConv2d, AnalogConv3d
from geniex.layers.linear import AnalogLinear
from geniex.layers.transposed import AnalogConvTranspose1d, AnalogConvTranspose2d, AnalogConvTranspose3d

__all__ = [
    "AnalogConv1d",
    "AnalogConv2d",
    "AnalogConv3d",
    "AnalogConvTranspose1d",
    "AnalogConvTranspose2d",
    "AnalogConvTranspose3d",
    "AnalogLayer",
    "AnalogLinear",
]

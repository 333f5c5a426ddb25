"""Layers whose matrix products run on crossbars. Everything else of a network stays digital."""

from geniex.layers.attention import AnalogMultiheadAttention
from geniex.layers.base import AnalogLayer, analog_layers
from geniex.layers.cells import AnalogGRUCell, AnalogLSTMCell, AnalogRNNCell
from geniex.layers.convolution import AnalogConv1d, AnalogConv2d, AnalogConv3d
from geniex.layers.dynamic import AttentionOnArrays, ForwardOnArrays
from geniex.layers.linear import AnalogLinear, AnalogTransposedLinear
from geniex.layers.recurrent import AnalogGRU, AnalogLSTM, AnalogRNN
from geniex.layers.transposed import AnalogConvTranspose1d, AnalogConvTranspose2d, AnalogConvTranspose3d

__all__ = [
    "AnalogConv1d",
    "AnalogConv2d",
    "AnalogConv3d",
    "AnalogConvTranspose1d",
    "AnalogConvTranspose2d",
    "AnalogConvTranspose3d",
    "AnalogGRU",
    "AnalogGRUCell",
    "AnalogLSTM",
    "AnalogLSTMCell",
    "AnalogLayer",
    "AnalogLinear",
    "AnalogMultiheadAttention",
    "AnalogRNN",
    "AnalogRNNCell",
    "AnalogTransposedLinear",
    "AttentionOnArrays",
    "ForwardOnArrays",
    "analog_layers",
]

"""What tests of attention share: hardware that loses nothing, a model that does, and numbers."""

import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import Dac
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.models.linear import LinearCircuit

NUMBER = FixedPoint(bits=12, fraction_bits=8)
CONFIG = HardwareConfig(7, 6, NUMBER, NUMBER, dac=Dac(4), adc=None, accumulator=None)
FINE = FixedPoint(16, 12)
PRECISE = HardwareConfig(64, 64, FINE, FINE, slice_bits=8, dac=Dac(8), adc=None, accumulator=None)
LOSSY = LinearCircuit(CrossbarSpec(7, 6, r_source=1000.0, r_sink=500.0))


def signed(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def fixed_point(x):
    """What is left of `x` in the format NUMBER, written independently."""
    return (x.detach() * 256).trunc().clamp(-2048, 2047) / 256


def assert_same(found, expected):
    # the same products, and a softmax in float64
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

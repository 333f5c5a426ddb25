"""Hardware per layer: the first one digital, the others with 8-bit numbers and a dummy column for the floor."""

import dataclasses

import torch

import geniex

nn = torch.nn
network = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)
)
narrow = geniex.HardwareConfig(
    weights=geniex.FixedPoint(bits=8, fraction_bits=6),
    inputs=geniex.FixedPoint(bits=8, fraction_bits=5),
    slice_bits=2,
    dac=geniex.Dac(bits=1, v_max=0.25),
    adc=geniex.Adc(bits=8),
    floor=geniex.DummyColumn(),
)
settings = {"2": narrow, "5": dataclasses.replace(narrow, adc=None)}
model = geniex.LinearCircuit(geniex.CrossbarSpec(rows=64, cols=64))
analog = geniex.convert(network, model, lambda name, layer: settings.get(name))
print(analog)
print(analog(torch.rand(2, 3, 8, 8)))

"""What a crossbar does to a matrix product, and then to a network."""

import torch

import geniex
from geniex import presets

spec, cells = presets.nominal_crossbar(rows=64, cols=64), geniex.Sinh(v0=0.25)
g = 1e-5 * (1 / 6 + 5 / 6 * torch.rand(64, 64))  # siemens: one crossbar
v = 0.25 * torch.rand(1000, 64)  # volt: a thousand inputs
ideal, exact = geniex.Ideal()(v, g), geniex.Circuit(spec, cells)(v, g)  # ampere
reduced = geniex.ReducedOrder(spec, cells, v_levels=torch.linspace(0, 0.25, 16))  # the levels of a DAC of 4 bits
for model in (geniex.LinearCircuit(spec), presets.emulator("nominal_64x64_v250"), reduced):
    error = (model(v, g) - exact) / ideal
    print(f"{type(model).__name__:14} is off by {100 * error.square().mean().sqrt():.4f} % of the ideal current")

network = torch.nn.Sequential(torch.nn.Linear(100, 50), torch.nn.ReLU(), torch.nn.Linear(50, 10))
analog = geniex.convert(network, reduced, presets.nominal_hardware())
x = torch.rand(32, 100)
print(f"outputs move by {100 * ((analog(x) - network(x)).norm() / network(x).norm()).item():.1f} %")

"""An emulator of a crossbar of your own, its error on crossbars it never saw, and a network on it."""

import torch

import geniex
from geniex.emulation import MixedDigits, TrainingRecipe, measure_errors, train
from geniex.window import Window

torch.manual_seed(0)
spec = geniex.CrossbarSpec(rows=8, cols=8, r_source=2000.0, r_sink=500.0)
circuit, window = geniex.Circuit(spec, geniex.Sinh(v0=0.3)), Window(v_max=0.4, g_on=2e-5, g_off=1e-6)
recipe = TrainingRecipe(steps=400, hidden=64, held_out_crossbars=32)  # seconds; `geniex train` has the rest
emulator, _ = train(circuit, MixedDigits(), window, recipe)

card = measure_errors(emulator, circuit, MixedDigits(), window, size=(100, 20), seed=1)
for name, error in card.errors.items():
    print(f"{name:7} NF is off by {error.rmse:.2f} %, by {error.worst:.2f} % at most")

emulator.guard = geniex.RangeGuard("warn")  # says once what it was not made for, and computes
network = torch.nn.Sequential(torch.nn.Linear(20, 12), torch.nn.ReLU(), torch.nn.Linear(12, 4))
hardware = geniex.HardwareConfig(rows=8, cols=8, dac=geniex.Dac(bits=4, v_max=0.4), g_on=2e-5, g_off=1e-6)
x = torch.rand(16, 20)
moved = (geniex.convert(network, emulator, hardware)(x) - network(x)).norm() / network(x).norm()
print(f"outputs move by {100 * moved.item():.1f} %")

"""Accuracy under several models from Python: your network, your images, your crossbar."""

import numpy as np
import torch

import geniex

generator = np.random.default_rng(0)
labels = generator.integers(0, 2, 64)
pixels = generator.integers(0, 100, (64, 8, 8, 3)) + 80 * labels[:, None, None, None]  # class 1 is brighter
images = geniex.LabelledImages(pixels.astype(np.uint8), labels, "made-up images")

network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
with torch.no_grad():
    network[1].weight.copy_(torch.tensor([[-0.05], [0.05]]).expand(2, 192))
    network[1].bias.copy_(torch.tensor([3.6, -3.6]))

spec, cells = geniex.CrossbarSpec(rows=32, cols=32), geniex.Sinh()
config = geniex.HardwareConfig(rows=32, cols=32)
models = {"digital": None, "ideal": geniex.Ideal(), "linear": geniex.LinearCircuit(spec)}
options = geniex.RunOptions(exact=geniex.Circuit(spec, cells), reads=100)
for result in geniex.evaluate(network, images, models, config, options).models:
    error = f"NF off by {result.nf.rmse:.2f} %" if result.nf else ""
    print(f"{result.name:8} {100 * result.top1:5.1f} % correct  {error}")

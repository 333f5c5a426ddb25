"""No two chips are alike: accuracy with programming errors and read noise, as mean and spread over chips."""

import numpy as np
import torch

import geniex

nn, generator = torch.nn, np.random.default_rng(0)
torch.manual_seed(0)
patterns = generator.normal(0, 48, (10, 8, 8, 3))


def images(count):
    labels, sign = generator.integers(0, 10, count), generator.choice([-1, 1], (count, 1, 1, 1))  # or its negative
    pixels = 128 + sign * patterns[labels] + generator.normal(0, 120, (count, 8, 8, 3))
    return geniex.LabelledImages(pixels.clip(0, 255).astype(np.uint8), labels, "made-up images")


network = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 10))
known, prepare = images(2000), geniex.Preprocess(mean=(0.5, 0.5, 0.5))
optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
for _ in range(100):
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(prepare(known.images)), torch.from_numpy(known.labels)).backward()
    optimizer.step()

alike = geniex.ReducedOrder(geniex.CrossbarSpec(64, 64), geniex.Sinh(), torch.linspace(0, 0.25, 16))
models, noise = {"digital": None, "alike": alike}, [geniex.ThermalNoise(bandwidth=1e8), geniex.FlickerNoise(std=0.02)]
for share in (0.1, 0.3):
    spread = geniex.RelativeSpread(share)
    written = geniex.ProgrammingError(alike, spread, generator=torch.Generator())  # `evaluate` seeds them for each chip
    models[f"{100 * share:.0f} % off"] = geniex.ReadNoise(written, noise, generator=torch.Generator())
hardware = geniex.HardwareConfig(weights=geniex.FixedPoint(8, 6), inputs=geniex.FixedPoint(8, 5))
options = geniex.RunOptions(prepare=prepare, chips=5)
for result in geniex.evaluate(network, images(300), models, hardware, options).models:
    spread = f" +- {100 * result.spread:.1f}" if result.chips else ""
    print(f"{result.name:8} {100 * result.top1:5.1f}{spread} % of {result.images} unseen images")

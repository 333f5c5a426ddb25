"""Fine-tuning through the analog model: a network learns its crossbars, and is tested on images it never saw."""

import torch

import geniex

nn = torch.nn
torch.manual_seed(0)
row, col = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")


def gratings(count):
    labels, phase = torch.randint(8, (count, 1, 1)), 2 * torch.pi * torch.rand(count, 1, 1)
    wave = torch.cos(1.5 * ((labels * torch.pi / 8).cos() * col + (labels * torch.pi / 8).sin() * row) + phase)
    return (0.5 + 0.25 * wave + 0.25 * torch.randn(count, 8, 8)).clamp(0, 1).flatten(1), labels.flatten()


def train(network, steps):
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        x, labels = gratings(128)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    return network


def correct(network):
    return f"{100 * (network(unseen).argmax(-1) == unseen_labels).float().mean():.1f} % of 1000 unseen images"


unseen, unseen_labels = gratings(1000)
digital = train(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 8)), 1000)
spec = geniex.CrossbarSpec(32, 32, r_source=10e3, r_sink=4e3, r_row=40.0, r_col=40.0)  # ohm: far worse than nominal
model = geniex.ReducedOrder(spec, geniex.Sinh(), v_levels=torch.linspace(0, 0.25, 16))
hardware = geniex.HardwareConfig(32, 32, geniex.FixedPoint(8, 6), geniex.FixedPoint(8, 4))
print("digital:", correct(digital), "| on crossbars:", correct(geniex.convert(digital, model, hardware)))
print("20 steps on crossbars:", correct(train(geniex.convert(digital, model, hardware), 20)))
print("20 digital steps, then on crossbars:", correct(geniex.convert(train(digital, 20), model, hardware)))

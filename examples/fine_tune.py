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


def train(network, steps, rate):
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for _ in range(steps):
        x, labels = gratings(128)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    return network


first, second = (nn.Sequential(nn.Linear(n, 32), nn.BatchNorm1d(32), nn.ReLU()) for n in (64, 32))
digital = train(nn.Sequential(first, second, nn.Linear(32, 8)), steps=600, rate=1e-2)
spec = geniex.CrossbarSpec(32, 32, r_source=10e3, r_sink=4e3, r_row=40.0, r_col=40.0)  # far worse than nominal
model = geniex.ReducedOrder(spec, geniex.Sinh(), v_levels=torch.linspace(0, 0.25, 16))
hardware = geniex.HardwareConfig(32, 32, geniex.FixedPoint(8, 6), geniex.FixedPoint(8, 4))
networks = {"digital": digital, "on crossbars": geniex.convert(digital, model, hardware)}
for rate in (0.0, 1e-3, 3e-3,1e-2):  # at rate 0, batch norm alone adapts
    networks[f"after 20 steps at rate {rate:g}"] = train(geniex.convert(digital, model, hardware), 20, rate)
unseen, labels = gratings(1000)
for name, network in networks.items():
    with torch.no_grad():
        correct = (network.eval()(unseen).argmax(-1) == labels).float().mean().item()
    print(f"{name:29} {100 * correct:.1f} % of 1000 unseen images")

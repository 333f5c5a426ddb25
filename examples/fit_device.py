"""Cells from measured I-V curves: fitted, compared, and put into a crossbar."""

from pathlib import Path

import torch

import geniex
from geniex.fitting import compare
from geniex.measurements import read_curves

comparison = compare(read_curves(Path(__file__).with_name("measured.csv")))
for fit in comparison.fits:
    print(f"{fit.model:10} {fit.parameters:3} numbers, {100 * fit.held_out:5.2f} % off at voltages left out")
cells, states = comparison.chosen.device, torch.tensor(comparison.chosen.conductances, dtype=torch.float64)
print(f"chosen: {cells}")

generator = torch.Generator().manual_seed(0)
g = states[torch.randint(len(states), (64, 32), generator=generator)]  # siemens: each cell in one of the states
v = 0.3 * torch.rand(100, 64, generator=generator, dtype=torch.float64)  # volt
ideal, exact = geniex.Ideal()(v, g), geniex.Circuit(geniex.CrossbarSpec(rows=64, cols=32), cells)(v, g)
print(f"columns deliver {100 * (exact / ideal).mean():.1f} % of their ideal current")

"""Random circuits, far beyond what is built, solved with no setting touched.

Sizes from 1x1 to 256x256, R_on from 1 kohm to 1 Mohm, on/off from 2 to 1000, wires up to 100 ohm and drivers up to 10
kohm per line, lines driven and sensed at one or both ends, inputs of 10 mV to 2 V of either sign, all cells that ship,
with rows or columns all on or all off. A circuit fails if its residual exceeds 1e-8 of its largest input.
"""

import random
import sys
import time
from collections import defaultdict
from typing import NamedTuple

import torch
from torch import Tensor

from geniex import (
    Circuit,
    CrossbarSpec,
    DeviceModel,
    Filament,
    Ohmic,
    Selector,
    SeriesAccess,
    Sinh,
    Tabulated,
    Transistor1T1R,
)

RESIDUAL = 1e-8
TABLE = Tabulated(
    (0.1, 0.2, 0.3, 0.5),
    (7e-7, 1.2e-5, 1.5e-4),
    ((8e-8, 1.8e-7, 3e-7, 7e-7), (1.3e-6, 2.7e-6, 4.4e-6, 9.9e-6), (1.5e-5, 3.1e-5, 4.8e-5, 9e-5)),
)


class RandomCircuit(NamedTuple):
    """One crossbar with one input: v (1, row) in volt, g (row, col) in siemens."""

    spec: CrossbarSpec
    device: DeviceModel
    v: Tensor
    g: Tensor


def draw(seed: int, largest: int = 256) -> RandomCircuit:
    """The random circuit of a seed, of at most `largest` rows and columns."""
    choose, generator = random.Random(seed), torch.Generator().manual_seed(seed)

    def spread(low: float, high: float) -> float:
        return low * (high / low) ** choose.random()

    rows, cols = round(spread(1, largest)), round(spread(1, largest))
    spec = CrossbarSpec(
        rows,
        cols,
        *(choose.choice([0.0, spread(1, 1e4)]) for _ in range(2)),
        *(choose.choice([0.0, 2.5, 100 * choose.random()]) for _ in range(2)),
        driven_ends=choose.choice([1, 1, 2]),
        sensed_ends=choose.choice([1, 1, 2]),
    )
    v = torch.rand(1, rows, generator=generator, dtype=torch.float64)
    v = spread(0.01, 2.0) * choose.choice([v, -v, 2 * v - 1])
    g_on, on_off = 1 / spread(1e3, 1e6), spread(2, 1000)
    level = torch.rand(rows, cols, generator=generator, dtype=torch.float64)
    pattern, value = choose.randrange(5), choose.choice([0.0, 1.0])
    if pattern == 0:
        level[:] = value
    elif pattern == 1:
        level[torch.rand(rows, generator=generator) < 0.5] = value
    elif pattern == 2:
        level[:, torch.rand(cols, generator=generator) < 0.5] = value
    return RandomCircuit(spec, _device(choose, rows), v, g_on * (1 / on_off + (1 - 1 / on_off) * level))


def _device(choose: random.Random, rows: int) -> DeviceModel:
    memory = Sinh(choose.uniform(0.1, 0.5))
    return choose.choice(
        [
            Ohmic(),
            memory,
            Filament(1e-4, v0=memory.v0),
            TABLE,
            SeriesAccess(memory, 10 ** choose.uniform(1, 5)),
            Selector(memory, 10 ** choose.uniform(-12, -4), choose.uniform(0.03, 0.15)),
            Transistor1T1R(memory, choose.uniform(0, 2), k=10 ** choose.uniform(-5, -2), channel_modulation=0.05),
            Transistor1T1R(memory, tuple(choose.uniform(0, 2) for _ in range(rows))),
        ]
    )


def main() -> None:
    """Solve as many as the command line says; print every failure, and a line per kind of cell."""
    count, began, failed = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, time.time(), 0
    steps: dict[str, list[int]] = defaultdict(list)
    worst = 0.0
    for seed in range(count):
        circuit = draw(seed)
        solution = Circuit(circuit.spec, circuit.device).solve(circuit.v, circuit.g)
        share = solution.residual.item() / circuit.v.abs().max().item()
        worst = max(worst, share)
        steps[type(circuit.device).__name__].append(int(solution.steps))
        if not (share <= RESIDUAL and solution.converged.all()):
            failed += 1
            print(f"seed {seed}: residual {share:.1e} of the drive, {int(solution.steps)} steps, {circuit.spec}")
    for name, taken in steps.items():
        print(f"{name:15} {len(taken):5} circuits, {sum(taken) / len(taken):.1f} Newton steps, at most {max(taken)}")
    print(f"{failed} of {count} failed; the worst residual is {worst:.1e} of the drive; {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()

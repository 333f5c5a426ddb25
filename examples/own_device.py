"""A measured or invented cell: one method, no registration, exact circuits and gradients at once."""

from dataclasses import dataclass

import torch

import geniex


@dataclass(frozen=True)
class Cubic(geniex.DeviceModel):
    """`k` in 1/V^2 bends the curve."""

    k: float = 4.0

    def current(self, v, g):
        """Ampere for volt and siemens."""
        return g * (v + self.k * v**3)


geniex.testing.check_device(Cubic())
circuit = geniex.Circuit(geniex.CrossbarSpec(rows=32, cols=16), Cubic())
g = torch.full((32, 16), 1e-5, dtype=torch.float64, requires_grad=True)
v = torch.full((1, 32), 0.3, dtype=torch.float64)
i = circuit(v, g)
i.sum().backward()
print(f"first and last column: {i[0, 0]:.3e} and {i[0, -1]:.3e} A")
print(f"a siemens more adds {g.grad[0, 0]:.3f} A in the first cell and {g.grad[-1, -1]:.3f} A in the last")

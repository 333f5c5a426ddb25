"""A model of the crossbar of your own: anything that turns conductances, then voltages, into currents."""

import torch

import geniex


class Attenuated(geniex.CrossbarModel):
    """A column loses `share` of its current per 100 microsiemens of its conductance."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def program(self, g):
        """Currents in ampere for voltages in volt."""
        ideal = geniex.Ideal().program(g)  # checks g, and v when it reads
        loss = 1 - self.share * g.sum(dim=-2, keepdim=True) / 1e-4
        return lambda v: ideal(v) * loss


geniex.testing.check_model(Attenuated(share=0.01))
network = torch.nn.Linear(128, 10)
analog = geniex.convert(network, Attenuated(share=0.01), geniex.HardwareConfig())
x = torch.rand(4, 128)
print((analog(x) - network(x)).abs().max().item())

"""The crossbar as designers wish it: Ohm's law, no wires, no drivers."""

from jaxtyping import Float
from torch import Tensor

from geniex.models.base import CrossbarModel, Read, check_conductances, check_voltages
from geniex.products import SharedInputs

__all__ = ["Ideal"]


class Ideal(CrossbarModel):
    """i = v g, for crossbars of any size."""

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Keep `g`; see `CrossbarModel.program`."""
        check_conductances(g)
        product = SharedInputs(g)

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            return product(v)

        return read

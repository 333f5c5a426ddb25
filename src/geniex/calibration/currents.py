"""Column currents of a network before the ADC, as its layers' inputs make them.

Currents are those of the layers' formats under the model that the network was converted with. Blank crossbars and reads
that drive no row have none.
"""

from collections.abc import Generator

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import AnalogMatmul, HardwareConfig, ProgrammedMatrix, crossbars_of, used_cols, window
from geniex.functional.hardware import array_widths, crossbars_per_array
from geniex.functional.reading import RowTile
from geniex.layers import analog_layers

__all__ = ["Currents", "ampere", "columns_in_use"]


class Currents:
    """The crossbars of a converted network, written when they are first read."""

    def __init__(self, network: nn.Module) -> None:
        """Keep the layers' products, before anything else stands in for them.

        `in_use` says of each matrix (layer, number) which columns (crossbar, used) of a row tile hold digits of it.
        """
        self.layers = dict(analog_layers(network))
        self.matmuls: dict[str, AnalogMatmul] = {name: layer.matmul for name, layer in self.layers.items()}
        self.programmed: dict[tuple[str, int], ProgrammedMatrix] = {}
        self.in_use = {
            (name, which): columns_in_use(w.shape[1], self.config(name))
            for name in self.layers
            for which, w in enumerate(self.matrices(name))
        }

    def config(self, name: str) -> HardwareConfig:
        """Hardware of a layer."""
        return self.matmuls[name].config

    def matrices(self, name: str) -> list[Tensor]:
        """Weights (row, col) of a layer."""
        return [w.detach() for w in self.layers[name].matrices()]

    def of(
        self, name: str, which: int, x: Float[Tensor, "input row"]
    ) -> Generator[tuple[RowTile, Float[Tensor, "crossbar read used"]], None, None]:
        """Currents of one product in products of levels, of a row tile at a time; see `ProgrammedMatrix.columns`."""
        if (name, which) not in self.programmed:
            self.programmed[name, which] = self.matmuls[name].program(self.matrices(name)[which])
        return self.programmed[name, which].columns(x)


def ampere(config: HardwareConfig) -> float:
    """One product of levels."""
    return window(config).product


def columns_in_use(outputs: int, config: HardwareConfig) -> np.ndarray:
    """Whether columns (crossbar, used) of a row tile hold a digit of `outputs` columns of weights."""
    in_use = np.zeros((crossbars_of(outputs, config), used_cols(config)), dtype=bool)
    first = 0
    for widths, count in zip(array_widths(config), crossbars_per_array(outputs, config), strict=True):
        in_use[first : first + count].reshape(-1)[: len(widths) * outputs] = True
        first += count
    return in_use

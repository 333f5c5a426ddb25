"""Read noise: what every read adds to the column currents, drawn anew each time.

Noise is white over inputs and columns: reads are taken to be independent, and a column's noise to be that of its cells
as they were written, each with its whole input voltage. Wires and drivers neither filter noise nor add any.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from geniex.models.base import CrossbarModel, Read
from geniex.models.effects.base import Wrapper
from geniex.models.effects.checks import check_above_zero, check_at_least_zero
from geniex.models.randomness import RandomSource

__all__ = ["FlickerNoise", "NoiseSource", "ReadNoise", "ShotNoise", "ThermalNoise"]

BOLTZMANN = 1.380649e-23  # J/K, exact in SI
ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact in SI


class NoiseSource(ABC):
    """One origin of noise; those of a `ReadNoise` are independent."""

    @abstractmethod
    def variance(
        self,
        v: Float[Tensor, "*#tile input row"],
        g: Float[Tensor, "*#tile row col"],
        i: Float[Tensor, "*tile input col"],
    ) -> Tensor:
        """Variances in ampere^2 that broadcast with `i`, at least 0; differentiable.

        Args:
            v: voltages in volt.
            g: conductances as they were written, in siemens.
            i: currents without noise, in ampere.
        """


@dataclass(frozen=True)
class ThermalNoise(NoiseSource):
    """Johnson-Nyquist noise of the cells: 4 k T B sum_i g_ij, with their conductances at 0 V.

    Attributes:
        bandwidth: B, of the read circuit, in hertz.
        kelvin: T, of the cells.
    """

    bandwidth: float
    kelvin: float = 300.0

    def __post_init__(self) -> None:
        check_above_zero("ThermalNoise(bandwidth=...)", self.bandwidth, " Hz")
        check_above_zero("ThermalNoise(kelvin=...)", self.kelvin, " K")

    def variance(
        self,
        v: Float[Tensor, "*#tile input row"],
        g: Float[Tensor, "*#tile row col"],
        i: Float[Tensor, "*tile input col"],
    ) -> Tensor:
        """See `NoiseSource.variance`."""
        return 4 * BOLTZMANN * self.kelvin * self.bandwidth * g.sum(-2, keepdim=True)


@dataclass(frozen=True)
class ShotNoise(NoiseSource):
    """Full shot noise of the column current, 2 q |I| B, as if all cells drove it in one direction.

    Attributes:
        bandwidth: B, of the read circuit, in hertz.
    """

    bandwidth: float

    def __post_init__(self) -> None:
        check_above_zero("ShotNoise(bandwidth=...)", self.bandwidth, " Hz")

    def variance(
        self,
        v: Float[Tensor, "*#tile input row"],
        g: Float[Tensor, "*#tile row col"],
        i: Float[Tensor, "*tile input col"],
    ) -> Tensor:
        """See `NoiseSource.variance`."""
        return 2 * ELEMENTARY_CHARGE * self.bandwidth * i.abs()


@dataclass(frozen=True)
class FlickerNoise(NoiseSource):
    """1/f noise: the conductances of cells fluctuate independently, and a read sees one value of each.

    The variance of a column is sum_i (std v_i g_ij)^2. That is exact for Gaussian fluctuations of ohmic cells without
    wires; elsewhere it is too large by as much as parasitics take from the cells' voltages. Inputs that are read soon
    after each other would see the same fluctuation; here each has its own.

    Attributes:
        std: standard deviation of a cell's conductance during a read, as a share of it.
    """

    std: float

    def __post_init__(self) -> None:
        check_at_least_zero("FlickerNoise(std=...)", self.std)

    def variance(
        self,
        v: Float[Tensor, "*#tile input row"],
        g: Float[Tensor, "*#tile row col"],
        i: Float[Tensor, "*tile input col"],
    ) -> Tensor:
        """See `NoiseSource.variance`."""
        return self.std**2 * (v.square() @ g.square())


class ReadNoise(Wrapper):
    """Adds normal noise to the currents of every read.

    An input of 0 V on all rows is no read: its currents are those of the wrapped model, without noise. Whoever reads
    bits one by one skips such inputs, and a model gives no current at 0 V.
    """

    def __init__(
        self,
        model: CrossbarModel,
        sources: NoiseSource | Sequence[NoiseSource],
        generator: Generator | None = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: computes the currents without noise.
            sources: whose variances add up.
            generator: to draw from; required.

        Raises:
            ValueError: if there is no source or no generator.
        """
        super().__init__(model)
        self.sources = (sources,) if isinstance(sources, NoiseSource) else tuple(sources)
        if not self.sources:
            raise ValueError("`ReadNoise(sources=...)` must hold a source, such as `ThermalNoise(1e6)`; got none.")
        self.source = RandomSource(generator, "ReadNoise")

    def write(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Conductances in siemens after the effects of the wrapped model; see `CrossbarModel.write`."""
        return self.model.write(g)

    @property
    def after_writing(self) -> CrossbarModel:
        """The same noise, from the same generator, around the wrapped model after writing."""
        inside = self.model.after_writing
        return self if inside is self.model else ReadNoise(inside, self.sources, self.source.generator)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Prepare the wrapped model; see `CrossbarModel.program`."""
        written = self.model.write(g)
        read_quietly = self.model.after_writing.program(written)

        def read(v: Tensor) -> Tensor:
            i = read_quietly(v)
            return i + self._noise(v, written, i)

        return read

    def _noise(self, v: Tensor, g: Tensor, i: Tensor) -> Tensor:
        """Noise currents in ampere, of the shape of `i`."""
        variance = sum((source.variance(v, g, i) for source in self.sources), start=torch.zeros_like(i))
        noisy = v.ne(0).any(-1, keepdim=True) & (variance > 0)
        std = torch.where(noisy, variance, 1.0).sqrt()  # the root of 0 has no slope
        return torch.where(noisy, std * self.source.normal(i), 0.0)

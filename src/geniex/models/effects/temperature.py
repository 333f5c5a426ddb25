"""Temperature: how conductances change when cells are read warmer or colder than they were written.

Thermally activated conduction, g(T) = g(T0) exp(-(Ea / k) (1 / T - 1 / T0)). In filaments the activation energy falls
from that of a semiconductor at small conductances to none, a metal's, at large ones (Larentis et al., IEEE Trans.
Electron Devices 59, 2468, 2012), which points of conductance and energy describe. What heat does to retention, drift
and wires is left out.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.models.base import CrossbarModel
from geniex.models.effects.base import WriteEffect
from geniex.models.effects.checks import check_above_zero
from geniex.models.effects.points import Points, between, check_points

__all__ = ["Temperature"]

BOLTZMANN_EV = 1.380649e-23 / 1.602176634e-19  # eV/K, exact in SI


class Temperature(WriteEffect):
    """All cells are read at one temperature."""

    def __init__(
        self, model: CrossbarModel, kelvin: float, activation_energy_eV: float | Points, reference: float = 300.0
    ) -> None:
        """Wrap a model.

        Args:
            model: computes the crossbars at that temperature.
            kelvin: the temperature.
            activation_energy_eV: in electronvolt, negative where conductances fall with the temperature; one for all
                cells, or points (conductance at `reference` in siemens, energy), linear between and constant beyond.
            reference: the temperature in kelvin at which cells have the conductances that are written.

        Raises:
            ValueError: if a temperature is not above 0 K, or energies are not finite.
        """
        super().__init__(model)
        check_above_zero("Temperature(kelvin=...)", kelvin, " K")
        check_above_zero("Temperature(reference=...)", reference, " K")
        if isinstance(activation_energy_eV, tuple):
            check_points("Temperature(activation_energy_eV=...)", activation_energy_eV)
        elif not math.isfinite(activation_energy_eV):
            raise ValueError(
                f"`Temperature(activation_energy_eV=...)` must be finite; got {activation_energy_eV:g} eV."
            )
        self.kelvin, self.activation_energy_eV, self.reference = kelvin, activation_energy_eV, reference

    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Scale each cell; see `WriteEffect.altered`."""
        energy = self.activation_energy_eV
        energies = between(energy, g) if isinstance(energy, tuple) else torch.full_like(g, energy)
        return g * torch.exp(energies * ((1 / self.reference - 1 / self.kelvin) / BOLTZMANN_EV))

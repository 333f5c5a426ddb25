"""What cells and arrays do beside their I-V curve, as a table of a configuration file, and the wrappers it builds."""

from collections.abc import Callable, Iterator

from pydantic import Field, model_validator
from torch import Generator

from geniex.configuration.sections import Section
from geniex.models.base import CrossbarModel
from geniex.models.effects import (
    AbsoluteSpread,
    Drift,
    FaultRates,
    FiniteLevels,
    FlickerNoise,
    LognormalSpread,
    NoiseSource,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    Spread,
    StuckCells,
    Temperature,
    ThermalNoise,
)

__all__ = ["EffectSection"]


class EffectSection(Section):
    """Device and array effects on top of every model; all of them are off where nothing is said."""

    levels: int | None = Field(
        default=None, ge=2, description="conductances that a cell can have, evenly from g_off to g_on; left out: any"
    )
    programming_relative: float = Field(
        default=0.0, ge=0, description="spread of a written conductance, as a share of it"
    )
    programming_absolute: float = Field(default=0.0, ge=0, description="spread of a written conductance, in siemens")
    programming_lognormal: float = Field(default=0.0, ge=0, description="spread of a written conductance's logarithm")
    stuck_on: float = Field(default=0.0, ge=0, le=1, description="share of the cells that stay at g_on")
    stuck_off: float = Field(default=0.0, ge=0, le=1, description="share of the cells that stay at g_off")
    drift_time: float | None = Field(
        default=None, gt=0, description="time since writing, in second, for a drift of (time / drift_t0)^-drift_nu"
    )
    drift_t0: float = Field(
        default=1.0, gt=0, description="time after writing at which conductances are right, in second"
    )
    drift_nu: float = Field(default=0.0, ge=0, description="exponent of the drift")
    drift_spread: float = Field(default=0.0, ge=0, description="spread of the exponent from cell to cell")
    kelvin: float = Field(
        default=300.0, gt=0, description="temperature of the chip, in kelvin; cells were written at 300"
    )
    activation_energy: float = Field(default=0.0, description="of the conductance, in eV")
    thermal_bandwidth: float = Field(default=0.0, ge=0, description="of thermal noise of a read, in Hz")
    shot_bandwidth: float = Field(default=0.0, ge=0, description="of shot noise of a read, in Hz")
    flicker: float = Field(
        default=0.0, ge=0, description="spread of a cell's conductance from read to read, as a share"
    )

    @model_validator(mode="after")
    def _fits(self) -> "EffectSection":
        if self.stuck_on + self.stuck_off > 1:
            raise ValueError(
                f"stuck_on and stuck_off must be at most 1 together; got {self.stuck_on:g} and {self.stuck_off:g}."
            )
        if self.drift_time is None and (self.drift_nu or self.drift_spread):
            raise ValueError("drift_nu and drift_spread need drift_time, the seconds since writing.")
        if self.drift_time is not None and self.drift_time < self.drift_t0:
            raise ValueError(f"drift_time must be at least drift_t0 = {self.drift_t0:g} s; got {self.drift_time:g} s.")
        return self

    def wrap(self, model: CrossbarModel, g_on: float, g_off: float) -> CrossbarModel:
        """`model` with these effects, in the order of what happens to a chip.

        Args:
            model: of the crossbar.
            g_on: conductance of the largest digit, in siemens.
            g_off: conductance of digit 0, in siemens.
        """
        for effect in self._from_read_to_write(g_on, g_off):
            model = effect(model)
        return model

    def _from_read_to_write(self, g_on: float, g_off: float) -> Iterator[Callable[[CrossbarModel], CrossbarModel]]:
        noises = self._noises()
        if noises:
            yield lambda model: ReadNoise(model, noises, generator=Generator())
        if self.kelvin != 300.0 and self.activation_energy:
            yield lambda model: Temperature(model, self.kelvin, self.activation_energy)
        time = self.drift_time
        if time is not None and (self.drift_nu or self.drift_spread):
            yield lambda model: Drift(
                model, time, self.drift_nu, self.drift_spread, self.drift_t0, generator=Generator()
            )
        if self.stuck_on or self.stuck_off:
            rates = FaultRates(on=self.stuck_on, off=self.stuck_off)
            yield lambda model: StuckCells(model, rates, g_on, g_off, generator=Generator())
        for spread in self._spreads():
            yield lambda model, spread=spread: ProgrammingError(model, spread, generator=Generator())
        count = self.levels
        if count is not None:
            yield lambda model: FiniteLevels.between(model, g_off, g_on, count)

    def _noises(self) -> tuple[NoiseSource, ...]:
        found: list[NoiseSource] = []
        if self.thermal_bandwidth:
            found.append(ThermalNoise(self.thermal_bandwidth, self.kelvin))
        if self.shot_bandwidth:
            found.append(ShotNoise(self.shot_bandwidth))
        if self.flicker:
            found.append(FlickerNoise(self.flicker))
        return tuple(found)

    def _spreads(self) -> list[Spread]:
        spreads = (
            (self.programming_absolute, AbsoluteSpread),
            (self.programming_relative, RelativeSpread),
            (self.programming_lognormal, LognormalSpread),
        )
        return [kind(size) for size, kind in spreads if size]

"""Costs of the parts around the arrays, as a table of a configuration file."""

from pydantic import Field, model_validator

from geniex.configuration.sections import Section
from geniex.energy import Costs

__all__ = ["CostSection"]

DEFAULTS = Costs()


class CostSection(Section):
    """Energy, time and area of operations and parts, for the energy of a run; docs/energy.md has their sources."""

    images: int = Field(default=1, ge=1, description="the first of the run, whose reads are measured")
    read_time: float = Field(
        default=DEFAULTS.read_time, gt=0, description="that voltages lie on an array for a read, in second (ISAAC)"
    )
    node: float = Field(default=DEFAULTS.node, gt=0, description="feature size in metre, for the ADCs")
    adcs: int = Field(default=DEFAULTS.adcs, ge=1, description="per crossbar (ISAAC)")
    adc_rate: float | None = Field(
        default=None, gt=0, description="conversions per second of one; left out: as many as end within a read"
    )
    adc_energy: float | None = Field(
        default=None, ge=0, description="of a conversion, in joule; left out: by bits, rate and node (Andrulis)"
    )
    adc_area: float | None = Field(
        default=None, ge=0, description="of one, in square metre; left out: by its energy, rate and node (Andrulis)"
    )
    dac_energy: float = Field(
        default=DEFAULTS.dac_energy,
        ge=0,
        description="of a row in a read, by a DAC of 1 bit, in joule (ISAAC); each bit more doubles it (Saberi)",
    )
    dac_area: float = Field(
        default=DEFAULTS.dac_area,
        ge=0,
        description="of a DAC of 1 bit, in square metre (ISAAC); each bit more doubles it",
    )
    sample_hold_energy: float = Field(
        default=DEFAULTS.sample_hold_energy, ge=0, description="of a column in a read, in joule (ISAAC)"
    )
    sample_hold_area: float = Field(
        default=DEFAULTS.sample_hold_area, ge=0, description="of one per column, in square metre (ISAAC)"
    )
    shift_add_energy: float = Field(
        default=DEFAULTS.shift_add_energy, ge=0, description="of a reading shifted and added, in joule (ISAAC)"
    )
    shift_add_area: float = Field(
        default=DEFAULTS.shift_add_area, ge=0, description="of a unit, one per ADC, in square metre (ISAAC)"
    )
    register_energy: float = Field(
        default=DEFAULTS.register_energy,
        ge=0,
        description="of a byte in or out of the registers beside a crossbar, in joule (ISAAC)",
    )
    register_area: float = Field(
        default=DEFAULTS.register_area, ge=0, description="of a byte of them, in square metre (ISAAC)"
    )
    buffer_energy: float = Field(
        default=DEFAULTS.buffer_energy,
        ge=0,
        description="of a byte in or out of the buffer of a layer, in joule (PUMA)",
    )
    buffer_area: float = Field(
        default=DEFAULTS.buffer_area, ge=0, description="of a byte of it, in square metre (ISAAC)"
    )
    cell_area: float = Field(
        default=DEFAULTS.cell_area, ge=0, description="of a cell of an array, in square metre (ISAAC)"
    )

    @model_validator(mode="after")
    def _builds(self) -> "CostSection":
        self.build()
        return self

    def build(self) -> Costs:
        """The costs."""
        return Costs(**self.model_dump(exclude={"images"}))

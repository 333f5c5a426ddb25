"""What the parts around the arrays cost per operation, and how large they are: published figures, all to be overridden.

Sources, by the name that the fields cite:

- ISAAC: A. Shafiee et al., ISCA 2016, table of the in-situ multiply-accumulate unit (32 nm, 8 crossbars of 128x128,
  reads of 100 ns): 8 ADCs of 8 bits and 1.28 GS/s, 16 mW, 0.0096 mm2; 8x128 DACs of 1 bit, 4 mW, 0.00017 mm2; 8x128
  sample-and-holds, 10 uW, 0.00004 mm2; 8 arrays, 0.0002 mm2; 4 shift-and-adds, 0.2 mW, 0.00024 mm2; input registers of
  2 KB, 1.24 mW, 0.0021 mm2; of the tile, an eDRAM buffer of 64 KB, 20.7 mW, 0.083 mm2.
- PUMA: A. Ankit et al., ASPLOS 2019, and the constants of its simulator: eDRAM of 17.2 pJ per access of 256 bits.
- Andrulis: T. Andrulis, R. Chen, H.-S. Lee, J. S. Emer, V. Sze, Modeling Analog-Digital-Converter Energy and Area for
  Compute-In-Memory Accelerator Design, arXiv 2404.06553: a fit to B. Murmann's ADC Performance Survey 1997-2023, of
  the best converters for given bits, rate and technology.
- Saberi: M. Saberi et al., IEEE Trans. Circuits Syst. I 58, 1736 (2011): the energy of a capacitive DAC doubles with
  each bit.
"""

import math
from dataclasses import dataclass

from geniex.functional import HardwareConfig, window

__all__ = ["Costs", "adc_area", "adc_bits", "adc_energy"]

# Andrulis, Schreier's figure of merit in dB: that of all converters falls with the rate, up to one by resolution
MERIT, MERIT_PER_RATE = 213.781, -2.8719
BEST_MERIT, BEST_MERIT_PER_BIT = 128.307, 3.22051
ENERGY = 26.0496 - 1.4702  # logarithm of pJ, of what follows from the figure of merit in joule
ENERGY_BY_NODE, ENERGY_BY_BITS = 1.88004, -2.82913  # powers of nm and of bits
AREA, AREA_BY_NODE, AREA_BY_RATE, AREA_BY_ENERGY = 1.34619, 0.993279, 0.180715, 0.299124  # um2 of nm, 1/s and pJ


@dataclass(frozen=True)
class Costs:
    """Costs per operation and sizes. Energies in joule, times in second, areas in square metre.

    Attributes:
        read_time: that voltages lie on an array for a read (ISAAC).
        node: feature size in metre, for the ADCs.
        adcs: per crossbar (ISAAC).
        adc_rate: conversions per second of one; None is as many as end within a read.
        adc_energy: of a conversion; None follows from bits, rate and node (Andrulis).
        adc_area: None follows from its energy, whether given or not, rate and node (Andrulis).
        dac_energy: of a row in a read, by a DAC of 1 bit (ISAAC); each bit more doubles it (Saberi).
        dac_area: of one of 1 bit (ISAAC); each bit more doubles it.
        sample_hold_energy: of a column in a read (ISAAC).
        sample_hold_area: of one (ISAAC).
        shift_add_energy: of a reading that is shifted and added (ISAAC).
        shift_add_area: of a unit; each ADC has one (ISAAC).
        register_energy: of a byte in or out of the registers beside a crossbar (ISAAC).
        register_area: of a byte (ISAAC).
        buffer_energy: of a byte in or out of the buffer of a layer (PUMA).
        buffer_area: of a byte (ISAAC).
        cell_area: of a cell of an array (ISAAC).
    """

    read_time: float = 100e-9
    node: float = 32e-9
    adcs: int = 1
    adc_rate: float | None = None
    adc_energy: float | None = None
    adc_area: float | None = None
    dac_energy: float = 0.39e-12
    dac_area: float = 0.166e-12
    sample_hold_energy: float = 0.98e-15
    sample_hold_area: float = 0.039e-12
    shift_add_energy: float = 0.0195e-12
    shift_add_area: float = 60e-12
    register_energy: float = 0.97e-12
    register_area: float = 1.03e-12
    buffer_energy: float = 0.54e-12
    buffer_area: float = 1.27e-12
    cell_area: float = 1.53e-15

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"`Costs({name}=...)` must be finite and at least 0; got {value}.")
        for name in ("read_time", "node", "adcs", "adc_rate"):
            if getattr(self, name) == 0:
                raise ValueError(f"`Costs({name}=...)` must be above 0; got 0.")

    def conversions(self, config: HardwareConfig) -> int:
        """That an ADC makes per read of a crossbar."""
        return -(-config.cols // self.adcs)

    def rate(self, config: HardwareConfig) -> float:
        """Conversions per second of an ADC."""
        return self.conversions(config) / self.read_time if self.adc_rate is None else self.adc_rate

    def cycle(self, config: HardwareConfig) -> float:
        """Seconds from one read of a crossbar to the next."""
        return max(self.read_time, self.conversions(config) / self.rate(config))

    def conversion(self, config: HardwareConfig) -> float:
        """Joule of a conversion."""
        if self.adc_energy is not None:
            return self.adc_energy
        return adc_energy(adc_bits(config), self.rate(config), self.node)

    def converter(self, config: HardwareConfig) -> float:
        """Square metre of an ADC."""
        if self.adc_area is not None:
            return self.adc_area
        return adc_area(self.conversion(config), self.rate(config), self.node)


def adc_bits(config: HardwareConfig) -> int:
    """Bits of the ADC; of one that never clips and counts products of levels, where the hardware names none."""
    if config.adc is not None:
        return config.adc.bits
    levels = window(config)
    return math.ceil(math.log2(config.rows * (2**levels.v_bits - 1) * (2**levels.g_bits - 1) + 1))


def adc_energy(bits: float, rate: float, node: float) -> float:
    """Joule per conversion of one of the best ADCs (Andrulis).

    Args:
        bits: effective ones.
        rate: conversions per second.
        node: feature size in metre.
    """
    merit = min(MERIT + MERIT_PER_RATE * math.log(rate), BEST_MERIT + BEST_MERIT_PER_BIT * math.ceil(bits))
    distortion = 6.02 * bits + 1.76
    ideal = 10 ** ((distortion - merit) / 10) / 2
    return 1e-12 * ideal * math.exp(ENERGY) * (node * 1e9) ** ENERGY_BY_NODE * bits**ENERGY_BY_BITS


def adc_area(energy: float, rate: float, node: float) -> float:
    """Square metre of one of the best ADCs (Andrulis).

    Args:
        energy: joule per conversion.
        rate: conversions per second.
        node: feature size in metre.
    """
    powers = (node * 1e9) ** AREA_BY_NODE * rate**AREA_BY_RATE * (energy * 1e12) ** AREA_BY_ENERGY
    return 1e-12 * math.exp(AREA) * powers

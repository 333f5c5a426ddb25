"""How often each part around the arrays works, and how many of each there are, for one matrix of weights on crossbars.

What is counted: every input drives all used rows of every crossbar that is not blank, once per stream; streams of
negative numbers count where a layer sees any. An ADC converts the columns that hold digits, and a dummy column. What a
simulation skips because it reads as 0, a controller that does not look at its numbers does not skip.
"""

from dataclasses import dataclass

from geniex.calibration.currents import columns_in_use
from geniex.energy.costs import Costs
from geniex.functional import HardwareConfig, ProgrammedMatrix

__all__ = ["Counts", "counted"]

ACCUMULATOR_BITS = 32  # of a hardware that names none


@dataclass(frozen=True)
class Counts:
    """Of one matrix. Operations are per image, but for `cycles`; all others are numbers of parts.

    Attributes:
        crossbars: that are read.
        rows: that are driven, of all crossbars.
        columns: that are converted, of all crossbars.
        macs: products of inputs and weights.
        cycles: reads that follow each other.
        reads: of crossbars.
        drives: of rows.
        conversions: of columns; each is sampled, converted, shifted and added.
        register_bytes: into and out of the registers of the rows.
        buffer_bytes: inputs out of the buffer and outputs into it.
        vector_bytes: of one input, of every crossbar it is held at.
        stored_bytes: of one input and one output.
    """

    crossbars: int
    rows: int
    columns: int
    macs: float
    cycles: float
    reads: float
    drives: float
    conversions: float
    register_bytes: float
    buffer_bytes: float
    vector_bytes: float
    stored_bytes: float

    def energy(self, costs: Costs, config: HardwareConfig) -> dict[str, float]:
        """Joule per image by component, arrays left out."""
        return {
            "adc": self.conversions * costs.conversion(config),
            "dac": self.drives * costs.dac_energy * 2 ** (config.dac.bits - 1),
            "sample_hold": self.conversions * costs.sample_hold_energy,
            "shift_add": self.conversions * costs.shift_add_energy,
            "register": self.register_bytes * costs.register_energy,
            "buffer": self.buffer_bytes * costs.buffer_energy,
        }

    def area(self, costs: Costs, config: HardwareConfig) -> dict[str, float]:
        """Square metre by component."""
        converters = self.crossbars * costs.adcs
        return {
            "array": self.crossbars * config.rows * config.cols * costs.cell_area,
            "adc": converters * costs.converter(config),
            "dac": self.crossbars * config.rows * costs.dac_area * 2 ** (config.dac.bits - 1),
            "sample_hold": self.crossbars * config.cols * costs.sample_hold_area,
            "shift_add": converters * costs.shift_add_area,
            "register": self.vector_bytes * costs.register_area,
            "buffer": self.stored_bytes * costs.buffer_area,
        }


def counted(matrix: ProgrammedMatrix, inputs: float, signed: bool) -> Counts:
    """Counts of a matrix on crossbars.

    Args:
        matrix: on crossbars.
        inputs: vectors per image.
        signed: whether any of them holds a negative number.
    """
    config, (rows, outputs) = matrix.config, matrix.shape
    in_use = columns_in_use(outputs, config).sum(-1) + config.floor.reserved_cols
    streams = sum(signed or stream.sign > 0 for stream in matrix.streams)
    crossbars = driven = columns = 0
    for tile in matrix.tiles:
        crossbars += len(tile.which)
        driven += len(tile.which) * (min(rows, tile.rows.stop) - tile.rows.start)
        columns += int(in_use[tile.which.cpu().numpy()].sum())
    reads = inputs * streams
    vector = driven * config.inputs.bits / 8
    out_bits = ACCUMULATOR_BITS if config.accumulator is None else config.accumulator.bits
    stored = rows * config.inputs.bits / 8 + outputs * out_bits / 8
    return Counts(
        crossbars=crossbars,
        rows=driven,
        columns=columns,
        macs=inputs * rows * outputs,
        cycles=reads,
        reads=reads * crossbars,
        drives=reads * driven,
        conversions=reads * columns,
        register_bytes=2 * inputs * vector,
        buffer_bytes=inputs * stored,
        vector_bytes=vector,
        stored_bytes=stored,
    )

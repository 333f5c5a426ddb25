"""x @ w on crossbars: what a layer holds."""

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.functional.gradients import AnalogProduct
from geniex.functional.hardware import HardwareConfig
from geniex.functional.programmed import ProgrammedMatrix
from geniex.functional.writing import WrittenMatrix, write
from geniex.models.base import CrossbarModel, check_range
from geniex.models.guard import OperatingRange

__all__ = ["AnalogMatmul"]


class AnalogMatmul:
    """x @ w on crossbars. Not a module: the model is shared by layers and owned by none."""

    def __init__(self, model: CrossbarModel, config: HardwareConfig) -> None:
        """Join physics and format.

        Args:
            model: computes the crossbars.
            config: digits, tiles and converters.

        Raises:
            ValueError: if the model was made for other crossbars, voltages or conductances.
        """
        check_range(
            model,
            OperatingRange(config.rows, config.cols, 0.0, config.dac.v_max, config.g_off, config.g_on),
        )
        self.model, self.config = model, config

    def write(self, w: Float[Tensor, "row col"]) -> WrittenMatrix:
        """Write a weight matrix (inputs, outputs) to crossbars: what device effects draw is drawn here."""
        with torch.no_grad():
            return write(w.detach(), self.model, self.config)

    def open(self, written: WrittenMatrix) -> ProgrammedMatrix:
        """Prepare to read what was written."""
        with torch.no_grad():
            return ProgrammedMatrix(written, self.model, self.config)

    def program(self, w: Float[Tensor, "row col"]) -> ProgrammedMatrix:
        """Write a weight matrix (inputs, outputs), and prepare to read it."""
        return self.open(self.write(w))

    def multiply(self, x: Float[Tensor, "*input row"], programmed: ProgrammedMatrix) -> Float[Tensor, "*input col"]:
        """Real products of real inputs and programmed weights, in the type of `x`, without gradients.

        Raises:
            ValueError: if `x` is not floating or not finite, or has another number of rows.
        """
        y = programmed.multiply(x.detach().reshape(-1, x.shape[-1]))
        return y.to(x.dtype).view(*x.shape[:-1], y.shape[-1])

    def differentiable(
        self, x: Float[Tensor, "*input row"], w: Float[Tensor, "row col"], programmed: ProgrammedMatrix
    ) -> Float[Tensor, "*input col"]:
        """`multiply`, with gradients to `x` and to the weights `w` that were programmed; see `gradients`."""
        y = AnalogProduct.apply(x.reshape(-1, x.shape[-1]), w, self, programmed)
        assert isinstance(y, Tensor)
        return y.view(*x.shape[:-1], y.shape[-1])

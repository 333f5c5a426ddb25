"""Fully connected layers on crossbars."""

from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer
from geniex.models.base import CrossbarModel

__all__ = ["AnalogLinear"]


class AnalogLinear(AnalogLayer):
    """`nn.Linear` on crossbars."""

    def __init__(self, linear: nn.Linear, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `linear` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight, self.bias = linear.weight, linear.bias
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.train(linear.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """The transposed weight."""
        return [self.weight.mT]

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`."""
        if x.shape[-1] != self.in_features:
            raise ValueError(f"This layer takes {self.in_features} features; got an input of shape {tuple(x.shape)}.")
        y = self.product(0, x)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.in_features}, {self.out_features}, model={type(self.matmul.model).__name__}"

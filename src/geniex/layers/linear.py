"""Fully connected layers on crossbars, with the weight either way around."""

from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer
from geniex.models.base import CrossbarModel

__all__ = ["AnalogLinear", "AnalogTransposedLinear"]


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
        _check_features(x, self.in_features)
        y = self.product(0, x)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.in_features}, {self.out_features}, model={type(self.matmul.model).__name__}"


class AnalogTransposedLinear(AnalogLayer):
    """`transformers.pytorch_utils.Conv1D` on crossbars: a linear layer whose weight is (inputs, outputs)."""

    def __init__(self, linear: nn.Module, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `linear` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        assert isinstance(linear.weight, nn.Parameter)
        assert isinstance(linear.bias, nn.Parameter)
        self.weight, self.bias = linear.weight, linear.bias
        self.in_features, self.out_features = linear.weight.shape
        self.train(linear.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """The weight."""
        return [self.weight]

    def forward(self, x: Tensor) -> Tensor:
        """X (*input, in_features) -> (*input, out_features)."""
        _check_features(x, self.in_features)
        return self.product(0, x) + self.bias

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.in_features}, {self.out_features}, model={type(self.matmul.model).__name__}"


def _check_features(x: Tensor, features: int) -> None:
    if x.dim() == 0 or x.shape[-1] != features:
        raise ValueError(f"This layer takes {features} features; got an input of shape {tuple(x.shape)}.")

"""Cells on crossbars: one time step of a recurrent layer, for networks that write the loop over time themselves."""

from abc import ABC
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer
from geniex.layers.gates import State, elman, gru, lstm
from geniex.models.base import CrossbarModel

__all__ = ["AnalogGRUCell", "AnalogLSTMCell", "AnalogRNNCell"]


class _Cell(AnalogLayer, ABC):
    """What cells share: two products, and states that default to zeros."""

    states: ClassVar[int]
    """How many there are: hidden state alone, or cell state, too."""

    def __init__(self, cell: nn.RNNCellBase, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `cell` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.weight_ih, self.weight_hh = cell.weight_ih, cell.weight_hh
        self.bias_ih, self.bias_hh = cell.bias_ih, cell.bias_hh
        self.input_size, self.hidden_size, self.bias = cell.input_size, cell.hidden_size, cell.bias
        self.train(cell.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Of the input and of the hidden state."""
        return [self.weight_ih.mT, self.weight_hh.mT]

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.input_size}, {self.hidden_size}, model={type(self.matmul.model).__name__}"

    def _gates(self, x: Tensor, state: State | None) -> tuple[Tensor, Tensor, State]:
        """What input and hidden state add to the gates, and the state.

        Raises:
            ValueError: if an input or a state has another shape.
        """
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"This layer takes (entry, {self.input_size}) or ({self.input_size},); got an input of shape "
                f"{tuple(x.shape)}."
            )
        shape = (*x.shape[:-1], self.hidden_size)
        state = tuple(x.new_zeros(shape) for _ in range(self.states)) if state is None else state
        for given in state:
            if tuple(given.shape) != shape:
                raise ValueError(
                    f"A state of this layer must be of shape {shape} for this input; got {tuple(given.shape)}."
                )
        products = self.products()
        from_input, from_hidden = products(0, x), products(1, state[0])
        if self.bias:
            from_input, from_hidden = from_input + self.bias_ih, from_hidden + self.bias_hh
        return from_input, from_hidden, state


class AnalogRNNCell(_Cell):
    """`nn.RNNCell` on crossbars."""

    states = 1

    def __init__(self, cell: nn.RNNCell, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `cell` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(cell, model, config)
        self.nonlinearity = cell.nonlinearity

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """As `nn.RNNCell`."""
        from_input, from_hidden, _ = self._gates(x, None if hx is None else (hx,))
        return elman(from_input, from_hidden, self.nonlinearity)[0]


class AnalogLSTMCell(_Cell):
    """`nn.LSTMCell` on crossbars."""

    states = 2

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> State:
        """As `nn.LSTMCell`."""
        from_input, from_hidden, state = self._gates(x, hx)
        return lstm(from_input, from_hidden, state[1])


class AnalogGRUCell(_Cell):
    """`nn.GRUCell` on crossbars."""

    states = 1

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """As `nn.GRUCell`."""
        from_input, from_hidden, (hidden,) = self._gates(x, None if hx is None else (hx,))
        return gru(from_input, from_hidden, hidden)[0]

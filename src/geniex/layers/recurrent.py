"""Recurrent layers on crossbars: products of all inputs at once, products of the hidden state step by step.

Hidden states are numbers of the digital side between steps; they are quantized on their way into each product.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer, Products
from geniex.layers.gates import State, elman, gru, lstm
from geniex.layers.sequences import Steps, as_given, as_steps, sorted_state, state_as_given
from geniex.models.base import CrossbarModel

__all__ = ["AnalogGRU", "AnalogLSTM", "AnalogRNN"]


class _Recurrent(AnalogLayer, ABC):
    """What recurrent layers share: layers upon layers, directions, and the order of time."""

    states: ClassVar[int]
    """How many there are: hidden state alone, or cell state, too."""

    def __init__(self, rnn: nn.RNNBase, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `rnn` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        for name, parameter in rnn.named_parameters(recurse=False, remove_duplicate=False):
            self.register_parameter(name, parameter)
        self.input_size, self.hidden_size, self.proj_size = rnn.input_size, rnn.hidden_size, rnn.proj_size
        self.num_layers, self.bidirectional, self.bias = rnn.num_layers, rnn.bidirectional, rnn.bias
        self.batch_first, self.dropout = rnn.batch_first, rnn.dropout
        self.train(rnn.training)

    @abstractmethod
    def step(self, from_input: Tensor, from_hidden: Tensor, state: State) -> State:
        """The next state, before any projection, from what inputs and hidden state add to the gates."""

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Of each layer and direction: of the inputs, of the hidden state, and of the projection if there is one."""
        kinds = ("ih", "hh", "hr") if self.proj_size else ("ih", "hh")
        return [getattr(self, f"weight_{kind}_{place}").mT for place in self._places() for kind in kinds]

    def run(self, x: Tensor | PackedSequence, state: State | None) -> tuple[Tensor | PackedSequence, State]:
        """Outputs and final states, in the form of the input; `state` None is zeros."""
        steps, products = as_steps(x, self.batch_first, self.input_size), self.products()
        places = self._places()
        features = (self.proj_size or self.hidden_size, self.hidden_size)[: self.states]
        sizes = [(len(places), steps.sizes[0], each) for each in features]
        if state is None:
            state = tuple(steps.values.new_zeros(size) for size in sizes)
        state, finals = sorted_state(state, x, sizes), []
        for layer in range(self.num_layers):
            if layer:
                steps = Steps(F.dropout(steps.values, self.dropout, self.training), steps.sizes)
            outputs = []
            for which in range(layer * self._directions(), (layer + 1) * self._directions()):
                values, final = self._scan(which, steps, tuple(s[which] for s in state), products)
                outputs.append(values)
                finals.append(final)
            steps = Steps(torch.cat(outputs, dim=-1), steps.sizes)
        final = tuple(torch.stack(each) for each in zip(*finals, strict=True))
        return as_given(steps.values, x, self.batch_first), state_as_given(final, x)

    def flatten_parameters(self) -> None:
        """Nothing: networks call it before a forward pass for the memory layout of GPU libraries."""

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, "
            f"bidirectional={self.bidirectional}, model={type(self.matmul.model).__name__}"
        )

    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _places(self) -> list[str]:
        """Ends of the parameters' names, by layer and direction."""
        ends = ("", "_reverse")[: self._directions()]
        return [f"l{layer}{end}" for layer in range(self.num_layers) for end in ends]

    def _scan(self, which: int, steps: Steps, state: State, products: Products) -> tuple[Tensor, State]:
        """Outputs of one layer in one direction, and its state after all steps.

        Of a state (sequence, feature), sequences that have ended, or not yet begun, stay as they are.
        """
        place, first = self._places()[which], which * (3 if self.proj_size else 2)
        gates = self._with_bias(products(first, steps.values), f"bias_ih_{place}").split(steps.sizes)
        backwards, outputs = place.endswith("_reverse"), []
        for from_input in reversed(gates) if backwards else gates:
            here = len(from_input)
            from_hidden = self._with_bias(products(first + 1, state[0][:here]), f"bias_hh_{place}")
            new = self.step(from_input, from_hidden, tuple(s[:here] for s in state))
            if self.proj_size:
                new = (products(first + 2, new[0]), *new[1:])
            outputs.append(new[0])
            state = tuple(torch.cat([now, before[here:]]) for now, before in zip(new, state, strict=True))
        return torch.cat(outputs[::-1] if backwards else outputs), state

    def _with_bias(self, y: Tensor, name: str) -> Tensor:
        return y + getattr(self, name) if self.bias else y


class AnalogRNN(_Recurrent):
    """`nn.RNN` on crossbars."""

    states = 1

    def __init__(self, rnn: nn.RNN, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `rnn` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(rnn, model, config)
        self.nonlinearity = rnn.nonlinearity

    def step(self, from_input: Tensor, from_hidden: Tensor, state: State) -> State:
        """See `gates.elman`."""
        return elman(from_input, from_hidden, self.nonlinearity)

    def forward(self, x: Tensor | PackedSequence, hx: Tensor | None = None) -> tuple[Tensor | PackedSequence, Tensor]:
        """As `nn.RNN`."""
        y, (hidden,) = self.run(x, None if hx is None else (hx,))
        return y, hidden


class AnalogLSTM(_Recurrent):
    """`nn.LSTM` on crossbars; with `proj_size`, the projection is a third product of each step."""

    states = 2

    def step(self, from_input: Tensor, from_hidden: Tensor, state: State) -> State:
        """See `gates.lstm`."""
        return lstm(from_input, from_hidden, state[1])

    def forward(
        self, x: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """As `nn.LSTM`."""
        return self.run(x, hx)


class AnalogGRU(_Recurrent):
    """`nn.GRU` on crossbars."""

    states = 1

    def step(self, from_input: Tensor, from_hidden: Tensor, state: State) -> State:
        """See `gates.gru`."""
        return gru(from_input, from_hidden, state[0])

    def forward(self, x: Tensor | PackedSequence, hx: Tensor | None = None) -> tuple[Tensor | PackedSequence, Tensor]:
        """As `nn.GRU`."""
        y, (hidden,) = self.run(x, None if hx is None else (hx,))
        return y, hidden

"""One time step of each kind of recurrent layer, apart from its products: elementwise, and digital.

Each takes what the input adds to the gates, what the hidden state adds, and the state, all (entry, feature).
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ACTIVATIONS", "State", "elman", "gru", "lstm"]

State = tuple[Tensor, ...]
"""The hidden state, and of an LSTM the cell state."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}
"""Of `nn.RNN`, by its `nonlinearity`."""


def elman(from_input: Tensor, from_hidden: Tensor, activation: str) -> State:
    """`nn.RNN`."""
    return (ACTIVATIONS[activation](from_input + from_hidden),)


def lstm(from_input: Tensor, from_hidden: Tensor, cell: Tensor) -> State:
    """`nn.LSTM`: gates in the order input, forget, cell, output."""
    write, keep, new, show = (from_input + from_hidden).chunk(4, dim=-1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(new)
    return torch.sigmoid(show) * torch.tanh(cell), cell


def gru(from_input: Tensor, from_hidden: Tensor, hidden: Tensor) -> State:
    """`nn.GRU`: gates in the order reset, update, new."""
    (reset_x, update_x, new_x), (reset_h, update_h, new_h) = from_input.chunk(3, dim=-1), from_hidden.chunk(3, dim=-1)
    new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
    return (new + torch.sigmoid(update_x + update_h) * (hidden - new),)

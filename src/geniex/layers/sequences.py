"""Sequences as recurrent layers see them: entries of the first time step, then of the second, and so on.

Sequences of unequal length come sorted, longest first, so that the entries of a step are the first ones of the step
before. A plain tensor is the case in which all are equally long.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from geniex.layers.gates import State

__all__ = ["Steps", "as_given", "as_steps", "sorted_state", "state_as_given"]


@dataclass(frozen=True)
class Steps:
    """Values of all time steps.

    Attributes:
        values: (entry, feature), step after step.
        sizes: entries of each step.
    """

    values: Tensor
    sizes: list[int]


def as_steps(x: Tensor | PackedSequence, batch_first: bool, features: int) -> Steps:
    """The steps of an input as `nn.LSTM` takes it.

    Raises:
        ValueError: if it has another shape.
    """
    if isinstance(x, PackedSequence):
        values, sizes = x.data, x.batch_sizes.tolist()
    else:
        if x.dim() not in (2, 3) or x.shape[-1] != features or 0 in x.shape[:-1]:
            order = "sequence, step" if batch_first else "step, sequence"
            raise ValueError(
                f"This layer takes ({order}, {features}) or (step, {features}), at least 1 of each; got an input of "
                f"shape {tuple(x.shape)}."
            )
        batch = x if x.dim() == 3 else x.unsqueeze(0 if batch_first else 1)
        steps = batch.transpose(0, 1) if batch_first else batch
        values, sizes = steps.flatten(0, 1), [steps.shape[1]] * len(steps)
    if values.shape[-1] != features:
        raise ValueError(f"This layer takes {features} features; got packed sequences of {values.shape[-1]}.")
    return Steps(values, sizes)


def as_given(values: Tensor, x: Tensor | PackedSequence, batch_first: bool) -> Tensor | PackedSequence:
    """Outputs (entry, feature) in the form of the input `x`."""
    if isinstance(x, PackedSequence):
        return PackedSequence(values, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
    if x.dim() == 2:
        return values
    steps = x.shape[1 if batch_first else 0]
    y = values.unflatten(0, (steps, -1))
    return y.transpose(0, 1) if batch_first else y


def sorted_state(state: State, x: Tensor | PackedSequence, sizes: list[tuple[int, int, int]]) -> State:
    """Initial states (layer, sequence, feature) in the order of the steps' entries.

    Args:
        state: as the user passed them.
        x: the input.
        sizes: of each of the states.

    Raises:
        ValueError: if one has another shape.
    """
    if not isinstance(x, PackedSequence) and x.dim() == 2:
        state = tuple(s.unsqueeze(1) if s.dim() == 2 else s for s in state)
    for given, size in zip(state, sizes, strict=True):
        if tuple(given.shape) != size:
            raise ValueError(
                f"An initial state of this layer must be of shape {size} for this input; got {tuple(given.shape)}."
            )
    if isinstance(x, PackedSequence) and x.sorted_indices is not None:
        state = tuple(s.index_select(1, x.sorted_indices) for s in state)
    return state


def state_as_given(state: State, x: Tensor | PackedSequence) -> State:
    """Final states (layer, sequence, feature) in the order and form of the input `x`."""
    if isinstance(x, PackedSequence):
        if x.unsorted_indices is None:
            return state
        return tuple(s.index_select(1, x.unsorted_indices) for s in state)
    return tuple(s.squeeze(1) for s in state) if x.dim() == 2 else state

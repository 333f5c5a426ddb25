"""The one interface of everything that computes a crossbar: given conductances, then voltages, which currents come out.

Two stages, because weights are programmed once and read a million times: `program(g)` does what depends on the
conductances alone and returns the `Read` that turns voltages into currents.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.circuit.spec import CrossbarSpec
from geniex.models.guard import OperatingRange, RangeGuard, extremes

__all__ = [
    "CrossbarModel",
    "OperatingRange",
    "Read",
    "check_conductances",
    "check_range",
    "check_voltages",
    "in_own_precision",
]

Read = Callable[[Tensor], Tensor]
"""v (*tile, input, row) volt -> i (*tile, input, col) ampere. Derived state: never saved, made anew by `program`."""


class CrossbarModel(nn.Module, ABC):
    """A way of computing crossbars. Leading dimensions of `g` and `v` broadcast as in matmul."""

    guard = RangeGuard()
    """What the model does when it is asked for something outside of `operating_range`."""

    @abstractmethod
    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Prepare crossbars for reading.

        Args:
            g: conductances in siemens.

        Raises:
            ValueError: if `g` has the wrong shape, or is negative, not finite, or outside `operating_range`.
        """

    def write(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Conductances in siemens that the cells have after `g` was written to them: `g`, but for device effects.

        An effect of writing draws here, and its `program(g)` is `after_writing.program(write(g))`.
        """
        return g

    @property
    def after_writing(self) -> "CrossbarModel":
        """The same model of crossbars that are written already: without the effects that `write` has."""
        return self

    def forward(self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]) -> Tensor:
        """Currents in ampere (*tile, input, col) for voltages in volt and conductances in siemens."""
        return self.program(g)(v)

    @property
    def operating_range(self) -> OperatingRange | None:
        """What the model can be asked; None is any crossbar at any voltage."""
        return None


def check_range(model: CrossbarModel, needed: OperatingRange) -> None:
    """Raise ValueError if `model` was made for another crossbar, or for less voltage or conductance than `needed`.

    Where its guard is set to warn, voltages and conductances are a warning.
    """
    offered, name = model.operating_range, type(model).__name__
    if offered is None:
        return
    if (offered.rows, offered.cols) != (needed.rows, needed.cols):
        raise ValueError(
            f"{name} models crossbars of {offered.rows}x{offered.cols}, but tiles of {needed.rows}x{needed.cols} "
            "were asked for. Set the tile size to the model's, or use a model of that size."
        )
    slack = 1e-6
    for quantity, unit in (("v", "V"), ("g", "S")):
        low, high = (getattr(offered, f"{quantity}_{end}") for end in ("min", "max"))
        least, most = (getattr(needed, f"{quantity}_{end}") for end in ("min", "max"))
        if least < low - slack * abs(low) or most > high + slack * abs(high):
            model.guard.tell(
                quantity,
                f"{name} holds for {quantity} from {low:g} to {high:g} {unit}, but {least:g} to {most:g} {unit} "
                "was asked for. Narrow the range, or train an emulator for it (`geniex train`).",
            )


def check_conductances(g: Tensor, spec: CrossbarSpec | None = None) -> None:
    """Raise ValueError unless `g` is (*tile, row, col), floating, finite, at least 0, and fits `spec`."""
    if not g.is_floating_point() or g.dim() < 2:
        raise ValueError(f"`g` must be a floating tensor (*tile, row, col) in siemens; got {_describe(g)}.")
    if spec is not None and g.shape[-2:] != (spec.rows, spec.cols):
        raise ValueError(
            f"`g` must end in (row, col) = ({spec.rows}, {spec.cols}), the crossbar's; got {_describe(g)}."
        )
    low, high = extremes(g)
    if not (low >= 0 and high < math.inf):
        wrong = ~(torch.isfinite(g) & (g >= 0))
        first = g[wrong][0].item()
        raise ValueError(
            f"`g` must be finite and at least 0 S; {int(wrong.sum())} of {g.numel()} values are not, "
            f"the first is {first}."
        )


def check_voltages(v: Tensor, g: Tensor) -> None:
    """Raise ValueError unless `v` is (*tile, input, row) of the dtype of `g`, finite, and fits the crossbars `g`."""
    if v.dim() < 2 or v.shape[-1] != g.shape[-2]:
        raise ValueError(f"`v` must be (*tile, input, row) in volt with row = {g.shape[-2]}; got {_describe(v)}.")
    _check_tiles(v, g)
    if v.dtype != g.dtype or v.device != g.device:
        raise ValueError(
            f"`v` must have the dtype and device of `g`, {_describe(g)}; got {_describe(v)}. Cast one of them."
        )
    if not max(map(abs, extremes(v))) < math.inf:
        raise ValueError(f"`v` must be finite; {int((~torch.isfinite(v)).sum())} of {v.numel()} values are not.")


def in_own_precision(
    model: CrossbarModel, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]
) -> Tensor:
    """Currents in ampere on the CPU, computed where and in the precision in which the weights of `model` are.

    A model without weights computes in the precision of `v` and `g`.

    Args:
        model: answers.
        v: voltages in volt.
        g: conductances in siemens.
    """
    for parameter in model.parameters():
        return model(v.to(parameter), g.to(parameter)).cpu()
    return model(v, g).cpu()


def _check_tiles(v: Tensor, g: Tensor) -> None:
    try:
        torch.broadcast_shapes(v.shape[:-2], g.shape[:-2])
    except RuntimeError as error:
        raise ValueError(
            f"The leading dimensions of `v` must broadcast with those of `g`, {tuple(g.shape[:-2])}; "
            f"got {_describe(v)}."
        ) from error


def _describe(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)} on {x.device}"

"""The GENIEx network (arXiv 2003.06902, section 4): a learned ratio of ideal to non-ideal column current.

Conductances and voltages, scaled to 0..1, enter one hidden layer of ReLUs; the output is f_R = i_ref / i of every
column, scaled to 0..1 by the range seen in training. The half of the first layer that sees the conductances is
computed once per programmed crossbar.

In the paper i_ref is the ideal current, sum_i V_i g_ij. Here it can be sum_i a(V_i) g_ij, with `a` the curve of a cell
behind a typically loaded word line: which cells a large voltage falls on, a sum over products of inputs and
conductances, is what a layer that sees them side by side cannot know.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geniex.circuit.spec import CrossbarSpec
from geniex.models.base import CrossbarModel, Read, check_conductances, check_voltages
from geniex.models.guard import OperatingRange
from geniex.products import SharedInputs, affine, driven_rows, product

__all__ = ["Geniex", "Scaling"]

INPUTS_AT_ONCE = 256  # whose hidden activations stay in cache


@dataclass(frozen=True)
class Scaling:
    """The ranges that the network maps to 0..1.

    Attributes:
        v_max: largest input voltage in volt; the smallest is 0.
        g_min: smallest conductance in siemens.
        g_max: largest conductance in siemens.
        f_min: smallest ratio of reference to non-ideal current in the training data.
        f_max: largest ratio of reference to non-ideal current in the training data.
        curve: c_1, c_2 ... of the reference current sum_i a(V_i) g_ij: a(V) = V (c_1 + c_2 t + c_3 t^2 ...) with
            t = V / v_max. The paper's, (1,), is Ohm's law.
        v_density: least and largest mean of an input in the training data, as a share of v_max.
        g_density: least and largest mean of a crossbar in the training data, as a share of the range above g_min.
    """

    v_max: float
    g_min: float
    g_max: float
    f_min: float
    f_max: float
    curve: tuple[float, ...] = (1.0,)
    v_density: tuple[float, float] = (0.0, 1.0)
    g_density: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        values = [*(getattr(self, name) for name in ("v_max", "g_min", "g_max", "f_min", "f_max")), *self.curve]
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"`Scaling` needs finite values; got {self}.")
        if not (self.v_max > 0 and 0 <= self.g_min < self.g_max and 0 < self.f_min < self.f_max):
            raise ValueError(f"`Scaling` needs v_max > 0, 0 <= g_min < g_max and 0 < f_min < f_max; got {self}.")


class Geniex(CrossbarModel):
    """An emulator of one crossbar: made by `geniex.emulation`, loaded by `geniex.load`."""

    def __init__(self, spec: CrossbarSpec, scaling: Scaling, hidden: int = 500) -> None:
        """An untrained network.

        Args:
            spec: the crossbar that it stands for.
            scaling: input and output ranges.
            hidden: width of the hidden layer; 500 in the paper.
        """
        super().__init__()
        if hidden < 1:
            raise ValueError(f"`Geniex(hidden=...)` must be at least 1; got {hidden}.")
        self.spec, self.scaling = spec, scaling
        self.conductance = nn.Linear(spec.rows * spec.cols, hidden)
        self.voltage = nn.Linear(spec.rows, hidden, bias=False)
        self.output = nn.Linear(hidden, spec.cols)

    @property
    def operating_range(self) -> OperatingRange:
        """The crossbar, voltages and conductances it was trained for."""
        s = self.scaling
        return OperatingRange(self.spec.rows, self.spec.cols, 0.0, s.v_max, s.g_min, s.g_max, s.v_density, s.g_density)

    def reference(
        self, v: Float[Tensor, "*#tile input row"], g: Float[Tensor, "*#tile row col"]
    ) -> Float[Tensor, "*tile input col"]:
        """The current in ampere that f_R divides."""
        return self.effective(v) @ g

    def effective(self, v: Float[Tensor, "*tile input row"]) -> Float[Tensor, "*tile input row"]:
        """a(V) in volt, the inputs by which the reference current is linear."""
        *others, factor = (v.new_tensor(c / self.scaling.v_max**power) for power, c in enumerate(self.scaling.curve))
        for coefficient in reversed(others):
            factor = torch.addcmul(coefficient, factor, v)
        return v * factor

    def ratio(
        self, v: Float[Tensor, "*tile input row"], g: Float[Tensor, "*tile row col"]
    ) -> Float[Tensor, "*tile input col"]:
        """f_R = i_ref / i, as the paper writes it: what training fits, and what `program` computes in two stages."""
        return self.ratio_from(v, self.conductance_half(g))

    def conductance_half(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile hidden"]:
        """What the conductances add to the hidden layer."""
        s = self.scaling
        return self.conductance(_column_by_column(g - s.g_min) / (s.g_max - s.g_min))

    def ratio_from(
        self, v: Float[Tensor, "*tile input row"], half: Float[Tensor, "*tile hidden"]
    ) -> Float[Tensor, "*tile input col"]:
        """f_R of `v`, and of the crossbars that `half` was made from."""
        s = self.scaling
        hidden = torch.relu(self.voltage(v / s.v_max) + half.unsqueeze(-2))
        return s.f_min + (s.f_max - s.f_min) * self.output(hidden)

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Compute the conductance half; see `CrossbarModel.program`. A read raises ValueError for v out of range.

        With a the voltage half and b the conductance half, W relu(a + b) = W max(a, -b) + W b: a read passes over
        its activations once, and scales are folded into the weights.
        """
        check_conductances(g, self.spec)
        s = self.scaling
        bounds = self.operating_range
        self.guard.check_conductances(g, bounds)
        half = self.conductance_half(g)
        weight = self.output.weight * (s.f_max - s.f_min)
        offset = s.f_min + (s.f_max - s.f_min) * self.output.bias + half @ weight.mT
        from_voltage = (self.voltage.weight.mT / s.v_max).contiguous()
        conduct = SharedInputs(g)

        def read(v: Tensor) -> Tensor:
            check_voltages(v, g)
            self.guard.check_voltages(v, bounds)
            tile = torch.broadcast_shapes(v.shape[:-2], g.shape[:-2])
            reference = conduct(self.effective(v)).expand(*tile, -1, -1)
            layers = from_voltage, weight.mT, offset.expand(*tile, -1)
            # however far it errs, no current changes its sign
            return _divided(reference, v, half.expand(*tile, -1), layers, s.f_min / 2)

        return read


def _column_by_column(g: Tensor) -> Tensor:
    return g.mT.flatten(-2)


def _divided(reference: Tensor, v: Tensor, half: Tensor, layers: tuple[Tensor, Tensor, Tensor], least: float) -> Tensor:
    """Currents (*tile, input, col) of inputs (*#tile, input, row) on crossbars: `reference` / f_R.

    Args:
        reference: currents (*tile, input, col).
        v: shared by tiles where it broadcasts; so is then its half of the hidden layer.
        half: conductance halves (*tile, hidden).
        layers: weights of the voltage half and of the output layer, and the output's offset (*tile, col).
        least: what f_R is at least.
    """
    from_voltage, weight, offset = layers
    shared = v.shape[:-2].numel() == 1
    inputs = v.reshape(1, *v.shape[-2:]) if shared else v.expand(*half.shape[:-1], *v.shape[-2:]).flatten(0, -3)
    halves, offsets = half.reshape(-1, half.shape[-1]), offset.reshape(-1, offset.shape[-1])
    currents, rows = reference.reshape(-1, *reference.shape[-2:]), driven_rows(inputs)
    inputs, from_voltage = inputs[..., :rows].contiguous(), from_voltage[:rows]
    at_once = INPUTS_AT_ONCE if v.device.type == "cpu" else max(1, v.shape[-2])
    divided: list[list[Tensor]] = [[] for _ in halves]
    for first in range(0, v.shape[-2], at_once):
        some = slice(first, first + at_once)
        driven = [product(one, from_voltage) for one in inputs[:, some]]
        for k, of_tile in enumerate(divided):
            hidden = torch.maximum(driven[0 if shared else k], -halves[k])
            of_tile.append(currents[k, some] / affine(hidden, weight, offsets[k]).clamp(min=least))
    pieces = [piece for of_tile in divided for piece in of_tile]
    return torch.cat(pieces).view(reference.shape) if pieces else torch.zeros_like(reference)

"""Gradients of the analog product: those of the crossbars themselves, straight through where numbers are rounded.

The forward pass is the one of inference. The backward pass repeats it in chunks, differentiably, so that memory stays
bounded. The slope of a number is shared out to its digits by what each contributes to it: a digit d of place p moves by
(p |d| / sum p |d|) / p; of a 0, the least significant digit moves. With ideal crossbars the gradients are those of
x @ w, as long as numbers do not overflow: beyond its range a number has none.
"""

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from geniex.coding import Stream, stream_digits
from geniex.digital import Number, in_steps, places, quantize
from geniex.functional.hardware import HardwareConfig, array_widths, compute_dtype, used_cols, window
from geniex.functional.programmed import ProgrammedMatrix, combine, row_tile
from geniex.functional.reading import RowTile, read_tile
from geniex.functional.writing import WrittenMatrix, left_out, placed, weight_digits
from geniex.models.randomness import replaying
from geniex.rounding import straight_through

if TYPE_CHECKING:
    from geniex.functional.matmul import AnalogMatmul

__all__ = ["AnalogProduct"]

CHUNK_CURRENTS = 2**20  # column currents that are differentiated at once


class AnalogProduct(torch.autograd.Function):
    """x (input, row) @ w (row, col), where `programmed` holds `w`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, matmul: "AnalogMatmul", programmed: ProgrammedMatrix) -> Tensor:
        """See `AnalogMatmul.multiply`."""
        ctx.save_for_backward(x, w)
        ctx.matmul, ctx.programmed = matmul, programmed
        return matmul.multiply(x, programmed)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Gradients to `x` and `w`."""
        x, w = ctx.saved_tensors
        with torch.enable_grad():
            repeated = _Repeated(w, ctx.matmul, ctx.programmed)
            for k in range(0, len(x), repeated.inputs_at_once):
                part = slice(k, k + repeated.inputs_at_once)
                repeated.add(x[part], grad_outputs[0][part])
            return torch.cat(repeated.grad_x).to(x.dtype), repeated.grad_w.to(w.dtype), None, None


class _Repeated:
    """The product once more, with gradients; collects those of chunks."""

    def __init__(self, w: Tensor, matmul: "AnalogMatmul", programmed: ProgrammedMatrix) -> None:
        config = matmul.config
        self.config, self.dtype = config, compute_dtype(matmul.model, config)
        self.w = w.detach().to(self.dtype).requires_grad_()
        self.crossbars, self.streams, self.places = programmed.crossbars, programmed.streams, programmed.places
        digit = _weight_digits(self.w, programmed.written.q, config)
        self.words = torch.stack([_words(d, each).sum(0) for d, each in zip(digit, array_widths(config), strict=True)])
        self.tiles = list(_row_tiles(digit, programmed.written, matmul))
        currents = programmed.crossbars * config.cols * len(self.streams)
        self.inputs_at_once = max(1, CHUNK_CURRENTS // currents)
        self.grad_w, self.grad_x = torch.zeros_like(self.w), []

    def add(self, x: Tensor, grad_y: Tensor) -> None:
        """Add the gradients of some inputs."""
        x = x.detach().to(self.dtype).requires_grad_()
        q = _passed(x, quantize(x.detach(), self.config.inputs), self.config.inputs)
        sums = q.new_zeros(len(x), self.crossbars, used_cols(self.config), dtype=torch.float64).requires_grad_()
        y = combine(sums, q.double(), self.words, self.config)
        grad_sums, grad_x, grad_w = torch.autograd.grad(
            y, (sums, x, self.w), grad_y.double(), retain_graph=True, materialize_grads=True
        )
        self.grad_w += grad_w
        digit, moves = _input_digits(q, self.streams)
        for part in self.tiles:
            for grads in self._tile(part, x, (digit, moves), grad_sums):
                grad_x = grad_x + grads[0]
                self.grad_w += grads[1]
        self.grad_x.append(grad_x)

    def _tile(
        self, here: RowTile, x: Tensor, digits_of: tuple[Tensor, Tensor], grad_sums: Tensor
    ) -> Generator[tuple[Tensor, ...], None, None]:
        """Gradients to `x` and `w` of what one row tile adds to the sums."""
        digit, moves = (here.filled(part[..., here.rows]) for part in digits_of)
        entry, stream = (digit.ne(0) | moves.ne(0)).any(-1).nonzero().unbind(-1)
        if len(entry):
            y = read_tile(digit[entry, stream], here)
            grad = grad_sums[:, here.which][entry] * self.places[stream, None, None]
            yield torch.autograd.grad(
                y, (x, self.w), grad.movedim(0, 1).to(y.dtype), retain_graph=True, materialize_grads=True
            )


def _row_tiles(digit: list[Tensor], written: WrittenMatrix, matmul: "AnalogMatmul") -> Generator[RowTile, None, None]:
    """Crossbars with digits that move, written as they were: with the same draws where these can be repeated."""
    model, config = matmul.model, matmul.config
    tiles = {tile.placed.number: tile for tile in written.tiles}
    with nullcontext() if written.states is None else replaying(model, written.states):
        for part in placed(digit, config):
            g = window(config).conductances(part.level, compute_dtype(model, config))
            if written.states is None:
                g = straight_through(tiles[part.number].g, g)
            else:
                g = model.write(g)
            yield row_tile(part, g, model, config)
    for part in left_out(digit, config):  # they read as 0, but a weight on them moves that
        g = window(config).conductances(part.level, compute_dtype(model, config))
        yield row_tile(part, g, model, config)


def _passed(x: Tensor, q: Tensor, number: Number) -> Tensor:
    """The integers `q`, with the gradient of x in steps, where it is inside of the format."""
    largest = 2 ** (number.bits - 1)
    inside = in_steps(x, number).clamp(-largest, largest - 1)
    return straight_through(q.to(inside.dtype), inside)


def _input_digits(q: Float[Tensor, "input row"], streams: list[Stream]) -> tuple[Tensor, Tensor]:
    """Digits (input, stream, row) that move with `q`, and how much each moves per step of it."""
    digit = stream_digits(q.detach().to(torch.int32), streams).to(q.dtype)
    moves = _moves(digit, q.new_tensor([s.place for s in streams])[:, None], 1)
    return digit + moves * (q - q.detach()).unsqueeze(1), moves


def _weight_digits(w: Tensor, q: Tensor, config: HardwareConfig) -> list[Tensor]:
    """Digits (slice, row, col) of each array that move with `w`."""
    moving = _passed(w, q, config.weights)
    digit = [each.to(w.dtype) for each in weight_digits(q, config)]
    signed = [
        sign * w.new_tensor(places(widths))
        for sign, widths in zip(_array_signs(config), array_widths(config), strict=True)
    ]
    moves = _moves(torch.cat(digit), torch.cat(signed)[:, None, None], 0).split([len(d) for d in digit])
    change = moving - moving.detach()
    return [d + move * change for d, move in zip(digit, moves, strict=True)]


def _array_signs(config: HardwareConfig) -> list[float]:
    """What a product with the word of each array is worth."""
    arrays, bits = config.mapping.arrays, config.weights.bits
    x = torch.zeros(1, 1, dtype=torch.float64)
    units = torch.eye(arrays, dtype=torch.float64)[:, :, None, None]
    return [config.mapping.decode(unit, x, bits).item() for unit in units.unbind(0)]


def _moves(digit: Tensor, place: Tensor, dim: int) -> Tensor:
    """How much each digit moves per step of its number."""
    share = (digit * place).abs()
    total = share.sum(dim, keepdim=True)
    first = torch.zeros_like(digit)
    first.select(dim, 0).fill_(1.0)
    return torch.where(total > 0, share / total.clamp(min=1.0), first) / place


def _words(digit: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Words (row, col) in float64 of digits (slice, row, col)."""
    place = torch.tensor(places(widths), dtype=torch.float64, device=digit.device)
    return (digit * place[:, None, None]).sum(0)

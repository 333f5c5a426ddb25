"""Products of many inputs with a few small matrices, on the fastest library that torch has for them.

torch gives float32 products to MKL, which on processors of other makers than its own leaves out their widest vectors;
oneDNN, which torch has too, takes half the time there.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SharedInputs", "affine", "driven_rows", "product", "whole_blocks"]

ROWS_AT_ONCE = 16

BLOCK = 64  # inputs: oneDNN compiles a kernel for every shape that it meets, and keeps a thousand


def product(x: Float[Tensor, "input row"], w: Float[Tensor, "row col"]) -> Float[Tensor, "input col"]:
    """X @ w."""
    return _linear(x, w.mT, None) if _plain(x, w) else x @ w


def affine(
    x: Float[Tensor, "input row"], w: Float[Tensor, "row col"], offset: Float[Tensor, " col"]
) -> Float[Tensor, "input col"]:
    """X @ w + offset."""
    return _linear(x, w.mT, offset) if _plain(x, w, offset) else torch.addmm(offset, x, w)


class SharedInputs:
    """x @ m where all matrices see the same inputs: one product with all of them side by side."""

    def __init__(self, m: Float[Tensor, "*tile row col"]) -> None:
        """Keep the matrices."""
        self.m = m
        self.side_by_side = m.detach().movedim(-2, 0).flatten(1).mT.contiguous() if m.dim() > 2 else None

    def __call__(self, x: Float[Tensor, "*#tile input row"]) -> Float[Tensor, "*tile input col"]:
        """Products; a view whose matrices alternate in memory where inputs are shared."""
        if self.side_by_side is None or x.shape[:-2].numel() != 1 or x.dim() > self.m.dim() or not _plain(x, self.m):
            return x @ self.m
        tiles, (inputs, _), cols = self.m.shape[:-2], x.shape[-2:], self.m.shape[-1]
        return _linear(x.reshape(inputs, -1), self.side_by_side, None).view(inputs, *tiles, cols).movedim(0, -2)


def _plain(*tensors: Tensor) -> bool:
    """Whether oneDNN has the product: float32 on a CPU, not empty, no gradients; torch.compile has its own ways."""
    if torch.compiler.is_compiling():
        return False
    needs_gradients = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    fits = all(x.dtype == torch.float32 and x.device.type == "cpu" and x.numel() for x in tensors)
    return fits and not needs_gradients and torch.backends.mkldnn.is_available()


def driven_rows(x: Float[Tensor, "*tile input row"]) -> int:
    """Rows up to the last one on which any input is not 0, rounded up to whole vectors; all of them on a GPU."""
    rows = x.shape[-1]
    if x.device.type != "cpu":
        return rows
    last = np.flatnonzero(x.detach().numpy().any(axis=tuple(range(x.dim() - 1))))[-1:]
    return min(rows, -(-(int(last.sum()) + 1) // ROWS_AT_ONCE) * ROWS_AT_ONCE)


def whole_blocks(inputs: int) -> int:
    """The next larger number of inputs that a kernel is compiled for."""
    return -(-inputs // BLOCK) * BLOCK


def _linear(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    inputs = len(x)
    if inputs % BLOCK:
        x = torch.nn.functional.pad(x, (0, 0, 0, whole_blocks(inputs) - inputs))
    return torch.ops.mkldnn._linear_pointwise(x, w, bias, "none", [], "")[:inputs]

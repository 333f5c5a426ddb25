"""Formats that fit the numbers of a network: steps of inputs and weights from what enters each product."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geniex.calibration.methods import Method
from geniex.calibration.numbers import SAMPLE, Numbers, Observed, thinned
from geniex.calibration.result import CalibratedProduct, Span
from geniex.digital import Number, Scaled
from geniex.layers import AnalogLayer

__all__ = ["Ranges", "input_format", "products_of", "usable", "weight_format"]

TINY = float(np.finfo(np.float32).tiny)  # smaller steps are 0 in float32


@dataclass(frozen=True)
class Ranges:
    """What enters the products of a network, as `show` tells of it.

    Attributes:
        layers: by name, the inputs of all products, which share a format.
        products: by name, the inputs of each.
    """

    layers: dict[str, Observed]
    products: dict[str, list[Observed]]

    @staticmethod
    def of(layers: dict[str, AnalogLayer], method: Method) -> "Ranges":
        """Nothing seen yet."""
        kept = SAMPLE if method.needs_sample else 0
        return Ranges(
            {name: Observed(1, kept) for name in layers},
            {name: [Observed(1, 0) for _ in layer.matrices()] for name, layer in layers.items()},
        )

    def __call__(self, name: str, which: int, x: Tensor) -> None:
        """See inputs of a product."""
        numbers = x.reshape(-1, 1)
        self.layers[name].add(numbers)
        self.products[name][which].add(numbers)


def input_format(observed: Observed, method: Method, configured: Number) -> Scaled | None:
    """Format of the inputs of a layer; None where there is nothing but zeros."""
    step = usable(method.steps(observed.numbers(), *_codes(configured)))
    return None if step is None else Scaled(configured.bits, float(step[0]), configured.overflow)


def weight_format(matrices: list[Tensor], method: Method, per_channel: bool, configured: Number) -> Scaled | None:
    """Format of the weights of a layer; None where they are all 0.

    Args:
        matrices: (row, col) each.
        method: chooses steps.
        per_channel: whether every column has its own, the same in all matrices; one step where they have not equally
            many columns.
        configured: how many bits.
    """
    if not per_channel or len({w.shape[1] for w in matrices}) > 1:
        matrices = [w.reshape(-1, 1) for w in matrices]
    largest = torch.stack([w.abs().amax(0) for w in matrices]).amax(0)
    sample = thinned(torch.cat(matrices), SAMPLE) if method.needs_sample else matrices[0][:0]
    numbers = Numbers(largest.double().cpu().numpy(), sample.double().cpu().numpy())
    steps = usable(method.steps(numbers, *_codes(configured)))
    if steps is None:
        return None
    return Scaled(configured.bits, float(steps[0]) if len(steps) == 1 else tuple(steps.tolist()), configured.overflow)


def usable(steps: np.ndarray) -> np.ndarray | None:
    """The steps, where a column has none that of the widest; None where no column has any."""
    widest = float(steps.max(initial=0.0))
    return None if widest < TINY else np.where(steps < TINY, widest, steps)


def products_of(ranges: list[Observed], matrices: list[Tensor]) -> tuple[CalibratedProduct, ...]:
    """Table of a layer's products, with nothing clipped yet."""
    products = []
    for observed, w in zip(ranges, matrices, strict=True):
        inputs = Span(observed.count, float(observed.least.min()), float(observed.most.max()))
        weights = Span(w.numel(), w.min().item(), w.max().item()) if w.numel() else Span()
        products.append(CalibratedProduct((w.shape[0], w.shape[1]), inputs if observed.count else Span(), weights))
    return tuple(products)


def _codes(number: Number) -> tuple[int, int]:
    """Smallest and largest code."""
    return -(2 ** (number.bits - 1)), 2 ** (number.bits - 1) - 1

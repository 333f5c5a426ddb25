"""Numbers that pass by, summed up in bounded memory: extremes and count of all of them, and a sample.

Zeros need no range, and padding adds as many as it likes; so they count as numbers, but not in the sample.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SAMPLE", "Numbers", "Observed", "thinned"]

SAMPLE = 2**18  # numbers that are kept of a layer's inputs, and of each matrix
AT_ONCE = 2**20  # keys that are made at once
GOLDEN, KEYS = np.uint64(2654435769), np.uint64(2**32)  # multiples of the golden ratio's fraction fill 0 .. 1 evenly


@dataclass(frozen=True)
class Numbers:
    """What a step is chosen from, column by column.

    Attributes:
        largest: magnitude of all numbers (col,).
        sample: some of them (number, col).
    """

    largest: np.ndarray
    sample: np.ndarray


class Observed:
    """Columns of numbers that are added bit by bit."""

    def __init__(self, columns: int, kept: int) -> None:
        """Begin with none.

        Args:
            columns: numbers side by side.
            kept: rows of them that are kept as a sample, at most; 0 keeps none.
        """
        self.count, self.least, self.most = 0, np.full(columns, np.inf), np.full(columns, -np.inf)
        self.kept, self.seen, self.below = kept, 0, int(KEYS)
        self.keys, self.rows = np.empty(0, np.uint64), np.empty((0, columns), np.float32)

    def add(self, x: Float[Tensor, "number col"]) -> None:
        """Take more numbers into account."""
        if not x.numel():
            return
        self.count += x.numel()
        self.least = np.minimum(self.least, x.amin(0).double().cpu().numpy())
        self.most = np.maximum(self.most, x.amax(0).double().cpu().numpy())
        if self.kept:
            for part in x.split(max(1, AT_ONCE // x.shape[1])):
                self._keep(part)

    def numbers(self) -> Numbers:
        """All that is known of the magnitudes."""
        return Numbers(np.maximum(np.maximum(-self.least, self.most), 0.0), self.rows.astype(np.float64))

    def _keep(self, x: Tensor) -> None:
        """Rows whose keys are small, a share that is halved whenever there are too many: the same ones in every run."""
        x = x[x.ne(0).any(1)]
        keys = _keys(self.seen, len(x))
        self.seen += len(x)
        small = np.flatnonzero(keys < self.below)
        rows = x[torch.from_numpy(small).to(x.device)].to(x.dtype if x.dtype == torch.float64 else torch.float32)
        self.keys, self.rows = np.concatenate([self.keys, keys[small]]), np.concatenate([self.rows, rows.cpu().numpy()])
        while len(self.keys) > self.kept:
            self.below //= 2
            small = self.keys < self.below
            self.keys, self.rows = self.keys[small], self.rows[small]


def thinned(x: Float[Tensor, "row col"], numbers: int) -> Float[Tensor, "some col"]:
    """As many of the rows as hold `numbers`, the same ones in every run."""
    wanted = max(1, numbers // max(1, x.shape[1]))
    if len(x) <= wanted:
        return x
    smallest = np.argsort(_keys(0, len(x)))[:wanted]
    return x[torch.from_numpy(np.sort(smallest)).to(x.device)]


def _keys(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint64) * GOLDEN % KEYS

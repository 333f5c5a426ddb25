"""Distributions of digits from which emulators learn: what DACs drive and what cells store.

A network's tiles are not uniform noise: low slices are dense, high slices nearly empty, rectified activations sparse,
and the last tiles of a layer partly unused. `MixedDigits` draws both that and the uniform levels at mixed sparsity of
the GENIEx paper (arXiv 2003.06902, section 4).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor

__all__ = ["MixedDigits"]


@dataclass(frozen=True)
class MixedDigits:
    """Digit levels of voltages and conductances, at every sparsity.

    Attributes:
        v_bits: bits of an input digit; its levels are 0 to 2^v_bits - 1.
        g_bits: bits of a weight digit.
        sparsest: largest share of zeros; each crossbar and each input draws its own share from 0 to here.
        network_share: share of crossbars and of inputs whose digits are cut from bell-shaped numbers, as in a network;
            the others have uniform levels.
    """

    v_bits: int = 4
    g_bits: int = 4
    sparsest: float = 0.95
    network_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("v_bits", "g_bits"):
            if not 1 <= getattr(self, name) <= 8:
                raise ValueError(f"`MixedDigits({name}=...)` must lie between 1 and 8; got {getattr(self, name)}.")
        for name in ("sparsest", "network_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`MixedDigits({name}=...)` must lie between 0 and 1; got {getattr(self, name)}.")

    def conductance_levels(
        self, count: int, rows: int, cols: int, generator: Generator
    ) -> Int[Tensor, "count row col"]:
        """Levels of `count` crossbars. In a network-like one, groups of columns hold slices of falling density."""
        slices = torch.randint(1, 5, (count, 1, 1), generator=generator)
        first = torch.randint(0, 4, (count, 1, 1), generator=generator)
        place = (first + torch.arange(cols) * slices // cols) % 4
        used_rows = _used(count, rows, generator)[:, :, None]
        used_cols = _used(count, cols, generator)[:, None, :]
        network = _bell_digits((count, rows, cols), place, self.g_bits, generator) * used_rows * used_cols
        return self._mix(network, self.g_bits, generator)

    def voltage_levels(self, count: int, rows: int, generator: Generator) -> Int[Tensor, "count row"]:
        """Levels of `count` inputs. A network-like one is one stream of rectified activations."""
        place = torch.randint(0, 4, (count, 1), generator=generator)
        network = _bell_digits((count, rows), place, self.v_bits, generator) * _used(count, rows, generator)
        return self._mix(network, self.v_bits, generator)

    def _mix(self, network: Tensor, bits: int, generator: Generator) -> Tensor:
        per_item = (len(network), *[1] * (network.dim() - 1))
        uniform = torch.randint(0, 2**bits, network.shape, generator=generator)
        zeros = self.sparsest * torch.rand(per_item, generator=generator)
        uniform = uniform * (torch.rand(network.shape, generator=generator) >= zeros)
        return torch.where(torch.rand(per_item, generator=generator) < self.network_share, network, uniform)


def _bell_digits(shape: tuple[int, ...], place: Tensor, bits: int, generator: Generator) -> Tensor:
    """Digit number `place` of positive halves of normal numbers whose deviation spans the word of four digits."""
    spread = torch.rand((shape[0], *[1] * (len(shape) - 1)), generator=generator) * 3 * bits + bits
    number = torch.randn(shape, generator=generator).clamp(min=0) * 2**spread
    return (number.long() >> (bits * place)) % 2**bits


def _used(count: int, size: int, generator: Generator) -> Tensor:
    """1 for the used part of a dimension: all of it in three of four cases, a first part in the fourth."""
    length = torch.randint(1, size + 1, (count, 1), generator=generator)
    length = torch.where(torch.rand((count, 1), generator=generator) < 0.75, size, length)
    return (torch.arange(size) < length).long()

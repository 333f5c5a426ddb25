"""Distributions of digits from which emulators learn: what DACs drive and what cells store.

A network's tiles are not uniform noise: low slices are dense, high slices nearly empty, rectified activations sparse,
and the last tiles of a layer partly unused. `MixedDigits` draws both that and the uniform levels at mixed sparsity of
the GENIEx paper (arXiv 2003.06902, section 4); `Corners` the extremes, `Mixture` several of them, and
`recorded.RecordedDigits` those of one network.
"""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

__all__ = ["Corners", "DigitSampling", "MixedDigits", "Mixture", "describe_sampling", "generator_of"]


@runtime_checkable
class DigitSampling(Protocol):
    """A distribution of digit levels: 0 to 2^bits - 1."""

    @property
    def v_bits(self) -> int:
        """Bits of an input digit."""
        ...

    @property
    def g_bits(self) -> int:
        """Bits of a weight digit."""
        ...

    def conductance_levels(
        self, count: int, rows: int, cols: int, generator: Generator
    ) -> Int[Tensor, "count row col"]:
        """Levels of `count` crossbars."""
        ...

    def voltage_levels(self, count: int, rows: int, generator: Generator) -> Int[Tensor, "count row"]:
        """Levels of `count` inputs."""
        ...


def generator_of(seed: int, *part: int | str) -> Generator:
    """The generator of one part of a run: independent of the other parts', and of their order."""
    digest = hashlib.sha256(json.dumps([seed, *part]).encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:7]))


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
        _check_bits(self)
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
        zeros = self.sparsest * torch.rand(per_item, generator=generator, dtype=torch.float32)
        uniform = uniform * (torch.rand(network.shape, generator=generator, dtype=torch.float32) >= zeros)
        return torch.where(
            torch.rand(per_item, generator=generator, dtype=torch.float32) < self.network_share, network, uniform
        )


@dataclass(frozen=True)
class Corners:
    """The extremes: all cells on, all off, one row on, one column on; all inputs at the top, one alone, all alike.

    Attributes:
        v_bits: bits of an input digit.
        g_bits: bits of a weight digit.
    """

    v_bits: int = 4
    g_bits: int = 4

    def __post_init__(self) -> None:
        _check_bits(self)

    def conductance_levels(
        self, count: int, rows: int, cols: int, generator: Generator
    ) -> Int[Tensor, "count row col"]:
        """Levels of `count` crossbars, each of one kind at random."""
        row = torch.randint(rows, (count, 1, 1), generator=generator) == torch.arange(rows)[:, None]
        col = torch.randint(cols, (count, 1, 1), generator=generator) == torch.arange(cols)
        kinds = torch.stack([x.expand(count, rows, cols) for x in (torch.tensor(True), torch.tensor(False), row, col)])
        kind = torch.randint(len(kinds), (count,), generator=generator)
        return kinds[kind, torch.arange(count)] * (2**self.g_bits - 1)

    def voltage_levels(self, count: int, rows: int, generator: Generator) -> Int[Tensor, "count row"]:
        """Levels of `count` inputs, each of one kind at random."""
        top = 2**self.v_bits - 1
        alone = top * (torch.randint(rows, (count, 1), generator=generator) == torch.arange(rows))
        alike = torch.randint(1, top + 1, (count, 1), generator=generator).expand(-1, rows)
        kinds = torch.stack([torch.full_like(alone, top), alone, alike])
        return kinds[torch.randint(len(kinds), (count,), generator=generator), torch.arange(count)]


@dataclass(frozen=True)
class Mixture:
    """Several distributions: each crossbar, and each input, is drawn from one of them.

    Attributes:
        parts: the distributions, of the same number of bits.
        shares: how often each is taken, in any unit.
    """

    parts: tuple[DigitSampling, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.parts or len(self.shares) != len(self.parts) or min(self.shares) < 0 or sum(self.shares) <= 0:
            raise ValueError(
                "`Mixture` needs a share of at least 0 for each part, not all of them 0; "
                f"got {len(self.parts)} parts and shares {self.shares}."
            )
        bits = {(part.v_bits, part.g_bits) for part in self.parts}
        if len(bits) > 1:
            raise ValueError(f"`Mixture(parts=...)` must draw digits of the same bits; got (v, g) = {sorted(bits)}.")

    @property
    def v_bits(self) -> int:
        """Bits of an input digit."""
        return self.parts[0].v_bits

    @property
    def g_bits(self) -> int:
        """Bits of a weight digit."""
        return self.parts[0].g_bits

    def conductance_levels(
        self, count: int, rows: int, cols: int, generator: Generator
    ) -> Int[Tensor, "count row col"]:
        """Levels of `count` crossbars."""
        return self._choose([part.conductance_levels(count, rows, cols, generator) for part in self.parts], generator)

    def voltage_levels(self, count: int, rows: int, generator: Generator) -> Int[Tensor, "count row"]:
        """Levels of `count` inputs."""
        return self._choose([part.voltage_levels(count, rows, generator) for part in self.parts], generator)

    def _choose(self, drawn: list[Tensor], generator: Generator) -> Tensor:
        count = len(drawn[0])
        chosen = torch.multinomial(torch.tensor(self.shares), max(count, 1), replacement=True, generator=generator)
        return torch.stack(drawn)[chosen[:count], torch.arange(count)]


def describe_sampling(sampling: Any) -> dict[str, Any]:
    """Type and parameters as plain values; of a tensor, its shape and a fingerprint."""
    return {"type": type(sampling).__name__, **{f.name: _plain(getattr(sampling, f.name)) for f in fields(sampling)}}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        digest = hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()[:16]
        return {"shape": list(value.shape), "sha256": digest}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return describe_sampling(value) if is_dataclass(value) else value


def _check_bits(sampling: Any) -> None:
    for name in ("v_bits", "g_bits"):
        if not 1 <= getattr(sampling, name) <= 8:
            found = f"{type(sampling).__name__}({name}=...)"
            raise ValueError(f"`{found}` must lie between 1 and 8; got {getattr(sampling, name)}.")


def _bell_digits(shape: tuple[int, ...], place: Tensor, bits: int, generator: Generator) -> Tensor:
    """Digit number `place` of positive halves of normal numbers whose deviation spans the word of four digits."""
    spread = torch.rand((shape[0], *[1] * (len(shape) - 1)), generator=generator, dtype=torch.float32) * 3 * bits + bits
    number = torch.randn(shape, generator=generator, dtype=torch.float32).clamp(min=0) * 2**spread
    return (number.long() >> (bits * place)) % 2**bits


def _used(count: int, size: int, generator: Generator) -> Tensor:
    """1 for the used part of a dimension: all of it in three of four cases, a first part in the fourth."""
    length = torch.randint(1, size + 1, (count, 1), generator=generator)
    length = torch.where(torch.rand((count, 1), generator=generator, dtype=torch.float32) < 0.75, size, length)
    return (torch.arange(size) < length).long()

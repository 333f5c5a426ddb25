"""The digits of one network: what its layers write into crossbars and drive into them, as recorded on given images."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Generator, Tensor

from geniex.files import read_npz, replacing

__all__ = ["RecordedDigits", "load_digits", "save_digits"]


@dataclass(frozen=True)
class RecordedDigits:
    """Crossbars and inputs drawn from recorded ones, whose rows change places at random.

    Columns stay where they are, since slices of a weight lie side by side. What is held out of training is drawn from
    the same records: unseen are the orders of rows, and what they are read with. To judge on crossbars of another
    network, record that one.

    Attributes:
        v_level: recorded inputs.
        g_level: recorded crossbars.
        v_bits: bits of an input digit.
        g_bits: bits of a weight digit.
    """

    v_level: UInt8[Tensor, "input row"]
    g_level: UInt8[Tensor, "crossbar row col"]
    v_bits: int = 4
    g_bits: int = 4

    def __post_init__(self) -> None:
        for name, axes in (("v_level", ("input", "row")), ("g_level", ("crossbar", "row", "col"))):
            level = getattr(self, name)
            if level.dtype != torch.uint8 or level.dim() != len(axes):
                raise ValueError(
                    f"`{name}` must be uint8 ({', '.join(axes)}); got {level.dtype} of shape {tuple(level.shape)}."
                )
        for name, bits in (("v_level", self.v_bits), ("g_level", self.g_bits)):
            level = getattr(self, name)
            if not level.numel() or level.max() >= 2**bits:
                largest = int(level.max()) if level.numel() else "none"
                raise ValueError(
                    f"`{name}` must hold levels of {bits} bits, 0 to {2**bits - 1}; the largest is {largest}."
                )
        if self.v_level.shape[-1] != self.g_level.shape[-2]:
            raise ValueError(
                f"`v_level` and `g_level` must have the same rows; got {self.v_level.shape[-1]} and "
                f"{self.g_level.shape[-2]}."
            )

    def conductance_levels(
        self, count: int, rows: int, cols: int, generator: Generator
    ) -> Int[Tensor, "count row col"]:
        """Levels of `count` crossbars.

        Raises:
            ValueError: if crossbars of another size were recorded.
        """
        if self.g_level.shape[1:] != (rows, cols):
            found = "x".join(map(str, self.g_level.shape[1:]))
            raise ValueError(f"Crossbars of {found} were recorded, not of {rows}x{cols}. Record the network again.")
        drawn = self.g_level[torch.randint(len(self.g_level), (count,), generator=generator)].long()
        order = torch.rand(count, rows, generator=generator, dtype=torch.float32).argsort(-1)
        return drawn.gather(1, order[..., None].expand_as(drawn))

    def voltage_levels(self, count: int, rows: int, generator: Generator) -> Int[Tensor, "count row"]:
        """Levels of `count` inputs."""
        drawn = self.v_level[torch.randint(len(self.v_level), (count,), generator=generator)].long()
        return drawn.gather(1, torch.rand(count, rows, generator=generator, dtype=torch.float32).argsort(-1))


def save_digits(path: str | os.PathLike[str], digits: RecordedDigits) -> None:
    """Write them as an npz file, whole or not at all."""
    with replacing(Path(path)) as beside, beside.open("wb") as file:
        bits = np.array([digits.v_bits, digits.g_bits])
        np.savez_compressed(file, v_level=digits.v_level.numpy(), g_level=digits.g_level.numpy(), bits=bits)


def load_digits(path: str | os.PathLike[str]) -> RecordedDigits:
    """Digits that `save_digits` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file of recorded digits {path}. `geniex record` makes one.")
    try:
        content = read_npz(Path(path))
        v_level, g_level = (torch.from_numpy(content[name]) for name in ("v_level", "g_level"))
        return RecordedDigits(v_level, g_level, *(int(bits) for bits in content["bits"]))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no file of recorded digits: {error} Make it again with `geniex record`."
        ) from error

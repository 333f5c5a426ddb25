"""How far each model is from the exact circuit, on tiles and inputs of the run itself."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from geniex.chip import Chip
from geniex.conversion import LayerConfig, convert
from geniex.emulation.recorded import RecordedDigits
from geniex.evaluation.results import NfSample
from geniex.functional import HardwareConfig, window
from geniex.models.base import CrossbarModel, Read, in_own_precision
from geniex.models.circuit import Circuit
from geniex.models.guard import OperatingRange
from geniex.models.ideal import Ideal
from geniex.nf import NfError, carries_current, nf_error

__all__ = ["TileSampler", "compare_with_exact", "record_digits", "sample_reads"]

PLOTTED_COLUMNS = 1500


class TileSampler(CrossbarModel):
    """A model that keeps a uniform random sample of the reads that pass through it; reads of 0 V only do not count."""

    def __init__(self, model: CrossbarModel, count: int, generator: Generator) -> None:
        """Wrap a model.

        Args:
            model: answers the reads.
            count: number of reads to keep.
            generator: decides which.
        """
        super().__init__()
        self.model, self.count, self.generator = model, count, generator
        self.programmed: list[Tensor] = []  # g of each call of `program`: a copy per read would take all the time
        self.kept: tuple[Tensor, Tensor, Tensor] | None = None  # keys (read,), v (read, row), (read, which g and tile)

    @property
    def operating_range(self) -> OperatingRange | None:
        """That of the wrapped model."""
        return self.model.operating_range

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Program the wrapped model; see `CrossbarModel.program`."""
        inner, which = self.model.program(g), len(self.programmed)
        self.programmed.append(g)

        def read(v: Tensor) -> Tensor:
            self._sample(v, which)
            return inner(v)

        return read

    def reads(self) -> tuple[Float[Tensor, "read 1 row"], Float[Tensor, "read row col"]]:
        """The voltages and conductances kept.

        Raises:
            RuntimeError: if no read drove any row.
        """
        if self.kept is None:
            raise RuntimeError("No read with a voltage other than 0 V was seen: are all images black?")
        places = self.kept[2].tolist()
        crossbars = [g.flatten(0, -3) if g.dim() > 2 else g.unsqueeze(0) for g in self.programmed]
        return self.kept[1].unsqueeze(-2), torch.stack([crossbars[which][tile] for which, tile in places]).cpu()

    def _sample(self, v: Tensor, which: int) -> None:
        """Every read draws a key; the smallest keys stay, which makes the sample uniform over the whole run."""
        tile_shape = self.programmed[which].shape[:-2]
        batch = (*torch.broadcast_shapes(v.shape[:-2], tile_shape), v.shape[-2])
        key = torch.rand(batch, generator=self.generator)
        key = torch.where(v.ne(0).any(-1).expand(batch).cpu(), key, 2.0).flatten()
        full = self.kept is not None and len(self.kept[0]) == self.count
        bound = self.kept[0].max().item() if full and self.kept is not None else 1.0
        small = key < bound
        chosen = small.nonzero().squeeze(-1)
        chosen = chosen[key[chosen].argsort()[: self.count]]
        if not len(chosen):
            return
        tile, entry = chosen // batch[-1], chosen % batch[-1]
        tiles = batch[:-1] or (1,)
        place = torch.arange(tile_shape.numel()).view(tile_shape).expand(tiles).flatten()[tile.cpu()]
        drawn = (
            key[chosen],
            v.expand(*tiles, *v.shape[-2:]).flatten(0, -3)[tile, entry].cpu(),
            torch.stack([torch.full_like(place, which), place], -1),
        )
        merged = drawn if self.kept is None else tuple(torch.cat(pair) for pair in zip(self.kept, drawn, strict=True))
        order = merged[0].argsort()[: self.count]
        self.kept = (merged[0][order], merged[1][order], merged[2][order])


def sample_reads(
    network: nn.Module,
    config: HardwareConfig | LayerConfig,
    x: Tensor,
    count: int,
    generator: Generator,
    chip: Chip | None = None,
) -> tuple[Float[Tensor, "read 1 row"], Float[Tensor, "read row col"]]:
    """Voltages and conductances that `network` makes of the images `x`, drawn uniformly over all its reads.

    Layers see the activations of ideal crossbars, so that all models are compared on the same reads.

    Args:
        network: the digital network.
        config: its hardware.
        x: prepared images.
        count: number of reads.
        generator: decides which.
        chip: whose conductances these are; None is what was to be written.
    """
    sampler = TileSampler(Ideal(), count, generator)
    converted = convert(network, sampler, config).eval()
    if chip is not None:
        chip.install(converted)
    with torch.no_grad():
        converted(x)
    return sampler.reads()


def record_digits(
    network: nn.Module, config: HardwareConfig, layers: LayerConfig | None, x: Tensor, count: int, generator: Generator
) -> RecordedDigits:
    """The digits of `count` reads that `network` makes of the images `x`, and of the crossbars that they read.

    Args:
        network: the digital network.
        config: its hardware, which says what a level is.
        layers: which layers have it; None is all of them.
        x: prepared images.
        count: number of reads, drawn uniformly.
        generator: decides which.
    """
    v, g = sample_reads(network, layers or config, x, count, generator)
    levels = window(config)
    v_level = (v.squeeze(-2) / levels.v_step).round().to(torch.uint8)
    g_level = ((g - levels.g_off) / levels.g_step).round().to(torch.uint8)
    return RecordedDigits(v_level, g_level.unique(dim=0), levels.v_bits, levels.g_bits)


@torch.no_grad()
def compare_with_exact(
    models: Mapping[str, CrossbarModel],
    exact: Circuit,
    reads: tuple[Float[Tensor, "read 1 row"], Float[Tensor, "read row col"]],
    generator: Generator,
) -> tuple[dict[str, NfError], NfSample]:
    """Errors of NF per model, and columns for plots.

    Args:
        models: by name.
        exact: the circuit, solved in float64.
        reads: voltages and conductances, as `sample_reads` draws them.
        generator: for confidence intervals and for the choice of the columns.
    """
    v, g = (x.double() for x in reads)
    i_ideal, i_exact = (v @ g).squeeze(-2), exact(v, g).squeeze(-2)
    i_model = {name: in_own_precision(model, *reads).squeeze(-2).double() for name, model in models.items()}
    seed = torch.randint(2**31, (1,), generator=generator).item()
    errors = {name: nf_error(i, i_exact, i_ideal, Generator().manual_seed(int(seed))) for name, i in i_model.items()}
    column = carries_current(i_ideal).flatten().nonzero().squeeze(-1)
    column = column[torch.randperm(len(column), generator=generator)[:PLOTTED_COLUMNS]]
    plotted = {name: i.flatten()[column].tolist() for name, i in i_model.items()}
    return errors, NfSample(i_ideal.flatten()[column].tolist(), i_exact.flatten()[column].tolist(), plotted)

"""The digits with which crossbars are written and driven: drawn from a distribution, or cut from a network's reads."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from jaxtyping import Int
from torch import Generator, Tensor

from geniex import Dac, HardwareConfig
from geniex.emulation import DigitSampling, MixedDigits
from geniex.evaluation import load_images
from geniex.evaluation.fidelity import sample_reads
from geniex.evaluation.images import Preprocess
from geniex.loading import load_network

__all__ = ["SAMPLINGS", "Levels", "draw", "record"]

NETWORK_READS = 512
IMAGES = 1
PREPROCESS = Preprocess(mean=(0.5071, 0.4865, 0.4409), deviation=(0.2673, 0.2564, 0.2762))


@dataclass(frozen=True)
class Levels:
    """Crossbars, and the inputs of each, as levels from 0."""

    v: Int[Tensor, "crossbar input row"]
    g: Int[Tensor, "crossbar row col"]


def draw(sampling: DigitSampling, size: int, count: tuple[int, int], seed: int) -> Levels:
    """Digits of `count` = (crossbars, inputs of each) crossbars of `size` rows and columns."""
    generator, (crossbars, inputs) = Generator().manual_seed(seed), count
    g = sampling.conductance_levels(crossbars, size, size, generator)
    v = sampling.voltage_levels(crossbars * inputs, size, generator)
    return Levels(v.view(crossbars, inputs, size), g)


@cache
def record(size: int, bits: tuple[int, int], seed: int) -> Levels:
    """Digits of reads of the embedded ResNet-20 on CIFAR-100, drawn uniformly over all reads of all its layers.

    Args:
        size: rows and columns of a tile.
        bits: of a stream and of a slice.
        seed: draws images and reads.
    """
    v_top, g_top = (2.0**width - 1 for width in bits)  # one volt and one siemens per level
    config = HardwareConfig(
        size, size, slice_bits=bits[1], dac=Dac(bits[0], v_top), g_on=g_top, g_off=0.0, adc=None, accumulator=None
    )
    assets = files("geniex") / "assets"
    with as_file(assets / "resnet20_cifar100.safetensors") as weights, as_file(assets / "cifar100_512.npz") as images:
        network = load_network("geniex.networks:resnet20_cifar100", weights).eval()
        shown = PREPROCESS(load_images(images).shuffled(seed).first(IMAGES).images)
    v, g = sample_reads(network, config, shown, NETWORK_READS, Generator().manual_seed(seed))
    return Levels(v.round().long(), g.round().long())


SAMPLINGS: dict[str, Callable[[int, int], DigitSampling] | None] = {
    "dense": lambda v_bits, g_bits: MixedDigits(v_bits, g_bits, sparsest=0.0, network_share=0.0),
    "mixed": lambda v_bits, g_bits: MixedDigits(v_bits, g_bits, network_share=0.0),
    "project": MixedDigits,
    "ResNet-20": None,
}
"""Uniform levels; uniform levels at every sparsity; the project's mixture; and, as None, the reads of a network."""

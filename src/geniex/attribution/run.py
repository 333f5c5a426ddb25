"""What all networks of an attribution have in common: images, chips, draws, and what logits are filed under."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from geniex.attribution.effects import effects_of
from geniex.attribution.formats import fine, is_coarse, unread, with_converters
from geniex.attribution.outputs import Array, Batches, Witness, distances, hits
from geniex.attribution.results import Outcome
from geniex.attribution.statistics import Difference, compared
from geniex.calibration import calibrate
from geniex.configuration import EvaluationConfig
from geniex.conversion import check_called, convert
from geniex.evaluation import LabelledImages
from geniex.evaluation.chips import generators_of_converters, written
from geniex.evaluation.classification import prepared
from geniex.evaluation.statistics import wilson_interval
from geniex.evaluation.store import fingerprint
from geniex.layers import analog_layers
from geniex.loading import load_models
from geniex.models.base import CrossbarModel
from geniex.models.ideal import Ideal
from geniex.models.randomness import is_random, seed_each

__all__ = ["MODELS", "AttributionOptions", "Run", "Variant"]

MODELS = ("reduced", "circuit", "linear")
"""Models of any crossbar; an emulator knows one."""

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AttributionOptions:
    """How an attribution is done.

    Attributes:
        model: of the crossbar, one of `MODELS`.
        layers: whether layers are exchanged one by one, which takes most of the time.
        part_images: number of images, the first ones, on which tiles and slices are compared.
        folder: that file names in the configuration are relative to.
        work: folder that keeps logits of batches; None keeps nothing.
        advance: told a stage, the images done, and their total.
        variants: told the number of networks that are done, and of all.
    """

    model: str = "reduced"
    layers: bool = True
    part_images: int = 2
    folder: Path = field(default_factory=Path)
    work: Path | None = None
    advance: Advance = lambda stage, done, total: None
    variants: Callable[[int, int], None] = lambda done, total: None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(
                f"`model` must be one of {', '.join(MODELS)}, which know any crossbar; got {self.model!r}. "
                "An effect is switched off by computing another crossbar."
            )
        if self.part_images < 1:
            raise ValueError(f"`part_images` must be at least 1; got {self.part_images}.")


@dataclass(frozen=True)
class Variant:
    """A network on crossbars.

    Attributes:
        logits: (chip, image, class).
        converted: makes it on the chip of a number.
        key: digest of all that it depends on.
    """

    logits: Array
    converted: Callable[[int], nn.Module]
    key: str


class Run:
    """Networks on crossbars, and how they differ; checks, before anything is classified, what they have in common."""

    def __init__(
        self, network: nn.Module, images: LabelledImages, config: EvaluationConfig, options: AttributionOptions
    ) -> None:
        """Check the network, and classify with it as it is."""
        self.network, self.images, self.config, self.options = network, images, config, options
        self.plain = config.run_options()
        batches = Batches(network, images, self.plain)
        self.witness = Witness(batches, options.work, options.advance)
        self.digest = fingerprint(network)
        model, self.layers = self.model_of(config), config.layer_config(network, options.folder)
        check_called(network, self.layers, self.x(1))
        self.names = [name for name, _ in analog_layers(convert(network, Ideal(), self.layers))]
        options.advance("ranges of numbers", 0, len(images))
        self.ranges = calibrate(network, batches, unread(self.layers), per_channel=True).layers
        drawn = is_random(model) or (not isinstance(config.adc, str) and config.adc.noise > 0)
        self.chips = config.chips if drawn else 1
        self.effects = effects_of(config, options.model, is_coarse(network, self.layers, self.ranges))
        self.done, self.total = 0, 3 + 2 * len(self.effects) + (1 + 2 * len(self.names)) * options.layers
        self.digital = self.witness.logits("digital", lambda: network, self.digest, self.plain.seed)[None]

    def model_of(self, config: EvaluationConfig) -> CrossbarModel:
        """The model of a configuration's crossbar, with its effects."""
        (model,) = load_models([self.options.model], config, self.options.folder).values()
        assert model is not None
        return model

    def x(self, count: int) -> Tensor:
        """Prepared inputs of the first images."""
        return prepared(self.network, self.images.first(min(count, len(self.images))), self.plain)

    def variant(self, name: str, config: EvaluationConfig, finely: bool = False) -> Variant:
        """A network on the crossbars of a configuration.

        Args:
            name: of the stage.
            config: the configuration, which differs from that of the run in what effects change.
            finely: whether numbers have 16 bits.
        """
        layers = with_converters(self.layers, config.hardware())
        layers = fine(layers, self.ranges) if finely else layers
        hardware = [(name, layers(name, module)) for name, module in self.network.named_modules()]
        drawing = generators_of_converters(each for _, each in hardware if each is not None)
        seed_each(drawing, self.plain.seed)  # digests tell of what is drawn next
        key = fingerprint(self.digest, self.model_of(config), hardware)

        def converted(chip: int) -> nn.Module:
            return written(self.network, self.model_of(config), layers, self.plain.seed + chip)

        return Variant(self.seen(name, converted, key), converted, key)

    def seen(self, name: str, converted: Callable[[int], nn.Module], key: str) -> Array:
        """Logits (chip, image, class)."""
        seeds = [self.plain.seed + chip for chip in range(self.chips)]
        found = [
            self.witness.logits(name, lambda chip=chip: converted(chip), key, seed) for chip, seed in enumerate(seeds)
        ]
        self.advance()
        return np.stack(found)

    def advance(self) -> None:
        """Say that one more network, or all tiles, are done."""
        self.done += 1
        self.options.variants(self.done, self.total)

    def difference(self, logits: Array, other: Array) -> Difference:
        """Of a network from another one."""
        return compared(
            *(hits(each, self.images) for each in (logits, other)),
            *(distances(each, self.digital) for each in (logits, other)),
        )

    def outcome(self, logits: Array) -> Outcome:
        """Accuracy and distance."""
        right = hits(logits, self.images)
        top1 = float(right.mean())
        apart = float(np.sqrt(np.square(distances(logits, self.digital)).mean()))
        return Outcome(top1, *wilson_interval(top1, right.shape[-1]), apart)

    def provenance(self) -> dict[str, object]:
        """What was looked at, with digests."""
        images = self.images
        digest = fingerprint(images.images, images.labels)
        return {
            "network": {"type": type(self.network).__qualname__, "digest": self.digest},
            "images": {"source": images.source, "count": len(images), "digest": digest},
        }

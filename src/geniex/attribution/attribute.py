"""The run of an attribution: networks that differ in one thing, over the same images with the same draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from geniex.attribution.effects import EFFECTS, QUANTIZATION, Effect, effects_of, fine, only, without
from geniex.attribution.layers import exchanged
from geniex.attribution.outputs import Array, Witness, distances, hits
from geniex.attribution.parts import part_errors
from geniex.attribution.results import Attribution, EffectLoss, LayerLoss, Outcome
from geniex.attribution.statistics import Difference, compared
from geniex.configuration import EvaluationConfig
from geniex.conversion import LayerConfig, check_called, convert
from geniex.evaluation import LabelledImages
from geniex.evaluation.chips import written
from geniex.evaluation.classification import prepared
from geniex.evaluation.run import check_fits, evaluating, wilson_interval
from geniex.evaluation.store import fingerprint
from geniex.layers import analog_layers
from geniex.loading import load_models
from geniex.models.base import CrossbarModel
from geniex.models.ideal import Ideal
from geniex.models.randomness import is_random

__all__ = ["MODELS", "AttributionOptions", "attribute"]

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


def attribute(
    network: nn.Module,
    images: LabelledImages,
    config: EvaluationConfig,
    options: AttributionOptions | None = None,
) -> Attribution:
    """Tell where accuracy is lost on crossbars: by effect, layer, tile, slice and stream.

    Args:
        network: the trained network; it is not changed.
        images: labelled.
        config: of crossbar and hardware; its effects are switched off one by one.
        options: model, what is stored, who is told.

    Raises:
        ValueError: if a layer cannot be mapped, a model does not fit, or the network does not take the images.
        RuntimeError: if a circuit does not converge.
    """
    options = options or AttributionOptions()
    with evaluating(network):
        check_fits(network, images, config.run_options())
        return _attributed(_Run(network, images, config, options), datetime.now(UTC).isoformat(timespec="seconds"))


def _attributed(run: "_Run", started: str) -> Attribution:
    config, options = run.config, run.options
    effects = effects_of(config, options.model)
    nothing = run.variant("no effect", without(config, effects), finely=True)
    whole = run.variant("all effects", config)
    found = [_effect(run, effect, effects, whole, nothing) for effect in effects]
    layers = _layers(run, whole) if options.layers else []
    tiles, slices, streams = part_errors(whole.converted(0), run.x(options.part_images))
    run.finish()
    return Attribution(
        title=f"{type(run.network).__name__} on {run.images.source}",
        version=version("geniex"),
        started=started,
        model=options.model,
        images=len(run.images),
        chips=run.chips,
        digital=run.outcome(run.digital),
        whole=run.outcome(whole.logits),
        nothing=run.outcome(nothing.logits),
        absent=[effect.title for effect in EFFECTS if effect not in effects],
        effects=sorted(found, key=lambda loss: (-loss.off.points, loss.off.distance)),
        layers=layers,
        tiles=tiles,
        slices=slices,
        streams=streams,
        provenance=run.provenance(),
        config=config.model_dump(mode="json"),
    )


@dataclass(frozen=True)
class _Variant:
    """A network on crossbars.

    Attributes:
        logits: (chip, image, class).
        converted: makes it on the chip of a number.
        key: digest of all that it depends on.
    """

    logits: Array
    converted: Callable[[int], nn.Module]
    key: str


class _Run:
    """What all networks of an attribution have in common."""

    def __init__(
        self, network: nn.Module, images: LabelledImages, config: EvaluationConfig, options: AttributionOptions
    ) -> None:
        """Check the network and classify with it as it is."""
        self.network, self.images, self.config, self.options = network, images, config, options
        self.plain = config.run_options()
        self.witness = Witness(images, self.plain, options.work, options.advance)
        self.digest = fingerprint(network)
        self.model_of(config)  # refused now, not after hours
        check_called(network, self.layers_of(config), self.x(1))
        self.names = [name for name, _ in analog_layers(convert(network, Ideal(), self.layers_of(config)))]
        drawn = is_random(self.model_of(config)) or (not isinstance(config.adc, str) and config.adc.noise > 0)
        self.chips = config.chips if drawn else 1
        effects = effects_of(config, options.model)
        self.done, self.total = 0, 3 + 2 * len(effects) + (1 + 2 * len(self.names)) * options.layers
        self.digital = self.witness.logits("digital", lambda: network, self.digest, self.plain.seed)[None]

    def model_of(self, config: EvaluationConfig) -> CrossbarModel:
        """The model of a configuration's crossbar, with its effects."""
        (model,) = load_models([self.options.model], config, self.options.folder).values()
        assert model is not None
        return model

    def layers_of(self, config: EvaluationConfig) -> LayerConfig:
        """The hardware of each layer."""
        return config.layer_config(self.network, self.options.folder)

    def x(self, count: int | None = None) -> Tensor:
        """Prepared inputs of the first images."""
        images = self.images if count is None else self.images.first(min(count, len(self.images)))
        return prepared(self.network, images, self.plain)

    def variant(self, name: str, config: EvaluationConfig, finely: bool = False) -> _Variant:
        """A network on the crossbars of a configuration.

        Args:
            name: of the stage.
            config: the configuration.
            finely: whether numbers have 16 bits.
        """
        layers = fine(self.layers_of(config)) if finely else self.layers_of(config)
        hardware = [(name, layers(name, module)) for name, module in self.network.named_modules()]
        key = fingerprint(self.digest, self.model_of(config), hardware)

        def converted(chip: int) -> nn.Module:
            return written(self.network, self.model_of(config), layers, self.plain.seed + chip)

        return _Variant(self.seen(name, converted, key), converted, key)

    def seen(self, name: str, converted: Callable[[int], nn.Module], key: str) -> Array:
        """Logits (chip, image, class)."""
        seeds = [self.plain.seed + chip for chip in range(self.chips)]
        found = [
            self.witness.logits(name, lambda chip=chip: converted(chip), key, seed) for chip, seed in enumerate(seeds)
        ]
        self.done += 1
        self.options.variants(self.done, self.total)
        return np.stack(found)

    def finish(self) -> None:
        """Say that tiles and slices are done, too."""
        self.options.variants(self.total, self.total)

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


def _effect(run: _Run, effect: Effect, effects: Sequence[Effect], whole: _Variant, nothing: _Variant) -> EffectLoss:
    config, is_fine = run.config, effect.name == QUANTIZATION
    off = run.variant(f"no {effect.title}", without(config, [effect]), finely=is_fine)
    on = run.variant(f"{effect.title} alone", only(config, effect, effects), finely=not is_fine)
    return EffectLoss(
        effect.name,
        effect.title,
        effect.meaning,
        off=run.difference(off.logits, whole.logits),
        on=run.difference(on.logits, nothing.logits),
    )


def _layers(run: _Run, whole: _Variant) -> list[LayerLoss]:
    """Each layer alone on ideal crossbars, and alone on those of the configuration."""
    analog = [whole.converted(chip) for chip in range(run.chips)]
    ideal = [convert(run.network, Ideal(), run.layers_of(run.config)).eval() for _ in analog]
    key = fingerprint(whole.key, "ideal crossbars")
    all_ideal = run.seen("ideal crossbars", lambda chip: ideal[chip], key)
    found = []
    for name in run.names:
        with exchanged(analog, name, ideal) as networks:
            one_ideal = run.seen(f"{name} ideal", networks.__getitem__, fingerprint(key, name, "ideal"))
        with exchanged(ideal, name, analog) as networks:
            one_analog = run.seen(f"{name} alone", networks.__getitem__, fingerprint(key, name, "alone"))
        found.append(LayerLoss(name, run.difference(one_ideal, whole.logits), run.difference(one_analog, all_ideal)))
    return found

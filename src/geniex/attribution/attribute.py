"""The run of an attribution: networks that differ in one thing, over the same images with the same draws."""

from datetime import UTC, datetime
from importlib.metadata import version

from torch import nn

from geniex.attribution.checks import check_tiles
from geniex.attribution.effects import QUANTIZATION, Effect, absent_from, only, without
from geniex.attribution.layers import exchanged
from geniex.attribution.parts import part_errors, ranked
from geniex.attribution.results import Attribution, EffectLoss, LayerLoss
from geniex.attribution.run import AttributionOptions, Run, Variant
from geniex.configuration import EvaluationConfig
from geniex.conversion import convert
from geniex.evaluation import LabelledImages
from geniex.evaluation.run import check_fits, evaluating
from geniex.evaluation.store import fingerprint
from geniex.models.ideal import Ideal

__all__ = ["attribute"]

CHECKED = 20  # tiles, the worst ones, that are solved exactly


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
        return _attributed(Run(network, images, config, options), datetime.now(UTC).isoformat(timespec="seconds"))


def _attributed(run: Run, started: str) -> Attribution:
    config, options, effects = run.config, run.options, run.effects
    nothing = run.variant("no effect", without(config, effects), finely=True)
    whole = run.variant("all effects", config)
    parts = part_errors(whole.converted(0), run.x(options.part_images))
    tiles = ranked(parts.tiles)
    exact = None if options.model == "circuit" else run.plain.exact
    checks = [] if exact is None else check_tiles(parts, tiles[:CHECKED], exact)
    run.advance()
    found = [_effect(run, effect, whole, nothing) for effect in effects]
    layers = _layers(run, whole) if options.layers else []
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
        absent=absent_from(effects),
        effects=sorted(found, key=lambda loss: (-loss.off.points, loss.off.distance)),
        layers=layers,
        tiles=tiles,
        slices=ranked(parts.slices),
        streams=ranked(parts.streams),
        checks=checks,
        provenance=run.provenance(),
        config=config.model_dump(mode="json"),
    )


def _effect(run: Run, effect: Effect, whole: Variant, nothing: Variant) -> EffectLoss:
    config, is_fine = run.config, effect.name == QUANTIZATION
    off = run.variant(f"no {effect.title}", without(config, [effect]), finely=is_fine)
    on = run.variant(f"{effect.title} alone", only(config, effect, run.effects), finely=not is_fine)
    return EffectLoss(
        effect.name,
        effect.title,
        effect.meaning,
        off=run.difference(off.logits, whole.logits),
        on=run.difference(on.logits, nothing.logits),
    )


def _layers(run: Run, whole: Variant) -> list[LayerLoss]:
    """Each layer alone on ideal crossbars, and alone on those of the configuration."""
    analog = [whole.converted(chip) for chip in range(run.chips)]
    ideal = [convert(run.network, Ideal(), run.layers).eval() for _ in analog]
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

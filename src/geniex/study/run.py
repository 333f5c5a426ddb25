"""The points of a study, one after another: what is stored is not computed, what fails does not end the rest."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from geniex.calibration import Calibration
from geniex.cluster import PER_THREAD, Cluster
from geniex.configuration import EvaluationConfig, TrainingConfig
from geniex.evaluation import LabelledImages, evaluate
from geniex.evaluation.options import DEFAULTS, Progress
from geniex.evaluation.store import fingerprint
from geniex.loading import load_models
from geniex.study.emulators import digest_of, fitting, recipe_for, trained, with_emulator
from geniex.study.points import Point
from geniex.study.store import PointStore

__all__ = ["Outcome", "Subject", "outcomes", "run_study"]

IMAGES_PER_PART = 64  # about what a worker gets at a time
MOST_AT_ONCE = 64  # points: each has a thread here
SECONDS_TO_WAIT = 5  # for a point, before looking whether workers came


@dataclass(frozen=True)
class Subject:
    """What all points of a study evaluate.

    Attributes:
        network: the digital network.
        images: labelled.
        models: names, as `geniex evaluate` knows them.
        folder: that file names in configurations are relative to.
        emulators: where those of the model `geniex` come from; see `StudyConfig.emulators`.
        recipe: of emulators that are trained; names of files in it are full, see `TrainingConfig.named_from`.
    """

    network: nn.Module
    images: LabelledImages
    models: tuple[str, ...]
    folder: Path = Path()
    emulators: Literal["given", "fitting", "trained"] = "given"
    recipe: TrainingConfig = field(default_factory=TrainingConfig)


@dataclass(frozen=True)
class Outcome:
    """A point and what is known of it.

    Attributes:
        point: the configuration.
        key: digest of all that the result depends on.
        result: what `Evaluation.as_dict` holds; None before it is there.
        error: what it failed with; None where it did not.
    """

    point: Point
    key: str
    result: dict[str, Any] | None = None
    error: str | None = None


def outcomes(points: Sequence[Point], subject: Subject, store: PointStore) -> list[Outcome]:
    """What is stored of the points; nothing is computed.

    Raises:
        ValueError: if a point cannot be run: a model does not fit its crossbar, or a layer its names. All are named.
        FileNotFoundError: if the emulator, calibration or recorded digits of a point are not there.
    """
    about = fingerprint(subject.network, subject.images.images, subject.images.labels)
    found, problems = [], []
    for point in points:
        try:
            key = _key(point, subject, about)
        except ValueError as error:
            problems.append(f"  {point}: {error}")
            continue
        found.append(Outcome(point, key, store.result(key), store.error(key)))
    if problems:
        more = f"\n  and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ValueError(
            f"{len(problems)} of {len(points)} points cannot be run:\n" + "\n".join(problems[:8]) + more + "\n"
            f"Take their values, or the model that does not fit, out of the study{_remedy(subject)}."
        )
    return found


def _remedy(subject: Subject) -> str:
    if "geniex" not in subject.models or subject.emulators != "given":
        return ""
    return (
        ', or let it find emulators: `emulators = "fitting"` takes those that ship, and leaves `geniex` out where none '
        'does; "trained" trains them'
    )


def run_study(
    known: Sequence[Outcome],
    subject: Subject,
    store: PointStore,
    advance: Progress = DEFAULTS.progress,
    cluster: Cluster | None = None,
) -> Iterator[Outcome]:
    """Run what is not stored, and yield every point when its outcome is known; stored ones first.

    A point that fails is stored with its error, and tried again by the next run.

    Args:
        known: what `outcomes` says of the points.
        subject: network, images, models.
        store: keeps results; studies can share one.
        advance: called with a stage of a point, what is done of it, and its total; from several threads with `cluster`.
        cluster: computes, as many points at once as keep it busy; None computes here, one after another.

    Raises:
        OSError: if there is no space left for results, or the cluster is lost: what is stored stays.
    """
    yield from (outcome for outcome in known if outcome.result is not None)
    waiting = [outcome for outcome in known if outcome.result is None]
    if cluster is None:
        yield from (_run(outcome, subject, store, advance) for outcome in waiting)
        return
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        left, running = deque(waiting), set[Future[Outcome]]()
        try:
            while left or running:
                most = _at_once(len(subject.images), cluster)
                while left and len(running) < most:
                    running.add(pool.submit(_run, left.popleft(), subject, store, advance, cluster))
                done, running = wait(running, SECONDS_TO_WAIT, FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            cluster.close()  # points at work end at once
            raise


def _at_once(images: int, cluster: Cluster) -> int:
    """Points: those whose parts keep all workers busy that are there now, and another one that begins or ends."""
    parts = -(-images // (IMAGES_PER_PART))
    return min(MOST_AT_ONCE, 1 + -(-PER_THREAD * max(1, cluster.threads) // parts))


def _run(
    outcome: Outcome, subject: Subject, store: PointStore, advance: Progress, cluster: Cluster | None = None
) -> Outcome:
    point, key = outcome.point, outcome.key
    try:
        result = _evaluated(point, subject, store, advance, cluster)
    except (ValueError, RuntimeError, MemoryError) as error:
        message = f"{type(error).__name__}: {error}"
        store.put_error(key, message)
        return Outcome(point, key, None, message)
    store.put_result(key, result)
    return Outcome(point, key, result)


def _evaluated(
    point: Point, subject: Subject, store: PointStore, advance: Progress, cluster: Cluster | None
) -> dict[str, Any]:
    config, names, recipe = _emulated(point.config, subject)
    if recipe is not None:
        file = trained(recipe, store.emulators, advance)
        config, names = with_emulator(config, str(file.resolve())), subject.models
    models = load_models(list(names), config, subject.folder)
    layers = config.layer_config(subject.network, subject.folder)
    options = replace(config.run_options(), folder=store.batches, progress=advance, cluster=cluster)
    found = evaluate(subject.network, subject.images, models, layers, options).as_dict()
    return {**found, "config": point.config.model_dump(mode="json"), "point": point.values}


def _key(point: Point, subject: Subject, about: str) -> str:
    """The digest of network, images, models with their weights and seeds, configuration and version."""
    config, names, recipe = _emulated(point.config, subject)
    models = load_models(list(names), config, subject.folder)
    layers = config.layer_config(subject.network, subject.folder)
    formats = layers if isinstance(layers, Calibration) else None
    made = None if recipe is None else digest_of(recipe)
    return fingerprint(about, models, config.model_dump(mode="json"), formats, made)


def _emulated(
    config: EvaluationConfig, subject: Subject
) -> tuple[EvaluationConfig, tuple[str, ...], TrainingConfig | None]:
    """The configuration with an emulator that fits, the models that it can run, and the recipe of one to be trained."""
    if subject.emulators == "given" or "geniex" not in subject.models:
        return config, subject.models, None
    name = fitting(config, subject.folder)
    if name is not None:
        return with_emulator(config, name), subject.models, None
    others = tuple(model for model in subject.models if model != "geniex")
    return config, others, recipe_for(config, subject.recipe) if subject.emulators == "trained" else None

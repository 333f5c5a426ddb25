"""Emulators that the points of a study need: the one that is named, one that ships, or one that is trained for it."""

import functools
import shutil
import threading
from pathlib import Path

from geniex import presets
from geniex.configuration import EvaluationConfig, TrainingConfig
from geniex.configuration.evaluation import EmulatorSection
from geniex.emulation import EmulatorCard, TrainingRun, load, load_digits, save, train
from geniex.evaluation.options import Progress
from geniex.evaluation.store import fingerprint
from geniex.files import exclusive
from geniex.functional import AnalogMatmul, window
from geniex.loading import check_circuit, load_emulator
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex

__all__ = ["digest_of", "fitting", "recipe_for", "trained", "with_emulator"]

TRAINING = threading.Lock()  # points that run at once can want the same emulator


def fitting(config: EvaluationConfig, folder: Path) -> str | None:
    """The emulator of a configured crossbar: the configuration's own, or one that ships; None if none was made for it.

    Args:
        config: crossbar, cells, voltages and conductances.
        folder: that the name of the configuration's own is relative to.

    Raises:
        FileNotFoundError: if the configuration's own is not there.
    """
    return next((name for name in (config.emulator.file, *presets.emulators()) if _fits(name, config, folder)), None)


def with_emulator(config: EvaluationConfig, name: str) -> EvaluationConfig:
    """The configuration with another emulator."""
    return config.model_copy(update={"emulator": EmulatorSection(file=name)})


def recipe_for(config: EvaluationConfig, recipe: TrainingConfig) -> TrainingConfig:
    """How an emulator of the configured crossbar is trained, by a recipe for any crossbar.

    Args:
        config: says what is trained for.
        recipe: its distribution of digits, and amounts and rates of training.
    """
    levels = window(config.hardware())
    content = recipe.model_dump()
    content["crossbar"], content["cell"] = config.crossbar.model_dump(), config.cell.model_dump()
    content["digits"] |= {"v_max": levels.v_max, "v_bits": levels.v_bits, "g_bits": levels.g_bits}
    return TrainingConfig.model_validate(content)


def digest_of(recipe: TrainingConfig) -> str:
    """Of all that an emulator depends on: recorded digits count, not the name of their file.

    Raises:
        FileNotFoundError: if there are no such digits.
        ValueError: if their file is damaged.
    """
    content, recorded = recipe.model_dump(mode="json"), recipe.digits.recorded
    if recorded is not None:
        content["digits"]["recorded"] = fingerprint(load_digits(recorded))
    return fingerprint(content)


def trained(recipe: TrainingConfig, folder: Path, advance: Progress) -> Path:
    """The file of the emulator that a recipe makes: trained now, or found among those that were trained before.

    Training that was killed goes on where it was; what is damaged is trained anew. Of two processes that want the same
    emulator, one trains it; threads train one after another.

    Args:
        recipe: of the emulator; names of files in it are relative to the working directory.
        folder: of trained emulators, each under the digest of its recipe.
        advance: told how far training is.

    Raises:
        OSError: if another process trains it now.
    """
    path = folder / f"{digest_of(recipe)}.safetensors"
    with TRAINING:
        if not _whole(path):
            at_work = path.with_suffix("")
            at_work.mkdir(parents=True, exist_ok=True)
            with exclusive(at_work):
                _train(recipe, path, at_work / "state", advance)
                shutil.rmtree(at_work)
    return path


def _whole(path: Path) -> bool:
    try:
        load(path)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _train(recipe: TrainingConfig, path: Path, state: Path, advance: Progress) -> None:
    circuit = Circuit(recipe.crossbar.build(), recipe.cell.build())
    run = TrainingRun(state=state, advance=lambda stage, done, total, note: advance(stage, done, total))
    arguments = circuit, recipe.sampling(), recipe.window(), recipe.recipe(), run
    try:
        network, card = train(*arguments)
    except ValueError:
        if not state.exists():
            raise
        state.unlink()  # damaged, or left by another version
        network, card = train(*arguments)
    save(path, network, card)


def _fits(name: str, config: EvaluationConfig, folder: Path) -> bool:
    model, card = _emulator(name, folder)
    try:
        check_circuit(name, card, config)
        AnalogMatmul(model, config.hardware())
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=8)
def _emulator(name: str, folder: Path) -> tuple[Geniex, EmulatorCard]:
    return load_emulator(name, folder)

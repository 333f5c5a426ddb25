"""`geniex demo` and `geniex evaluate`: accuracy of a network under several models of the crossbar."""

import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import Progress

from geniex.calibration import Calibration
from geniex.chip import Chip, load_chip
from geniex.cli.app import console, progress_bars, say
from geniex.cli.subjects import (
    Config,
    Data,
    Network,
    Weights,
    chosen_config,
    chosen_images,
    chosen_network,
    drawn_images,
)
from geniex.configuration import EvaluationConfig
from geniex.conversion import LayerConfig
from geniex.evaluation import Evaluation, LabelledImages, evaluate
from geniex.files import replacing
from geniex.loading import MODELS, load_models

__all__ = ["demo_command", "evaluate_command"]

MODEL_HELP = "Models, separated by commas: " + "; ".join(f"{name} ({text})" for name, text in MODELS.items()) + "."


def demo_command(
    images: Annotated[int, typer.Option(help="How many of the 512 embedded test images to classify.")] = 128,
    models: Annotated[str, typer.Option(help=MODEL_HELP)] = "digital,ideal,linear,geniex,reduced",
    out: Annotated[Path, typer.Option(help="Folder for results.json, report.html and the results of batches.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Accuracy of an embedded ResNet-20 (CIFAR-100) on the GENIEx paper's crossbar, under several models of it."""
    _evaluate(chosen_network(None, None), chosen_images(None).first(images), models, chosen_config(None), out)


def evaluate_command(
    config: Config = None,
    network: Network = None,
    weights: Weights = None,
    data: Data = None,
    images: Annotated[
        int | None, typer.Option(help="How many images to classify, drawn with --seed. Left out: all.")
    ] = None,
    models: Annotated[str, typer.Option(help=MODEL_HELP)] = "digital,ideal,linear,geniex,reduced",
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which images are drawn.")] = 0,
    chip: Annotated[
        Path | None,
        typer.Option(help="A chip that `geniex program` wrote; all models read it. Left out: chips are written now."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for results.json, report.html and the results of batches; "
            "the same command continues a killed run."
        ),
    ] = Path("runs/evaluate"),
) -> None:
    """Accuracy of a network under several models of the crossbar, each checked against the exact circuit."""
    settings, chosen = chosen_config(config, network), chosen_network(network, weights)
    labelled = drawn_images(data, seed, images, settings[0].preprocess)
    _evaluate(chosen, labelled, models, settings, out, None if chip is None else load_chip(chip))


def _evaluate(
    network: torch.nn.Module,
    images: LabelledImages,
    models: str,
    settings: tuple[EvaluationConfig, Path],
    out: Path,
    chip: Chip | None = None,
) -> None:
    """Run, print and save; `settings` is the configuration and the folder its file names are relative to."""
    from geniex.report import energy_sentence, energy_table, results_table, write_page  # plots are slow to import

    config, folder = settings
    loaded = load_models([name.strip() for name in models.split(",") if name.strip()], config, folder)
    out.mkdir(parents=True, exist_ok=True)  # fails now, not after hours
    with progress_bars() as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note="")
            bars.update(tasks[stage], completed=done, note=_speed(bars, tasks[stage], done))

        options = dataclasses.replace(config.run_options(), chip=chip, folder=out / "batches", progress=advance)
        layers = config.layer_config(network, folder)
        evaluation = evaluate(network, images, loaded, layers, options)
    evaluation = _with_provenance(evaluation, config, layers)
    with replacing(out / "results.json") as beside:
        beside.write_text(json.dumps(evaluation.as_dict(), indent=1), encoding="utf-8")
    write_page(evaluation, out / "report.html")
    console.print(results_table(evaluation))
    if evaluation.energy is not None:
        console.print(energy_table(evaluation.energy))
        say(f"{energy_sentence(evaluation.energy)}\n")
    say(f"Page: {(out / 'report.html').resolve()}\nData: {(out / 'results.json').resolve()}")


def _with_provenance(evaluation: Evaluation, config: EvaluationConfig, layers: LayerConfig) -> Evaluation:
    provenance = {**evaluation.provenance, "torch": torch.__version__, "command": shlex.join(["geniex", *sys.argv[1:]])}
    if isinstance(layers, Calibration):
        provenance["calibration"] = layers.about
    crossbar = f"{config.crossbar.rows}x{config.crossbar.cols} crossbars at {config.inputs.v_max:g} V"
    return dataclasses.replace(
        evaluation,
        title=f"{evaluation.title}, {crossbar}",
        config=config.model_dump(mode="json"),
        provenance=provenance,
    )


def _speed(bars: Progress, task: Any, done: int) -> str:
    elapsed = next(t for t in bars.tasks if t.id == task).elapsed or 0.0
    return f"{done / elapsed:.2f} per second" if done and elapsed > 0.1 else ""

"""The command line: parses, calls, prints. Exit codes: 0, 2 for bad input, 1 for a run that failed."""

import dataclasses
import functools
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

import geniex
from geniex import presets
from geniex.circuit.spec import CrossbarSpec
from geniex.configuration import EvaluationConfig, TrainingConfig, read_config, template
from geniex.devices import DeviceModel, Ohmic, Sinh
from geniex.emulation import EmulatorCard, load_card, save, train
from geniex.evaluation import Evaluation, LabelledImages, Preprocess, RunOptions, evaluate, load_images, pack_folder
from geniex.files import read_npz, replacing
from geniex.loading import MODELS, load_models, load_network
from geniex.models.circuit import Circuit

__all__ = ["app", "main"]

app = typer.Typer(
    name="geniex",
    help="What non-ideal memristive crossbars do to a neural network, checked against the exact circuit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)
EMBEDDED_NETWORK = "geniex.networks:resnet20_cifar100"
MODEL_HELP = "Models, separated by commas: " + "; ".join(f"{name} ({text})" for name, text in MODELS.items()) + "."


def main() -> None:
    """Entry point of the `geniex` command."""
    app()


def readable(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors into one message and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError) as error:
            _fail(str(error), 2)
        except (RuntimeError, MemoryError) as error:
            _fail(str(error) or type(error).__name__, 1)
        except KeyboardInterrupt:
            _fail("Stopped. `evaluate` and `demo` continue where they were; other commands start again.", 1)

    return run


def _fail(message: str, code: int) -> None:
    errors.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
    raise typer.Exit(code)


def _say(message: str) -> None:
    """Print text as it is: no markup, no breaks inside the names of files."""
    console.print(Text(message), soft_wrap=True)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        console.print(f"geniex {geniex.__version__}")
        raise typer.Exit


@app.command(name="demo")
@readable
def demo_command(
    images: Annotated[int, typer.Option(help="How many of the 512 embedded test images to classify.")] = 128,
    models: Annotated[str, typer.Option(help=MODEL_HELP)] = "digital,ideal,linear,geniex",
    out: Annotated[Path, typer.Option(help="Folder for results.json, report.html and the results of batches.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Accuracy of an embedded ResNet-20 (CIFAR-100) on the GENIEx paper's crossbar, under several models of it."""
    with _asset("demo.toml") as config_file:
        config = read_config(config_file, EvaluationConfig)
    _evaluate(_embedded(), _embedded_images().first(images), models, (config, Path()), out)


@app.command(name="evaluate")
@readable
def evaluate_command(
    config: Annotated[
        Path | None,
        typer.Option(help="TOML or YAML file; `geniex template evaluate` prints one. Left out: the demo's."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="Python path `package.module:name` of a network or its maker. Left out: the embedded ResNet-20."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Its weights: safetensors, or a state dict saved by torch.save.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="npz with images uint8 (n, h, w, 3) and labels int64 (n,); `geniex pack` makes one. "
            "Left out: the embedded images."
        ),
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="How many images to classify, drawn with --seed. Left out: all.")
    ] = None,
    models: Annotated[str, typer.Option(help=MODEL_HELP)] = "digital,ideal,linear,geniex",
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which images are drawn.")] = 0,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for results.json, report.html and the results of batches; "
            "the same command continues a killed run."
        ),
    ] = Path("runs/evaluate"),
) -> None:
    """Accuracy of a network under several models of the crossbar, each checked against the exact circuit."""
    if config is None:
        with _asset("demo.toml") as config_file:
            settings = read_config(config_file, EvaluationConfig)
    else:
        settings = read_config(config, EvaluationConfig)
    labelled = load_images(data).shuffled(seed) if data else _embedded_images().shuffled(seed)
    labelled = labelled if images is None else labelled.first(images)
    if network is None and weights is not None:
        raise ValueError("`--weights` needs `--network`: the embedded network brings its own.")
    chosen = _embedded() if network is None else load_network(network, weights)
    _evaluate(chosen, labelled, models, (settings, config.parent if config else Path()), out)


@app.command(name="solve")
@readable
def solve_command(
    circuits: Annotated[
        Path,
        typer.Argument(
            help="npz with v (*tile, input, row) in volt, g (*tile, row, col) in siemens, and "
            "r_source, r_sink, r_row, r_col in ohm (left out: 500, 100, 2.5, 2.5)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="npz to write: i in ampere, u (cell voltages) and residual in volt, steps, converged."),
    ],
    device: Annotated[
        Literal["sinh", "ohmic"], typer.Option(help="Cells: sinh (I = g v0 sinh(v / v0)) or ohmic (I = g v).")
    ] = "sinh",
    v0: Annotated[float, typer.Option(help="Voltage at which the sinh bends, in volt.")] = 0.25,
    rtol: Annotated[
        float | None,
        typer.Option(help="Residual as a share of the largest input. Left out: 1e-10, or 2e-6 in float32."),
    ] = None,
) -> None:
    """Solve nonlinear crossbar circuits exactly, many at once."""
    v, g, resistances = _read_circuits(circuits)
    cells: DeviceModel = Sinh(v0) if device == "sinh" else Ohmic()
    solution = Circuit(CrossbarSpec(g.shape[-2], g.shape[-1], **resistances), cells, rtol).solve(v, g)
    arrays: dict[str, Any] = {name: x.numpy() for name, x in vars(solution).items()}
    with replacing(out) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)
    failed = int((~solution.converged).sum())
    worst = solution.residual.max().item() if solution.residual.numel() else 0.0
    _say(
        f"{solution.converged.numel()} circuits of {g.shape[-2]}x{g.shape[-1]}, {cells}: "
        f"{int(solution.steps.max()) if solution.steps.numel() else 0} Newton steps at most, "
        f"worst residual {worst:.2e} V. Written to {out}."
    )
    if failed:
        raise RuntimeError(
            f"{failed} circuits did not converge; `converged` in {out} says which. Use float64 or a larger --rtol."
        )


@app.command(name="train")
@readable
def train_command(
    config: Annotated[Path, typer.Argument(help="TOML or YAML file; `geniex template train` prints one.")],
    out: Annotated[Path, typer.Argument(help="Emulator file to write (.safetensors).")],
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the stored weights; float16 halves the file.")
    ] = "float32",
) -> None:
    """Make an emulator: solve sampled crossbars exactly, fit the GENIEx network, measure it on crossbars never seen."""
    settings = read_config(config, TrainingConfig)
    circuit = Circuit(settings.crossbar.build(), settings.cell.build())
    if out.is_dir():
        raise ValueError(f"{out} is a folder; give the name of the file to write.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note="")
            bars.update(tasks[stage], completed=done, note=note)

        network, card = train(circuit, settings.sampling(), settings.window(), settings.recipe(), advance)
    save(out, network, card, getattr(torch, dtype))
    _print_card(str(out), card)


@app.command(name="info")
@readable
def info_command(
    emulator: Annotated[str, typer.Argument(help="Emulator file, or the name of one that ships with geniex.")],
) -> None:
    """What an emulator is: its circuit, cells, range, recipe, and its errors on crossbars never seen in training."""
    card = presets.emulator_card(emulator) if emulator in presets.emulators() else load_card(emulator)
    _print_card(emulator, card)


@app.command(name="pack")
@readable
def pack_command(
    folder: Annotated[
        Path, typer.Argument(help="Holds one subfolder of images per class; classes are numbered in sorted order.")
    ],
    out: Annotated[Path, typer.Argument(help="npz file to write.")],
    resize: Annotated[int | None, typer.Option(help="Length of the shorter side in pixels.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the square cut from the centre, in pixels.")] = None,
) -> None:
    """Make an image file for `geniex evaluate` from a folder of images."""
    packed = pack_folder(folder, out, Preprocess(resize=resize, crop=crop))
    height, width = packed.images.shape[1:3]
    _say(f"{len(packed)} images of {height}x{width} in {packed.labels.max() + 1} classes written to {out}.")


@app.command(name="template")
@readable
def template_command(
    command: Annotated[
        Literal["evaluate", "train"], typer.Argument(help="The command whose configuration file to print.")
    ],
) -> None:
    """Print a configuration file with every field, its default, its meaning and its unit."""
    sys.stdout.write(template(EvaluationConfig if command == "evaluate" else TrainingConfig))


def _evaluate(
    network: torch.nn.Module, images: LabelledImages, models: str, settings: tuple[EvaluationConfig, Path], out: Path
) -> None:
    """Run, print and save; `settings` is the configuration and the folder its file names are relative to."""
    from geniex.report import results_table, write_page  # plots are slow to import

    config, folder = settings
    exact = Circuit(config.crossbar.build(), config.cell.build())
    loaded = load_models([name.strip() for name in models.split(",") if name.strip()], config, folder)
    out.mkdir(parents=True, exist_ok=True)  # fails now, not after hours
    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note="")
            bars.update(tasks[stage], completed=done, note=_speed(bars, tasks[stage], done))

        options = RunOptions(
            prepare=config.preprocess.build(),
            batch=config.batch,
            exact=exact,
            reads=config.exact.reads,
            read_images=config.exact.images,
            seed=config.exact.seed,
            folder=out / "batches",
            progress=advance,
        )
        evaluation = evaluate(network, images, loaded, config.layer_config(network), options)
    evaluation = _with_provenance(evaluation, config)
    with replacing(out / "results.json") as beside:
        beside.write_text(json.dumps(evaluation.as_dict(), indent=1), encoding="utf-8")
    write_page(evaluation, out / "report.html")
    console.print(results_table(evaluation))
    _say(f"Page: {(out / 'report.html').resolve()}\nData: {(out / 'results.json').resolve()}")


def _with_provenance(evaluation: Evaluation, config: EvaluationConfig) -> Evaluation:
    provenance = {**evaluation.provenance, "torch": torch.__version__, "command": shlex.join(["geniex", *sys.argv[1:]])}
    crossbar = f"{config.crossbar.rows} x {config.crossbar.cols} crossbars at {config.inputs.v_max:g} V"
    return dataclasses.replace(
        evaluation,
        title=f"{evaluation.title}, {crossbar}",
        config=config.model_dump(mode="json"),
        provenance=provenance,
    )


def _speed(bars: Progress, task: Any, done: int) -> str:
    elapsed = next(t for t in bars.tasks if t.id == task).elapsed or 0.0
    return f"{done / elapsed:.2f} per second" if done and elapsed > 0.1 else ""


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


@contextmanager
def _asset(name: str) -> Iterator[Path]:
    with as_file(files("geniex") / "assets" / name) as path:
        yield path


def _embedded() -> torch.nn.Module:
    with _asset("resnet20_cifar100.safetensors") as weights:
        return load_network(EMBEDDED_NETWORK, weights)


def _embedded_images() -> LabelledImages:
    with _asset("cifar100_512.npz") as path:
        return dataclasses.replace(load_images(path), source="CIFAR-100 test images")


def _read_circuits(path: Path) -> tuple[torch.Tensor, torch.Tensor, dict[str, float]]:
    """v, g and resistances from an npz file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    known = ("v", "g", "r_source", "r_sink", "r_row", "r_col")
    try:
        content = read_npz(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from error
    wrong = [name for name in content if name not in known] + [
        f"(no {name})" for name in ("v", "g") if name not in content
    ]
    if wrong:
        raise ValueError(
            f"{path} must hold v, g and any of {', '.join(known[2:])}, nothing else; found {', '.join(wrong)}."
        )
    for name in ("v", "g"):
        if content[name].dtype not in (np.float32, np.float64) or content[name].ndim < 2:
            raise ValueError(
                f"`{name}` in {path} must be float32 or float64 with at least 2 dimensions; "
                f"got {content[name].dtype} {content[name].shape}."
            )
    v, g = (torch.from_numpy(content[name]) for name in ("v", "g"))
    resistances = {name: content[name] for name in known[2:] if name in content}
    for name, ohm in resistances.items():
        if ohm.size != 1 or ohm.dtype.kind not in "iuf":
            raise ValueError(f"`{name}` in {path} must be one number in ohm; got {ohm.dtype} {ohm.shape}.")
    return v, g, {name: ohm.item() for name, ohm in resistances.items()}


def _print_card(name: str, card: EmulatorCard) -> None:
    table = Table(title=Text(f"Emulator {name}"), title_justify="left", show_header=False)
    for key, value in {
        "crossbar": card.spec,
        "cells": card.device,
        "digits": card.window,
        "sampling": card.sampling,
        "recipe": card.recipe,
        "made": card.provenance,
    }.items():
        table.add_row(key, Text(str(value)))
    console.print(table)
    held_out = Table(
        title="Error of NF against the exact circuit on crossbars never seen, in percent", title_justify="left"
    )
    for column in ("model", "RMSE", "95 % interval", "99th percentile", "largest", "reads"):
        held_out.add_column(column, justify="left" if column == "model" else "right")
    for model, e in card.errors.items():
        held_out.add_row(
            model, f"{e.rmse:.2f}", f"{e.low:.2f} to {e.high:.2f}", f"{e.p99:.2f}", f"{e.worst:.2f}", str(e.reads)
        )
    console.print(held_out)

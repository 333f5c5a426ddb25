"""`geniex train` and `geniex info`: emulators made, and what they are."""

from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Literal

import torch
import typer
from rich.table import Table
from rich.text import Text

from geniex.cli.app import console, progress_bars, say, stages
from geniex.configuration import TrainingConfig, read_config
from geniex.emulation import EmulatorCard, StoredSamples, TrainingRun, open_dataset, save, train
from geniex.files import check_writable
from geniex.loading import load_emulator
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex
from geniex.window import Window

__all__ = ["info_command", "train_command"]


def train_command(
    config: Annotated[Path, typer.Argument(help="TOML or YAML file; `geniex template train` prints one.")],
    out: Annotated[Path, typer.Argument(help="Emulator file to write (.safetensors).")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of `geniex dataset` to learn from. Left out: crossbars solved anew for each step."),
    ] = None,
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the stored weights; float16 halves the file.")
    ] = "float32",
    log: Annotated[
        Path | None,
        typer.Option(help="Folder for TensorBoard's curves; needs TensorBoard."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an emulator that is there already.")] = False,
) -> None:
    """Make an emulator: solve sampled crossbars exactly, fit the GENIEx network, measure it on crossbars never seen.

    The same command continues a killed run.
    """
    settings = read_config(config, TrainingConfig)
    circuit = Circuit(settings.crossbar.build(), settings.cell.build())
    _check_target(out, replace)
    sampling, window = settings.sampling(config.parent), settings.window()
    source = None if data is None else StoredSamples(open_dataset(data), circuit, sampling, window)
    with progress_bars() as bars:
        state = out.with_name(f"{out.name}.state")
        run = TrainingRun(source=source, state=state, advance=stages(bars), log=_log_to(log))
        network, card = train(circuit, sampling, window, settings.recipe(), run)
    save(out, network, card, getattr(torch, dtype))
    state.unlink(missing_ok=True)
    _print_card(str(out), network, card)
    if card.errors["geniex"].rmse >= card.errors["linear"].rmse:
        say("It errs more than the linear model: train it longer, or lower `learning_rate`.")


def _check_target(out: Path, replace: bool) -> None:
    if out.is_dir():
        raise ValueError(f"{out} is a folder; give the name of the file to write.")
    if out.suffix != ".safetensors":
        raise ValueError(f"The emulator file must end in .safetensors; got {out}.")
    if out.exists() and not replace:
        raise ValueError(f"{out} is there already. Name another file, or give `--replace`.")
    check_writable(out)


def _log_to(folder: Path | None) -> Callable[[int, dict[str, float]], None]:
    """A function that writes named numbers of a step for TensorBoard."""
    if folder is None:
        return lambda step, numbers: None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError("`--log` needs TensorBoard: pip install 'geniex[tensorboard]'.") from error
    writer = SummaryWriter(folder)

    def log(step: int, numbers: dict[str, float]) -> None:
        for name, number in numbers.items():
            writer.add_scalar(name, number, step)
        writer.flush()

    return log


def info_command(
    emulator: Annotated[str, typer.Argument(help="Emulator file, or the name of one that ships with geniex.")],
) -> None:
    """What an emulator is: its circuit, cells, range, recipe, and its errors on crossbars never seen in training."""
    _print_card(emulator, *load_emulator(emulator))


def _print_card(name: str, network: Geniex, card: EmulatorCard) -> None:
    from geniex.report.table import errors_table  # plots are slow to import

    window, bounds = card.window, network.operating_range
    table = Table(title=Text(f"Emulator {name}"), title_justify="left", show_header=False)
    for key, value in {
        "crossbar": card.spec,
        "cells": shorten(str(card.device), 300),
        "inputs": f"digits of {window.v_bits} bits, up to {window.v_max:g} V",
        "weights": f"digits of {window.g_bits} bits, R_on {1 / window.g_on:g} ohm, on/off {_on_off(window)}",
        "range": "inputs of {:.2g} to {:.2g} of all rows at the top, ".format(*bounds.v_density)
        + "crossbars of {:.2g} to {:.2g} of all cells on".format(*bounds.g_density),
        "sampling": card.sampling,
        "recipe": card.recipe,
        "made": card.provenance,
    }.items():
        table.add_row(key, Text(str(value)))
    console.print(table)
    console.print(errors_table("Error of NF against the exact circuit on unseen crossbars, in percent", card.errors))


def _on_off(window: Window) -> str:
    return f"{window.g_on / window.g_off:g}" if window.g_off else "infinite"

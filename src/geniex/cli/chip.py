"""`geniex program` and `geniex chip`: networks written to crossbars, kept, and looked into."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from geniex.chip import Chip, chip_of, load_chip, occupancy
from geniex.cli.app import console, say
from geniex.cli.subjects import Config, Network, Weights, chosen_config, chosen_network
from geniex.configuration import EvaluationConfig
from geniex.conversion import convert
from geniex.files import check_writable
from geniex.loading import load_models
from geniex.models.randomness import is_random, reseed

__all__ = ["chip_command", "program_command"]


def program_command(
    out: Annotated[Path, typer.Argument(help="Chip file to write (.safetensors).")],
    config: Config = None,
    network: Network = None,
    weights: Weights = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what device effects draw.")] = 0,
) -> None:
    """Write a network to a chip once: what device effects draw is kept, so that any model can read the same chip."""
    settings, folder = chosen_config(config, network)
    chosen = chosen_network(network, weights)
    check_writable(out)
    (model,) = load_models(["ideal"], settings, folder).values()
    assert model is not None
    if is_random(model):
        reseed(model, seed)
    with torch.no_grad():
        converted = convert(chosen, model, settings.layer_config(chosen, folder))
        chip = chip_of(converted, _provenance(settings, network, weights, seed))
    chip.save(out)
    console.print(_table(chip))
    say(f"Chip: {out.resolve()}")


def chip_command(chip: Annotated[Path, typer.Argument(help="File that `geniex program` wrote.")]) -> None:
    """What is on a chip: crossbars of every layer, and how they are filled."""
    loaded = load_chip(chip)
    console.print(_table(loaded))
    about = {"written": loaded.written, "geniex": loaded.version, **loaded.provenance}
    if loaded.seeds and "seed" not in about:
        about["seeds"] = ", ".join(map(str, loaded.seeds))
    say("\n".join(f"{name:>8}: {value}" for name, value in about.items()))


def _provenance(settings: EvaluationConfig, network: str | None, weights: Path | None, seed: int) -> dict[str, str]:
    effects = settings.effects.model_dump(exclude_defaults=True)
    return {
        "network": network or "the demo's",
        "weights": str(weights or "the network's own"),
        "effects": ", ".join(f"{name} = {value}" for name, value in effects.items()) or "none",
        "seed": str(seed),
    }


def _table(chip: Chip) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, title_justify="left")
    table.add_column("layer", overflow="fold", min_width=8)
    for header in ("kind", "weights", "crossbars", "blank", "in use\n%", "digits\nnot 0, %", "mean\nuS"):
        table.add_column(header, justify="right", no_wrap=True)
    layers = occupancy(chip)
    for layer in layers:
        size = f"{layer.size[0]} x {layer.size[1]}"
        table.add_row(
            Text(layer.layer or "(network)"),
            layer.kind.removeprefix("Analog"),
            size if layer.matrices == 1 else f"{layer.matrices} of {size}",
            str(layer.crossbars),
            str(layer.blank),
            f"{100 * layer.in_use:.1f}",
            f"{100 * layer.nonzero:.1f}",
            f"{1e6 * layer.conductance:.3f}",
        )
    crossbars, blank = sum(layer.crossbars for layer in layers), sum(layer.blank for layer in layers)
    in_use = sum(layer.in_use * (layer.crossbars + layer.blank) for layer in layers) / max(1, crossbars + blank)
    table.add_section()
    table.add_row("all", "", "", str(crossbars), str(blank), f"{100 * in_use:.1f}", "", "")
    return table

"""`geniex attribute`: where accuracy is lost."""

import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from geniex.attribution import AttributionOptions, attribute
from geniex.cli.app import console, progress_bars, say
from geniex.cli.subjects import Config, Data, Network, Weights, chosen_config, chosen_network, drawn_images
from geniex.files import check_writable, replacing

__all__ = ["attribute_command"]


def attribute_command(
    config: Config = None,
    network: Network = None,
    weights: Weights = None,
    data: Data = None,
    images: Annotated[int, typer.Option(min=1, help="How many images, drawn with --seed.")] = 128,
    model: Annotated[
        str, typer.Option(help="reduced, circuit or linear; an emulator knows one crossbar only.")
    ] = "reduced",
    layers: Annotated[
        bool, typer.Option("--layers/--no-layers", help="Whether layers are exchanged one by one, the longest part.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which images are drawn.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for results.json, report.html and logits; a killed run goes on where it was.")
    ] = Path("runs/attribute"),
) -> None:
    """Where accuracy is lost: each effect off alone and on alone, each layer ideal and analog alone, worst tiles."""
    from geniex.report.attribution import (  # plots are slow to import
        absent_sentence,
        attribution_summary,
        attribution_tables,
        write_attribution_page,
    )

    settings, folder = chosen_config(config, network)
    chosen, labelled = chosen_network(network, weights), drawn_images(data, seed, images, settings.preprocess)
    check_writable(out / "results.json")
    with progress_bars() as bars:
        whole, stage = bars.add_task("networks", total=None, note=""), bars.add_task("", total=1, note="")
        options = AttributionOptions(
            model=model,
            layers=layers,
            folder=folder,
            work=out / "logits",
            advance=lambda name, done, total: bars.update(stage, description=name[:28], completed=done, total=total),
            variants=lambda done, total: bars.update(whole, completed=done, total=total),
        )
        found = attribute(chosen, labelled, settings, options)
    command = shlex.join(["geniex", *sys.argv[1:]])
    provenance = {**found.provenance, "torch": torch.__version__, "command": command}
    found = dataclasses.replace(found, provenance=provenance)
    with replacing(out / "results.json") as beside:
        beside.write_text(json.dumps(found.as_dict(), indent=1), encoding="utf-8")
    write_attribution_page(found, out / "report.html")
    for table in attribution_tables(found):
        console.print(table)
    say(f"{attribution_summary(found)}\n")
    if found.absent:
        say(f"{absent_sentence(found)}\n")
    say(f"Page: {(out / 'report.html').resolve()}\nData: {(out / 'results.json').resolve()}")

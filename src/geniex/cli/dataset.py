"""`geniex dataset`: crossbars solved exactly and stored, for emulators to learn from."""

from pathlib import Path
from typing import Annotated

import typer

from geniex.cli.app import progress_bars, say, stages
from geniex.configuration import TrainingConfig, read_config
from geniex.emulation import DatasetPlan, DatasetRun, make_dataset
from geniex.models.circuit import Circuit

__all__ = ["dataset_command"]


def dataset_command(
    config: Annotated[Path, typer.Argument(help="TOML or YAML file; `geniex template train` prints one.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write shards and their manifest to.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that solve. Left out: one per core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://host:port of a Dask cluster that solves instead; needs Dask.")
    ] = None,
) -> None:
    """Draw crossbars, solve them exactly, and store them, for `geniex train --data`.

    The same command continues a killed run, and makes damaged shards anew.
    """
    settings = read_config(config, TrainingConfig)
    circuit = Circuit(settings.crossbar.build(), settings.cell.build())
    plan = DatasetPlan(circuit, settings.sampling(config.parent), settings.window(), settings.dataset_recipe())
    with progress_bars() as bars:
        dataset = make_dataset(folder, plan, DatasetRun(workers, scheduler, stages(bars), say))
    shards = dataset.manifest.shards
    size = sum(dataset.path(shard).stat().st_size for shard in range(shards)) / 1e6
    say(f"{dataset.describe()}; {shards} shards in {folder}, {size:.3g} MB.")

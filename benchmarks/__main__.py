"""Run benchmarks: `python -m benchmarks [solve read network] [--ngspice PROGRAM] [--cross-sim FOLDER]`."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.timing import machine
from geniex.files import replacing

ALL = ("solve", "read", "network")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Benchmarks to run: solve, read, network; default all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File of all rows, as JSON.")] = Path("runs/bench.json"),
    ngspice: Annotated[str, typer.Option(help="ngspice to measure against; from 42 on it has KLU.")] = "ngspice",
    cross_sim: Annotated[Path | None, typer.Option(help="Folder of a checkout of CrossSim 3.2.")] = None,
) -> None:
    """Print a table per benchmark and write all rows as JSON."""
    console, found = Console(width=None if sys.stdout.isatty() else 240), {"machine": machine()}
    for name in names or ALL:
        if name not in ALL:
            raise typer.BadParameter(f"there is no benchmark {name!r}; there are {', '.join(ALL)}.")
        module = import_module(f"benchmarks.{name}")
        rows = list(module.rows(ngspice, cross_sim) if name == "solve" else module.rows())
        console.print(_table(module.__doc__.splitlines()[0], rows))
        found[name] = rows
        with replacing(out) as beside:
            beside.write_text(json.dumps(found, indent=1))
    console.print(f"Written to {out}.")


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Columns without any value are left out."""
    table = Table(title=title, title_justify="left")
    columns = [column for column in rows[0] if any(row[column] != "" for row in rows)]
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(f"{row[x]:.3g}" if isinstance(row[x], float) else str(row[x]) for x in columns))
    return table


if __name__ == "__main__":
    typer.run(main)

"""Run benchmarks: `python -m benchmarks [NAMES] [--markdown] [--ngspice PROGRAM] ...`; `--help` has the names."""

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

ALL = ("solve", "read", "program", "reduced", "network", "gradients", "energy", "scaling")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Benchmarks to run: {', '.join(ALL)}; default all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File of all rows, as JSON.")] = Path("runs/bench.json"),
    ngspice: Annotated[str, typer.Option(help="ngspice to measure against; from 42 on it has KLU.")] = "ngspice",
    cross_sim: Annotated[Path | None, typer.Option(help="Folder of a checkout of CrossSim 3.2.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables as the documentation has them.")] = False,
) -> None:
    """Print a table per benchmark and write all rows as JSON."""
    console = Console(width=None if sys.stdout.isatty() else 240)
    found: dict[str, Any] = {"machine": machine()}
    for name in names or ALL:
        if name not in ALL:
            raise typer.BadParameter(f"there is no benchmark {name!r}; there are {', '.join(ALL)}.")
        module = import_module(f"benchmarks.{name}")
        rows = list(module.rows(ngspice, cross_sim) if name == "solve" else module.rows())
        if markdown:
            print_markdown(rows)
        else:
            console.print(_table(str(module.__doc__).splitlines()[0], rows))
        found[name] = rows
        with replacing(out) as beside:
            beside.write_text(json.dumps(found, indent=1))
    console.print(f"Written to {out}.")


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in _columns(rows):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(_text(row[column]) for column in _columns(rows)))
    return table


def print_markdown(rows: list[dict[str, Any]]) -> None:
    """Print a table as the documentation has them."""
    columns = _columns(rows)
    print(f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), sep="\n")
    for row in rows:
        print(f"| {' | '.join(_text(row[column]) for column in columns)} |", flush=True)


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Those with any value."""
    return [column for column in rows[0] if any(row[column] != "" for row in rows)]


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    typer.run(main)

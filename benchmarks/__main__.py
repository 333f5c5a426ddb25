"""Run all benchmarks: `python -m benchmarks [solve read network]`."""

import json
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.timing import machine

OUT = Path("runs/bench.json")


def main() -> None:
    """Print a table per benchmark and write all rows as JSON."""
    found = {"machine": machine()}
    for name in sys.argv[1:] or ["solve", "read", "network"]:
        module = import_module(f"benchmarks.{name}")
        rows = list(module.rows())
        table = Table(title=module.__doc__.splitlines()[0], title_justify="left")
        for column in rows[0]:
            table.add_column(column)
        for row in rows:
            table.add_row(*(f"{x:.3g}" if isinstance(x, float) else str(x) for x in row.values()))
        Console().print(table)
        found[name] = rows
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    Console().print(f"Written to {OUT}.")


if __name__ == "__main__":
    main()

"""Tables that `geniex study` writes, for READMEs: points by name, and Markdown.

    .venv/bin/python -m studies.frames studies/sweep/voltages.parquet studies/sweep/sweep.parquet

prints those of files.
"""

import sys
from typing import Any

import polars

from geniex.report.formats import between, half_interval, percent, points, quantity, square_millimetres
from geniex.report.points import closest, labels

__all__ = ["Point", "axes_of", "markdown", "points_of"]

Point = tuple[dict[str, Any], dict[str, dict[str, Any]]]
"""Values by axis, and rows of the table by model."""


def axes_of(table: polars.DataFrame) -> list[str]:
    """The axes of a study, in the order of its file."""
    return table.columns[: table.columns.index("model")]


def points_of(table: polars.DataFrame) -> list[Point]:
    """The points that have results, in the order of the study; the first is the nominal one."""
    axes, found = axes_of(table), {}
    for row in table.filter(polars.col("top1").is_not_null()).iter_rows(named=True):
        found.setdefault(row["key"], ({axis: row[axis] for axis in axes}, {}))[1][row["model"]] = row
    return list(found.values())


def markdown(table: polars.DataFrame) -> str:
    """A row per point: top-1 with half its interval by model, what the physics loses, and what an image takes.

    Points are named by the axes in which they differ from the first one.
    """
    found = points_of(table)
    models = list(dict.fromkeys(model for _, rows in found for model in rows))
    truth = closest(models) or models[-1]
    head = ["point", *models, f"{truth} against digital", "energy", "latency", "area"]
    lines = [head, ["---"] * len(head)]
    all_values = [values for values, _ in found]
    for label, (_, rows) in zip(labels(all_values, all_values[0]), found, strict=True):
        row = rows[truth]
        lost = f"{points(row['difference'])} ({between(row['difference_low'], row['difference_high'])})"
        takes = [quantity(row["energy"], "J"), quantity(row["latency"], "s"), square_millimetres(row["area"])]
        accuracies = [_accuracy(rows.get(model)) for model in models]
        lines.append([label, *accuracies, lost, *takes])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _accuracy(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    half = half_interval(row["top1"], row["low"], row["high"])
    beside = f"({percent(row['low'])} to {percent(row['high'])})" if half is None else f"± {percent(half)}"
    return f"{percent(row['top1'])} {beside}"


if __name__ == "__main__":
    print("\n\n".join(markdown(polars.read_parquet(file)) for file in sys.argv[1:]))

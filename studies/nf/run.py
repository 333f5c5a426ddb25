"""The non-ideality factor NF along four axes, and the ranges of f_R published with the paper: see README.md.

    .venv/bin/python -m studies.nf.run

solves everything anew and writes results.json, the two CSV files and the pictures beside this file.
"""

import csv
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from studies.nf.levels import draw
from studies.nf.measure import Measurement, measure
from studies.nf.plots import draw_plots
from studies.nf.ranges import Range, ranges
from studies.nf.setups import AXES, PUBLISHED, Axis
from studies.nf.tables import tables

from geniex.emulation import MixedDigits

__all__ = ["HERE", "SweepPoint", "main", "sweep"]

HERE = Path(__file__).parent
SEED = 0
SWEEP_COUNT = (256, 32)  # crossbars, inputs of each
RANGE_COUNT = (128, 32)
DIGITS = 6  # significant, in the files


@dataclasses.dataclass(frozen=True)
class SweepPoint:
    """One value of one axis, all else nominal."""

    axis: str
    value: float
    measured: Measurement


def sweep(axes: Sequence[Axis], count: tuple[int, int], seed: int) -> Iterator[SweepPoint]:
    """Measure every value of every axis on the project's mixed digits: the same ones for the same size."""
    for axis in axes:
        for value in axis.values:
            setup = axis.setup(value)
            levels = draw(MixedDigits(setup.window.v_bits, setup.window.g_bits), setup.spec.rows, count, seed)
            yield SweepPoint(axis.name, value, measure(setup, levels, seed))


def main() -> None:
    """Solve, write and draw everything."""
    torch.set_num_threads(1)
    began = time.time()
    points = [_said(point) for point in sweep(AXES, SWEEP_COUNT, SEED)]
    found = [_said(one) for one in ranges(PUBLISHED, RANGE_COUNT, SEED)]
    results = {
        "seed": SEED,
        "sweep_count": SWEEP_COUNT,
        "range_count": RANGE_COUNT,
        "seconds": round(time.time() - began),
        "sweep": [_plain(dataclasses.asdict(point)) for point in points],
        "ranges": [_plain(dataclasses.asdict(one)) for one in found],
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    for name in ("sweep", "ranges"):
        _write_csv(HERE / f"{name}.csv", results[name])
    draw_plots(results, HERE)
    print("\n\n".join(tables(results).values()))
    print(f"\n{results['seconds']} s")


def _said(done: Any) -> Any:
    match done:
        case SweepPoint():
            print(f"{done.axis} {done.value:g}: NF {done.measured.nf.mean:.2f} %", flush=True)
        case Range():
            print(f"{done.name}, {done.drivers} ohm, {done.v_max} V, {done.sampling}: {done.off:.2f} off", flush=True)
    return done


def _plain(value: Any) -> Any:
    """The same with floats of `DIGITS` significant digits."""
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    flat = [dict(_flattened(row)) for row in rows]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, flat[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)


def _flattened(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Columns of a nested row: `nf.mean`, `full.low`."""
    for key, value in row.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield from zip((f"{prefix}{key}.low", f"{prefix}{key}.high"), value, strict=True)
        else:
            yield f"{prefix}{key}", value


if __name__ == "__main__":
    main()

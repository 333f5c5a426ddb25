"""Are the two headline claims of the GENIEx paper true? Yes or no, with the figures: see README.md.

    .venv/bin/python -m studies.claims.run

measures the emulators anew (a minute), takes accuracies from studies/accuracy/results.json, writes claims.json and
claims.svg beside this file, and prints the table.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill

from matplotlib.figure import Figure
from studies.accuracy.cases import HERE as ACCURACY
from studies.accuracy.cases import read
from studies.claims.verdicts import Verdict, verdicts
from studies.emulators.claim import rows
from studies.pictures import INK, drawing, write

from geniex.files import replacing

__all__ = ["draw", "main", "table"]

HERE = Path(__file__).parent
COLOURS = {"yes": "#0072b2", "no": "#d55e00", "consistent": "#56b4e9"}


def main() -> None:
    """Find, write, draw and print all verdicts."""
    found = list(verdicts(list(rows()), read(ACCURACY / "results.json")))
    with replacing(HERE / "claims.json") as beside:
        beside.write_text(json.dumps([{**asdict(v), "answer": v.answer} for v in found], indent=1) + "\n")
    draw(found, HERE / "claims.svg")
    print(table(found))


def table(found: Sequence[Verdict]) -> str:
    """All verdicts, in Markdown."""
    lines = ["| claim | on | beside | claimed | found | |", "|---|---|---|---|---|---|"]
    for v in found:
        margin = "" if v.margin != v.margin else f" ± {v.margin:.1f}"
        lines.append(
            f"| {v.claim} | {v.case} | {v.beside} | {v.claimed:g} {v.unit} | {v.found:.1f}{margin} | {v.answer} |"
        )
    return "\n".join(lines)


def draw(found: Sequence[Verdict], path: Path) -> None:
    """Bars of what was found; a line across each at what was claimed."""
    with drawing():
        figure = Figure(figsize=(8.6, 4.4), layout="constrained")
        for axes, unit in zip(figure.subplots(1, 2), ("times", "points"), strict=True):
            some = [v for v in found if v.unit == unit]
            for row, v in enumerate(some):
                error = 0.0 if v.margin != v.margin else v.margin
                colour = COLOURS[v.answer]
                axes.barh(row, v.found, 0.6, color=colour, xerr=error or None, ecolor=INK, capsize=2)
                axes.plot([v.claimed] * 2, [row - 0.4, row + 0.4], color=INK, linewidth=1.6)
            axes.set_yticks(range(len(some)), [f"{v.case}\n{v.beside}: {v.answer}" for v in some], fontsize=7)
            axes.invert_yaxis()
            axes.set_xlabel(fill(f"{some[0].claim}, {unit}", 36), fontsize=8)
        write(figure, path)


if __name__ == "__main__":
    main()

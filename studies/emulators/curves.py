"""What an emulator's error depends on: reference current, width, data, sampling.

Writes curves.json and curves.svg, and prints the table of README.md.

One change at a time from the shipped recipe of the 64x64 crossbar at 0.25 V, with fewer steps and without corners.
Errors are root mean squares of NF in percent, on unseen crossbars of the training's sampling while it goes on and, at
its end, on crossbars solved by another program (tests/references/emulator).

    python -m studies.emulators.curves             # all cases that curves.json does not hold
    python -m studies.emulators.curves 3 4         # those of these numbers
"""

import dataclasses
import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from studies.emulators.plot import draw
from tests.emulation.references import reference

from geniex import Circuit, Geniex, RangeGuard, Sinh, presets
from geniex.emulation import (
    DatasetPlan,
    DatasetRecipe,
    MixedDigits,
    SampleSource,
    StoredSamples,
    TrainingRecipe,
    TrainingRun,
    make_dataset,
    train,
)
from geniex.files import replacing
from geniex.nf import nf_error
from geniex.window import Window

FOLDER = Path(__file__).parent
RECIPE = TrainingRecipe(steps=6000, inputs=3, precision="bfloat16", checks=60, patience=60)


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        axis: what is varied.
        name: what it is here.
        v_max: largest voltage.
        changes: of the recipe.
        network_share: of the digits.
        crossbars: number of distinct crossbars seen, in a dataset; None is new ones in each step.
    """

    axis: str
    name: str
    v_max: float = 0.25
    changes: dict[str, Any] = field(default_factory=dict)
    network_share: float = 0.5
    crossbars: int | None = None


CASES = [
    *(
        Case(f"reference current, {v_max:g} V", name, v_max, {"curve": curve})
        for v_max, (curve, name) in itertools.product(
            (0.25, 0.5), ((1, "ideal, as in the paper"), (5, "curve of the cell"))
        )
    ),
    *(Case("hidden units", str(width), changes={"hidden": width}) for width in (125, 250, 1000)),
    *(Case("distinct crossbars", f"{count:,}", crossbars=count) for count in (2_000, 10_000, 50_000)),
    *(Case("network-like share", f"{share:g}", network_share=share) for share in (0.0, 1.0)),
    *(Case("inputs per crossbar", str(count), changes={"inputs": count}) for count in (1, 8)),
]


def run(case: Case) -> dict[str, Any]:
    """Train, and follow the error."""
    circuit, sampling = Circuit(presets.nominal_crossbar(), Sinh(0.25)), MixedDigits(network_share=case.network_share)
    window, recipe = Window(case.v_max), dataclasses.replace(RECIPE, **case.changes)
    curve: list[tuple[int, float, float]] = []

    def log(step: int, numbers: dict[str, float]) -> None:
        curve.append((step, numbers["training"], numbers["unseen"]))

    with ExitStack() as stack:
        source: SampleSource | None = None
        if case.crossbars is not None:
            plan = DatasetPlan(circuit, sampling, window, DatasetRecipe(case.crossbars, recipe.inputs))
            dataset = make_dataset(stack.enter_context(tempfile.TemporaryDirectory()), plan)
            source = StoredSamples(dataset, circuit, sampling, window)
        network, card = train(circuit, sampling, window, recipe, TrainingRun(source, log=log))
    return {
        "axis": case.axis,
        "name": case.name,
        "v_max": case.v_max,
        "curve": curve,
        "unseen": {name: error.rmse for name, error in card.errors.items()},
        "reference": _references(network, case.v_max),
        "seconds": card.provenance["seconds"],
    }


def _references(network: Geniex, v_max: float) -> dict[str, float]:
    """Errors of the network and of the linear circuit on crossbars solved by another program."""
    network.guard = RangeGuard("ignore")  # where it is asked for what it has not seen, that is the question
    _, v, g, exact, linear = reference(v_max)
    found = {"geniex": network(v.float(), g.float()), "linear": linear}
    return {name: nf_error(i, exact, v @ g, torch.Generator().manual_seed(0)).rmse for name, i in found.items()}


def table(cases: Sequence[dict[str, Any]]) -> str:
    """Last errors of all cases, in Markdown."""
    lines = ["| varied | | unseen, % | references, % | below linear there | seconds |", "|---|---|---|---|---|---|"]
    order = [(case.axis, case.name) for case in CASES]
    for case in sorted(cases, key=lambda case: order.index((case["axis"], case["name"]))):
        learned, linear = (case["reference"][name] for name in ("geniex", "linear"))
        numbers = f"{case['unseen']['geniex']:.3g} | {learned:.3g} | {linear / learned:.3g} times | {case['seconds']}"
        lines.append(f"| {case['axis']} | {case['name']} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    """Run the cases that curves.json does not hold yet; those named by number, or all."""
    chosen = [CASES[int(k)] for k in sys.argv[1:]] or CASES
    path = FOLDER / "curves.json"
    for case in chosen:
        done = json.loads(path.read_text()) if path.exists() else []
        if any((one["axis"], one["name"]) == (case.axis, case.name) for one in done):
            continue
        found = run(case)
        print(f"{case.axis} {case.name}: unseen {found['unseen']}, references {found['reference']}", flush=True)
        done = json.loads(path.read_text()) if path.exists() else []
        with replacing(path) as beside:
            beside.write_text(json.dumps([*done, found], indent=1))
    cases = json.loads(path.read_text())
    draw(cases, FOLDER / "curves.svg")
    print(table(cases))


if __name__ == "__main__":
    main()

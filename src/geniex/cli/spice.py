"""`geniex spice`: circuits as SPICE decks, and ngspice beside the solver of geniex."""

import math
import shutil
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.spice import Simulator, deck, run_ngspice
from geniex.cli.app import say
from geniex.cli.circuits import DEVICE_HELP, cells, read_circuits
from geniex.devices import DeviceModel
from geniex.files import replacing
from geniex.models.circuit import Circuit

__all__ = ["spice_command"]

RTOL = 1e-12  # of the solver of geniex, as a share of the largest input: below what ngspice reaches


def spice_command(
    circuits: Annotated[Path, typer.Argument(help="npz of circuits, as `geniex solve` reads them.")],
    out: Annotated[
        Path, typer.Option(help="Deck to write, or the folder of the decks where there are several crossbars.")
    ] = Path("runs/spice"),
    simulator: Annotated[Simulator, typer.Option(help="Whose language the decks are in.")] = "ngspice",
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "sinh",
    v0: Annotated[float, typer.Option(help="Voltage at which the sinh bends, in volt; other cells ignore it.")] = 0.25,
    run: Annotated[bool, typer.Option(help="Run ngspice where it is installed, and compare.")] = True,
) -> None:
    """Write circuits as SPICE decks, one per crossbar; run ngspice on them and compare with the solver of geniex."""
    v, g, spec = read_circuits(circuits)
    model = cells(device, v0)
    pairs = list(_crossbars(v.double(), g.double()))
    if not pairs or not v.shape[-2]:
        raise ValueError(f"{circuits} holds no circuits: `v` is {tuple(v.shape)}, `g` is {tuple(g.shape)}.")
    for path, (v_one, g_one) in zip(_paths(out, len(pairs), simulator), pairs, strict=True):
        with replacing(path) as beside:
            beside.write_text(deck(spec, model, v_one, g_one, simulator), encoding="ascii")
    count = "1 deck" if len(pairs) == 1 else f"{len(pairs)} decks"
    say(f"{count} of {spec.rows}x{spec.cols} for {simulator}, {v.shape[-2]} inputs each, written to {out}.")
    if not run:
        return
    if simulator != "ngspice":
        say("Not run: geniex runs ngspice only.")
    elif shutil.which("ngspice") is None:
        say("Not run: ngspice is not installed. `apt install ngspice` on Debian or Ubuntu.")
    else:
        _compare(spec, model, pairs)


def _crossbars(v: Tensor, g: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Voltages (input, row) and conductances (row, col) of each crossbar; leading dimensions broadcast."""
    tiles = torch.broadcast_shapes(v.shape[:-2], g.shape[:-2])
    v, g = (x.expand(*tiles, *x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (v, g))
    return list(zip(v, g, strict=True))


def _paths(out: Path, count: int, simulator: Simulator) -> list[Path]:
    if count == 1 and not out.is_dir():
        return [out]
    if out.is_file():
        raise ValueError(f"`--out {out}` is a file; {count} crossbars need a folder.")
    suffix = "cir" if simulator == "ngspice" else "sp"
    return [out / f"crossbar_{k}.{suffix}" for k in range(count)]


def _compare(spec: CrossbarSpec, device: DeviceModel, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Print the largest difference between ngspice and geniex, as a share of a circuit's largest current, and times."""
    circuit = Circuit(spec, device, RTOL)
    circuit(pairs[0][0][:1], pairs[0][1])  # the first solve loads or compiles the solver, which is not its time
    worst, ours, theirs, version = 0.0, 0.0, 0.0, ""
    for v, g in pairs:
        began = time.perf_counter()
        i = circuit(v, g)
        ours += time.perf_counter() - began
        result = run_ngspice(spec, device, v, g)
        theirs, version = theirs + result.seconds, result.version
        largest = i.abs().amax(-1).clamp(min=math.ulp(0.0))  # no input, no current, no difference
        worst = max(worst, ((result.i - i).abs().amax(-1) / largest).max().item())
    say(
        f"{sum(len(v) for v, _ in pairs)} operating points: {version} took {theirs:.3g} s, geniex {ours:.3g} s. "
        f"The largest difference is {worst:.1e} of a circuit's largest current."
    )

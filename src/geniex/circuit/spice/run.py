"""Run ngspice on a crossbar and read its column currents back in double precision."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.spice.deck import deck, sense_amplifiers
from geniex.devices import DeviceModel

__all__ = ["SpiceResult", "run_ngspice"]


@dataclass(frozen=True)
class SpiceResult:
    """What ngspice computed, and what it took.

    Attributes:
        i: column currents into the sense amplifiers, in ampere.
        seconds: from the start of its process to the end.
        cpu_seconds: of its process, in steps of the system's clock tick, often 0.01 s.
        version: of ngspice.
    """

    i: Float[Tensor, "input col"]
    seconds: float
    cpu_seconds: float
    version: str


def run_ngspice(
    spec: CrossbarSpec,
    device: DeviceModel,
    v: Float[Tensor, "*input row"],
    g: Float[Tensor, "row col"],
    program: str = "ngspice",
) -> SpiceResult:
    """Solve one crossbar for every input with ngspice.

    Args:
        spec: geometry and parasitics.
        device: the cells.
        v: word-line voltages in volt, (row,) or (input, row).
        g: conductances in siemens.
        program: name or path of the program.

    Raises:
        FileNotFoundError: if ngspice is not installed.
        RuntimeError: with the end of its log, if it does not solve the deck.
    """
    if shutil.which(program) is None:
        raise FileNotFoundError(
            f"There is no program {program!r}. Install it: `apt install ngspice` on Debian or Ubuntu."
        )
    version = re.search(r"ngspice-[\w.+]+", _run([program, "--version"]).stdout)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "deck.cir").write_text(deck(spec, device, v, g), encoding="ascii")
        wall, cpu = time.perf_counter(), _children_seconds()
        # -n: without the start-up file of the user, which can change how decks are read.
        done = _run([program, "-n", "-b", "-r", "out.raw", "deck.cir"], folder)
        wall, cpu = time.perf_counter() - wall, _children_seconds() - cpu
        found = _read_raw(Path(folder) / "out.raw")
    i = torch.zeros(1 if v.dim() == 1 else len(v), spec.cols, dtype=torch.float64)
    for node in sense_amplifiers(spec):
        current = found.get(f"i(v_{node})")
        if current is None or current.shape != i.shape[:1] or not np.isfinite(current).all():
            raise RuntimeError(f"ngspice did not solve the deck. Its last lines:\n{_end(done.stderr or done.stdout)}")
        i[:, int(node.rpartition("_")[2])] += torch.from_numpy(current)
    return SpiceResult(i, wall, cpu, version.group() if version else "unknown")


def _run(command: list[str], folder: str | None = None) -> subprocess.CompletedProcess[str]:
    """Whether ngspice succeeded is told from what it writes: its exit status does not say."""
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=False)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _read_raw(path: Path) -> dict[str, np.ndarray]:
    """The vectors of a binary raw file by name; empty where there is no such file, or no whole one."""
    header, _, content = path.read_bytes().partition(b"\nBinary:\n") if path.is_file() else (b"", b"", b"")
    names = re.findall(r"^\t\d+\t(\S+)\t", header.decode(errors="replace"), flags=re.MULTILINE)
    if not names or len(content) % (8 * len(names)):
        return {}
    table = np.frombuffer(content).reshape(-1, len(names))
    return dict(zip(names, table.T.copy(), strict=True))


def _end(log: str) -> str:
    return "\n".join(line for line in log.splitlines()[-12:] if line.strip())

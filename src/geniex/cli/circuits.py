"""`geniex solve`: exact operating points of crossbar circuits in a file."""

from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import numpy as np
import torch
import typer

from geniex.circuit.spec import CrossbarSpec
from geniex.cli.app import say
from geniex.devices import DeviceModel, Ohmic, Sinh
from geniex.devices.description import read_device
from geniex.files import read_npz, replacing
from geniex.models.circuit import Circuit

__all__ = ["DEVICE_HELP", "cells", "read_circuits", "solve_command"]

DEVICE_HELP = (
    "Cells: sinh (I = g v0 sinh(v / v0)), ohmic (I = g v), or a device file (.toml), such as `geniex fit-device` makes."
)
WRITTEN = ("i", "u", "residual", "steps", "converged")
INSIDE = ("cell_currents", "word_lines", "bit_lines", "power")

SIGNALS = ("v", "g")
PARAMETERS = {"r_source": "ohm", "r_sink": "ohm", "r_row": "ohm", "r_col": "ohm", "driven_ends": "", "sensed_ends": ""}
"""What an npz of circuits says of the crossbar, with units; one without a unit is a count."""


def solve_command(
    circuits: Annotated[
        Path,
        typer.Argument(
            help="npz with v (*tile, input, row) in volt, g (*tile, row, col) in siemens, and "
            "r_source, r_sink, r_row, r_col in ohm (left out: 500, 100, 2.5, 2.5), "
            "driven_ends and sensed_ends (left out: 1)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="npz to write: i in ampere, u (cell voltages) and residual in volt, steps, converged."),
    ],
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "sinh",
    v0: Annotated[float, typer.Option(help="Voltage at which the sinh bends, in volt; other cells ignore it.")] = 0.25,
    rtol: Annotated[
        float | None,
        typer.Option(help="Residual as a share of the largest input. Left out: 1e-10, or 2e-6 in float32."),
    ] = None,
    nodes: Annotated[
        bool,
        typer.Option(
            "--nodes",
            help="Write the inside too: cell_currents in ampere, word_lines and bit_lines in volt (*tile, input, row, "
            "col), and power in watt.",
        ),
    ] = False,
) -> None:
    """Solve nonlinear crossbar circuits exactly, many at once."""
    v, g, spec = read_circuits(circuits)
    device_model = cells(device, v0)
    solution = Circuit(spec, device_model, rtol).solve(v, g)
    names = [*WRITTEN, *(INSIDE if nodes else ())]
    arrays: dict[str, Any] = {name: getattr(solution, name).numpy() for name in names}
    with replacing(out) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)
    failed = int((~solution.converged).sum())
    worst = solution.residual.max().item() if solution.residual.numel() else 0.0
    say(
        f"{solution.converged.numel()} circuits of {spec.rows}x{spec.cols}, {shorten(str(device_model), 80)}: "
        f"{int(solution.steps.max()) if solution.steps.numel() else 0} Newton steps at most, "
        f"worst residual {worst:.2e} V. Written to {out}."
    )
    if failed:
        raise RuntimeError(
            f"{failed} circuits did not converge; `converged` in {out} says which. Use float64 or a larger --rtol."
        )


def read_circuits(path: Path) -> tuple[torch.Tensor, torch.Tensor, CrossbarSpec]:
    """Voltages v in volt, conductances g in siemens, and their crossbar, from an npz file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming what is missing, unknown, or not what it should be.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = read_npz(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from error
    wrong = [name for name in content if name not in (*SIGNALS, *PARAMETERS)]
    wrong += [f"(no {name})" for name in SIGNALS if name not in content]
    if wrong:
        raise ValueError(
            f"{path} must hold v, g and any of {', '.join(PARAMETERS)}, nothing else; found {', '.join(wrong)}."
        )
    v, g = (_signal(content[name], name, path) for name in SIGNALS)
    parameters = {name: _parameter(content[name], name, path) for name in PARAMETERS if name in content}
    return v, g, CrossbarSpec(g.shape[-2], g.shape[-1], **parameters)


def cells(device: str, v0: float) -> DeviceModel:
    """The cells that `--device` and `--v0` name: sinh, ohmic, or a device file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if `device` is none of these, or the file describes no device.
    """
    if device.endswith(".toml"):
        return read_device(device)
    if device not in ("sinh", "ohmic"):
        raise ValueError(f"`--device` must be sinh, ohmic, or a device file that ends in .toml; got {device!r}.")
    return Sinh(v0) if device == "sinh" else Ohmic()


def _signal(array: np.ndarray, name: str, path: Path) -> torch.Tensor:
    if array.dtype not in (np.float32, np.float64) or array.ndim < 2:
        raise ValueError(
            f"`{name}` in {path} must be float32 or float64 with at least 2 dimensions; "
            f"got {array.dtype} {array.shape}."
        )
    return torch.from_numpy(array)


def _parameter(array: np.ndarray, name: str, path: Path) -> Any:
    unit = PARAMETERS[name]
    if array.size != 1 or array.dtype.kind not in ("iu" if unit == "" else "iuf"):
        kind = f"one number in {unit}" if unit else "one whole number"
        raise ValueError(f"`{name}` in {path} must be {kind}; got {array.dtype} {array.shape}.")
    return array.item()

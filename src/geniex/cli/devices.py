"""`geniex fit-device`: cells from measured I-V curves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import geniex
from geniex.cli.app import console, say
from geniex.devices.description import write_device
from geniex.measurements import read_curves

if TYPE_CHECKING:
    from geniex.fitting import Comparison

__all__ = ["fit_device_command"]


def fit_device_command(
    data: Annotated[
        Path,
        typer.Argument(
            help="CSV of readings with units in its header: voltage (V), current (A), and state, conductance (S), "
            "resistance (ohm) or gap (nm); prefixes such as mV and uA are known."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Device file to write (.toml); a page of the fit is written beside it.")],
    model: Annotated[
        str,
        typer.Option(
            help="Cells to fit: ohmic, sinh, filament (needs a gap), tabulated, or all, of which the "
            "simplest is written whose error at voltages left out is at most 10 % above the smallest."
        ),
    ] = "all",
) -> None:
    """Fit cells to measured I-V curves, for `geniex solve --device` and for configuration files."""
    if out.suffix != ".toml":
        raise ValueError(f"The device file must end in .toml; got {out}.")
    from geniex.fitting import MODELS, compare  # scipy and plots are slow to import
    from geniex.report.fits import fits_table, write_fits_page

    if model not in (*MODELS, "all"):
        raise ValueError(f"`--model` must be one of {', '.join(MODELS)}, all; got {model!r}.")
    comparison = compare(read_curves(data), None if model == "all" else model)
    chosen = comparison.chosen
    write_device(out, chosen.device, _provenance(comparison, data.name))
    page = out.with_suffix(".html")
    write_fits_page(comparison, page, f"Cells of {data.name}", out.read_text(encoding="utf-8"))
    console.print(fits_table(comparison))
    for name, reason in comparison.reasons.items():
        say(f"{name} was not fitted: {reason}")
    if chosen.corrected:
        say(f"{chosen.corrected} of {chosen.parameters} currents of the table were changed to make it monotone.")
    say(f"{chosen.model} written to {out}. Page: {page.resolve()}")


def _provenance(comparison: "Comparison", source: str) -> str:
    """What a device file says of where it comes from."""
    chosen = comparison.chosen
    width = max(len(curve.name) for curve in comparison.curves)
    return "\n".join(
        [
            f"Cells fitted to {source} by geniex {geniex.__version__}, {datetime.now(UTC).date()}: {chosen.model}.",
            f"Error at voltages left out of the fit: {100 * chosen.held_out:.2g} % of the current, root mean square.",
            f"{'state':{max(width, 5)}}  conductance (S)  RMS error (%)  largest (%)",
            *(
                f"{curve.name:{max(width, 5)}}  {g:<15.6g}  {100 * rms:<13.3g}  {100 * worst:.3g}"
                for curve, g, rms, worst in zip(
                    comparison.curves, chosen.conductances, chosen.rms, chosen.worst, strict=True
                )
            ),
        ]
    )

"""`geniex card`: where a model of the crossbar is right, and where it is not."""

from pathlib import Path
from typing import Annotated

import typer

from geniex.cli.app import console, say
from geniex.configuration import TrainingConfig, read_config
from geniex.devices.description import build_device
from geniex.emulation import MixedDigits, measure_errors
from geniex.files import check_writable
from geniex.loading import check_circuit, load_emulator
from geniex.models.base import CrossbarModel
from geniex.models.circuit import Circuit
from geniex.models.guard import RangeGuard
from geniex.models.reduced import ReducedOrder
from geniex.window import Window

__all__ = ["card_command"]

REDUCED = "reduced"


def card_command(
    model: Annotated[
        str,
        typer.Argument(help="Emulator file, name of one that ships with geniex, or `reduced` (reduced-order model)."),
    ],
    out: Annotated[Path, typer.Argument(help="Page to write (.html); its numbers are written beside it (.json).")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="Training configuration that says what is drawn, and which circuit `reduced` models. Left out: mixed "
            "sparsity, and the nominal crossbar."
        ),
    ] = None,
    order: Annotated[int | None, typer.Option(min=1, max=4, help="Of `reduced`. Left out: 3.")] = None,
    crossbars: Annotated[int, typer.Option(min=1, help="How many to draw and solve.")] = 256,
    inputs: Annotated[int, typer.Option(min=1, help="How many on each.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
) -> None:
    """Errors of a model on unseen crossbars, by voltage, sparsity, column and current, beside linear and ideal."""
    if out.suffix != ".html":
        raise ValueError(f"The page must end in .html; got {out}.")
    check_writable(out)
    from geniex.report.card import write_card  # plots are slow to import
    from geniex.report.table import errors_table

    if model != REDUCED and order is not None:
        raise ValueError(f"`--order` is of `reduced`; {model} has none. Leave it out.")
    settings = None if config is None else read_config(config, TrainingConfig)
    judged, circuit, window, title = _reduced(settings, order or 3) if model == REDUCED else _emulator(model, settings)
    judged.guard = RangeGuard("warn")
    folder = config.parent if config else Path()
    sampling = settings.sampling(folder) if settings else MixedDigits(window.v_bits, window.g_bits)
    card = measure_errors(judged, circuit, sampling, window, (crossbars, inputs), seed)
    write_card(card, out, title)
    console.print(errors_table(title, card.errors))
    say(f"Page: {out.resolve()}")


def _reduced(settings: TrainingConfig | None, order: int) -> tuple[CrossbarModel, Circuit, Window, str]:
    settings = settings or TrainingConfig()
    spec, device, window = settings.crossbar.build(), settings.cell.build(), settings.window()
    levels = window.every_voltage().tolist()
    size = f"{spec.rows} x {spec.cols} at {window.v_max:g} V"
    return ReducedOrder(spec, device, levels, order), Circuit(spec, device), window, f"Reduced order {order}, {size}"


def _emulator(name: str, settings: TrainingConfig | None) -> tuple[CrossbarModel, Circuit, Window, str]:
    """Of the emulator's own circuit, which must be that of the configuration, where there is one."""
    network, card = load_emulator(name)
    if settings:
        check_circuit(name, card, settings)
    circuit = Circuit(card.spec, build_device(card.device))
    return network, circuit, settings.window() if settings else card.window, f"Emulator {name}"

"""The command line: parses, calls, prints. Exit codes: 0, 2 for bad input, 1 for a run that failed."""

from geniex.cli.app import app, readable
from geniex.cli.attribute import attribute_command
from geniex.cli.calibrate import calibrate_command
from geniex.cli.card import card_command
from geniex.cli.chip import chip_command, program_command
from geniex.cli.circuits import solve_command
from geniex.cli.data import pack_command, template_command
from geniex.cli.dataset import dataset_command
from geniex.cli.devices import fit_device_command
from geniex.cli.emulators import info_command, train_command
from geniex.cli.evaluate import demo_command, evaluate_command
from geniex.cli.record import record_command
from geniex.cli.spice import spice_command
from geniex.cli.study import study_app

__all__ = ["app", "main"]

COMMANDS = {
    "demo": demo_command,
    "evaluate": evaluate_command,
    "attribute": attribute_command,
    "calibrate": calibrate_command,
    "program": program_command,
    "chip": chip_command,
    "solve": solve_command,
    "spice": spice_command,
    "record": record_command,
    "dataset": dataset_command,
    "train": train_command,
    "info": info_command,
    "card": card_command,
    "fit-device": fit_device_command,
    "pack": pack_command,
    "template": template_command,
}
"""Every command by name, in the order of the help."""

GO_ON = ("demo", "evaluate", "attribute", "dataset", "train")
"""Those that go on where they were stopped."""

for _name, _command in COMMANDS.items():
    app.command(name=_name)(readable(_command, goes_on=_name in GO_ON))
app.add_typer(study_app, name="study")


def main() -> None:
    """Entry point of the `geniex` command."""
    app()

"""What all commands share: the `typer` app, where they print, how they fail, how they show progress."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

import geniex
from geniex.emulation.samples import Advance

__all__ = ["app", "asset", "console", "progress_bars", "readable", "say", "stages"]

app = typer.Typer(
    name="geniex",
    help="What non-ideal memristive crossbars do to a neural network, checked against the exact circuit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)
KEPT = "What was computed is kept: the same command goes on where it was."
LOST = "Nothing is kept: the same command starts again."


def readable(command: Callable[..., None], goes_on: bool = False) -> Callable[..., None]:
    """Turn errors into one message and an exit code.

    Args:
        command: what runs.
        goes_on: whether it goes on where it was when it is given again.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError) as error:
            _fail(str(error), 2)
        except (RuntimeError, MemoryError) as error:
            _fail(str(error) or type(error).__name__, 1)
        except KeyboardInterrupt:
            _fail(f"Stopped. {KEPT if goes_on else LOST}", 130)

    return run


def say(message: str) -> None:
    """Print text as it is: no markup, no breaks inside the names of files."""
    console.print(Text(message), soft_wrap=True)


def progress_bars() -> Progress:
    """Bars with a note beside each; a task gives `note=""` at its start."""
    return Progress(
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def stages(bars: Progress) -> Advance:
    """What shows the progress of something in stages: a bar for each, made when it begins."""
    tasks: dict[str, TaskID] = {}

    def advance(stage: str, done: int, total: int, note: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total, note="")
        bars.update(tasks[stage], completed=done, note=note)

    return advance


@contextmanager
def asset(name: str) -> Iterator[Path]:
    """A file that ships with geniex."""
    with as_file(files("geniex") / "assets" / name) as path:
        yield path


def _fail(message: str, code: int) -> None:
    errors.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
    raise typer.Exit(code)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        console.print(f"geniex {geniex.__version__}")
        raise typer.Exit

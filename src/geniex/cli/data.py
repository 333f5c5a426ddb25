"""`geniex pack` and `geniex template`: the files that other commands read."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from geniex.cli.app import progress_bars, say
from geniex.configuration import EvaluationConfig, TrainingConfig, template
from geniex.evaluation import Preprocess, pack_folder
from geniex.study import StudyConfig

__all__ = ["pack_command", "template_command"]

KINDS = {"evaluate": EvaluationConfig, "train": TrainingConfig, "study": StudyConfig}


def pack_command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Holds one subfolder of images per class, numbered in sorted order or in that of a file classes.txt; "
            "or images and a file labels.txt with a line `NAME LABEL` for each."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="npz file to write.")],
    resize: Annotated[int | None, typer.Option(help="Length of the shorter side in pixels.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the square cut from the centre, in pixels.")] = None,
    interpolation: Annotated[Literal["bilinear", "bicubic"], typer.Option(help="Of --resize.")] = "bilinear",
) -> None:
    """Make an image file for `geniex evaluate` from a folder of images."""
    prepare = Preprocess(resize=resize, crop=crop, interpolation=interpolation)
    with progress_bars() as bars:
        task = bars.add_task("photos", total=None, note="")

        def advance(stage: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        packed = pack_folder(folder, out, prepare, advance)
    height, width = packed.images.shape[1:3]
    say(f"{len(packed)} images of {height}x{width} in {packed.labels.max() + 1} classes written to {out}.")


def template_command(
    command: Annotated[
        Literal["evaluate", "train", "study"], typer.Argument(help="The command whose configuration file to print.")
    ],
) -> None:
    """Print a configuration file with every field, its default, its meaning and its unit."""
    sys.stdout.write(template(KINDS[command]))

"""Accuracy of networks under every model of the crossbar, on whole test sets: see README.md.

    .venv/bin/python -m studies.accuracy.run nominal_v250 nominal_v500

writes results.json beside this file after every piece of the images, and at the end the picture, and prints the tables.
A run that was killed goes on where it was.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from studies.accuracy.cases import HERE, Subject, chosen, put, read
from studies.accuracy.plot import draw
from studies.accuracy.summary import summarize
from studies.accuracy.tables import MODELS, tables

from geniex.evaluation import LabelledImages, evaluate
from geniex.files import exclusive
from geniex.loading import load_models

__all__ = ["classify", "main"]


def classify(subject: Subject, models: list[str], piece: int, folder: Path, threads: int) -> Iterator[dict[str, Any]]:
    """Classify all images, `piece` at a time, and yield what is known after each piece.

    Args:
        subject: network, images, hardware.
        models: names, as `geniex evaluate` knows them.
        piece: number of images.
        folder: keeps the results of batches.
        threads: batches at a time, each on one thread.
    """
    config, loaded, done = subject.config, load_models(models, subject.config, HERE), []
    options = replace(config.run_options(), threads=threads, folder=folder)
    for start in range(0, len(subject.images), piece):
        images = _part(subject.images, slice(start, start + piece))
        done.append(evaluate(subject.network, images, loaded, config.layer_config(subject.network), options))
        options = replace(options, exact=None, costs=None)  # measured on the first piece
        yield {**summarize(done), "threads": threads, "config": config.model_dump(mode="json")}


def main(
    cases: Annotated[list[str], typer.Argument(help="Which networks on which crossbars.")],
    data: Annotated[Path, typer.Option(help="Folder that studies.accuracy.data wrote.")] = Path("runs/data"),
    work: Annotated[Path, typer.Option(help="Folder for the results of batches.")] = Path("runs/accuracy"),
    models: Annotated[str, typer.Option(help="Separated by commas.")] = ",".join(MODELS),
    images: Annotated[int | None, typer.Option(min=1, help="How many, the first of each case; default all.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Batches at a time.")] = os.cpu_count() or 1,
) -> None:
    """Run the cases one after another, then draw the picture and print the tables."""
    work.mkdir(parents=True, exist_ok=True)
    results = HERE / "results.json"
    with exclusive(work):  # two runs would take the threads of each other, and results.json with them
        for name, case in chosen(cases).items():
            subject = case.load(HERE / f"{name}.toml", data)
            subject = subject if images is None else subject.first(images)
            names = [model.strip() for model in models.split(",")]
            for found in classify(subject, names, case.piece, work / "batches", threads):
                put(results, name, found)
                print(f"{case.title}: {_accuracies(found)}, {len(subject.images)} in all", flush=True)
    draw(read(results), HERE / "accuracy.svg")
    print("\n\n".join(tables(read(results)).values()))


def _part(images: LabelledImages, which: slice) -> LabelledImages:
    return LabelledImages(images.images[which], images.labels[which], images.source)


def _accuracies(found: dict[str, Any]) -> str:
    shares = (f"{model['name']} {100 * model['top1']:.2f} %" for model in found["models"])
    return f"{', '.join(shares)} of {sum(found['images'])}"


if __name__ == "__main__":
    typer.run(main)

"""Whole images through the exact circuit in every read of every layer, and how far the models' logits are from it.

    .venv/bin/python -m studies.accuracy.logits nominal_v250 nominal_v500

writes logits.json beside this file and prints the table. Logits are kept image by image: a run that was killed goes on
where it was.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from jaxtyping import Float
from studies.accuracy.cases import HERE, Subject, chosen, put, read
from studies.accuracy.tables import MODELS, logits_table
from torch import Tensor

from geniex.conversion import convert
from geniex.evaluation.store import fingerprint
from geniex.files import exclusive, read_npz, replacing
from geniex.loading import load_models
from geniex.models.base import CrossbarModel
from geniex.threads import in_order

__all__ = ["classify", "compare", "main"]

EXACT, UNAFFECTED = "circuit", "ideal"


def classify(
    subject: Subject, models: Mapping[str, CrossbarModel | None], folder: Path, threads: int
) -> dict[str, Float[Tensor, "image class"]]:
    """Logits of all images by model, computed or found in `folder`.

    Args:
        subject: network, images, hardware.
        models: by name; None is the digital network.
        folder: keeps the logits of each model in a file named after all that they depend on.
        threads: images at a time, each on one thread.
    """
    x = subject.config.preprocess.build()(subject.images.images)
    return {name: _logits(subject, (name, model), x, folder, threads) for name, model in models.items()}


def compare(logits: Mapping[str, Float[Tensor, "image class"]]) -> dict[str, dict[str, float]]:
    """Distances from the exact circuit by model, over all images.

    Returns:
        by model: `of_effect`, the distance from `circuit` as a share of that of `ideal`, all that non-idealities do;
        `of_logits`, as a share of the norm of the circuit's logits; `largest`, the largest difference of a logit;
        `agree`, the number of images with the same class.
    """
    exact = logits[EXACT].double()
    effect = (logits[UNAFFECTED].double() - exact).norm()
    found = {}
    for name, y in logits.items():
        off = y.double() - exact
        found[name] = {
            "of_effect": (off.norm() / effect).item(),
            "of_logits": (off.norm() / exact.norm()).item(),
            "largest": off.abs().max().item(),
            "agree": int((y.argmax(-1) == exact.argmax(-1)).sum()),
        }
    return {name: numbers for name, numbers in found.items() if name != EXACT}


def main(
    cases: Annotated[list[str], typer.Argument(help="Which networks on which crossbars.")],
    data: Annotated[Path, typer.Option(help="Folder that studies.accuracy.data wrote.")] = Path("runs/data"),
    work: Annotated[Path, typer.Option(help="Folder for logits.")] = Path("runs/logits"),
    models: Annotated[str, typer.Option(help="Separated by commas.")] = ",".join([*MODELS, EXACT]),
    images: Annotated[int, typer.Option(min=1, help="How many, the first of those that `run` classifies.")] = 16,
    threads: Annotated[int, typer.Option(min=1, help="Images at a time.")] = os.cpu_count() or 1,
) -> None:
    """Run the cases one after another. Without `circuit` and `ideal` logits are kept, but nothing is compared."""
    work.mkdir(parents=True, exist_ok=True)
    results, names = HERE / "logits.json", [name.strip() for name in models.split(",")]
    with exclusive(work):
        for name, case in chosen(cases).items():
            subject = case.load(HERE / f"{name}.toml", data).first(images)
            logits = classify(subject, load_models(names, subject.config, HERE), work, threads)
            if {EXACT, UNAFFECTED} <= set(names):
                put(results, name, {"images": images, "models": compare(logits)})
    print(logits_table(read(results)))


def _logits(
    subject: Subject,
    named: tuple[str, CrossbarModel | None],
    x: Float[Tensor, "image 3 height width"],
    folder: Path,
    threads: int,
) -> Float[Tensor, "image class"]:
    """Of one model; the file holds those of the first images."""
    (name, model), config, network = named, subject.config, subject.network
    if model is not None:
        network = convert(network, model, config.layer_config(network)).eval()
    parts = [config.hardware(), config.layers.digital, x, *([] if model is None else [model])]
    path = folder / f"{name}_{fingerprint(subject.network, *parts)}.npz"
    done = list(_kept(path))

    @torch.no_grad()
    def classified(image: Tensor) -> np.ndarray:
        return network(image.unsqueeze(0)).squeeze(0).numpy()

    for y in in_order(x[len(done) :], classified, threads, ahead=threads):
        done.append(y)
        with replacing(path) as beside, beside.open("wb") as file:
            np.savez(file, logits=np.stack(done))
        print(f"{name}: {len(done)} of {len(x)}", flush=True)
    return torch.from_numpy(np.stack(done))


def _kept(path: Path) -> Any:
    """Logits (image, class) of a file; none if it is not there or not whole."""
    try:
        return read_npz(path)["logits"]
    except (ValueError, KeyError):
        return ()


if __name__ == "__main__":
    typer.run(main)

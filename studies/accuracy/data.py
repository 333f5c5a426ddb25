"""What the study reads, in one folder: labelled test images as `geniex evaluate` takes them, and the networks' weights.

    .venv/bin/python -m studies.accuracy.data FOLDER runs/data

FOLDER holds `load.py`, whose functions `cifar(name, split)` and `imagenet_val1300()` return uint8 RGB images (image,
height, width, 3) and their labels, and `weights/` with the files named below.
"""

import runpy
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from geniex.evaluation import LabelledImages
from geniex.files import replacing

__all__ = ["WEIGHTS", "main"]

WEIGHTS = ("squeezenet1_1_imagenet.safetensors", "mobilenet_v1_025_imagenet.safetensors")


def main(
    source: Annotated[Path, typer.Argument(help="Folder with load.py and weights/.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
) -> None:
    """Write cifar100_test.npz and imagenet_val1300.npz, and copy the weights."""
    if not (source / "load.py").is_file():
        raise FileNotFoundError(
            f"There is no {source / 'load.py'}. Name a folder that has one, as studies/accuracy/data.py describes it."
        )
    readers = runpy.run_path(str(source / "load.py"))
    images, labels, *_ = readers["cifar"]("cifar100", "test")
    _write(LabelledImages(images, labels, "the CIFAR-100 test set"), out / "cifar100_test.npz")
    images, labels = readers["imagenet_val1300"]()
    _write(LabelledImages(images, labels, "imagenet_val1300"), out / "imagenet_val1300.npz")
    for name in WEIGHTS:
        with replacing(out / name) as beside:
            shutil.copyfile(source / "weights" / name, beside)


def _write(images: LabelledImages, path: Path) -> None:
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, images=images.images, labels=images.labels.astype(np.int64))
    print(f"{len(images)} images of {images.source} written to {path}.")


if __name__ == "__main__":
    typer.run(main)

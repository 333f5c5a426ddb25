"""Folders of photos: listed first, so that of 50,000 only those are read that a run draws.

A folder per class, numbered in sorted order as torchvision's `ImageFolder` does, or as the lines of a file
`classes.txt` beside them; or a file `labels.txt` with a line `NAME LABEL` per photo. Photos have many sizes: each is
resized and cropped when it is read, by Pillow and with the roundings of torchvision, on whose transforms published
accuracies rest.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from geniex.evaluation.images import LabelledImages, Preprocess
from geniex.evaluation.options import DEFAULTS, Progress
from geniex.files import replacing
from geniex.hints import nearest

__all__ = ["Photos", "list_photos", "pack_folder"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm")
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Photos:
    """Files of labelled photos, not read yet.

    Attributes:
        files: of any size.
        labels: int64 (photo,).
        classes: names, by label; empty where the labels have none.
        source: where they came from, for people.
    """

    files: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.files)

    def drawn(self, seed: int, count: int | None) -> "Photos":
        """`count` photos drawn with `seed`, or all in that order: the order of `LabelledImages.shuffled`."""
        if count is not None and not 1 <= count <= len(self):
            raise ValueError(
                f"The number of images must lie between 1 and {len(self)}, all of {self.source}; got {count}."
            )
        order = np.random.default_rng(seed).permutation(len(self))[:count]
        return Photos(tuple(self.files[k] for k in order), self.labels[order], self.classes, self.source)

    def read(self, prepare: Preprocess, progress: Progress = DEFAULTS.progress) -> LabelledImages:
        """Read all of them, in threads.

        Args:
            prepare: its `resize` and `crop` are applied now, so that all have one size; the rest is not.
            progress: called with "photos", how many are read, and how many there are.

        Raises:
            ValueError: if one cannot be read, or sizes differ.
        """
        images = np.empty(0, np.uint8)
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            for k, photo in enumerate(pool.map(lambda file: _read(file, prepare), self.files)):
                if k == 0:
                    images = np.empty((len(self), *photo.shape), np.uint8)
                if photo.shape != images.shape[1:]:
                    raise ValueError(
                        f"The images of {self.source} have several sizes, such as {_size(images[0])} and "
                        f"{_size(photo)}. Give `resize` and `crop`."
                    )
                images[k] = photo
                progress("photos", k + 1, len(self))
        finally:
            pool.shutdown(cancel_futures=True)
        return LabelledImages(images, self.labels, self.source)


def list_photos(folder: str | os.PathLike[str]) -> Photos:
    """The photos of a folder, in the order of their classes and names, or of `labels.txt`.

    Raises:
        ValueError: if there are none, or `classes.txt` or `labels.txt` does not fit them.
    """
    folder = Path(folder)
    if (folder / "labels.txt").is_file():
        return _labelled(folder)
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    classes = _classes(folder, folders)
    number = {name: label for label, name in enumerate(classes)}
    found = [(number[name], file) for name in folders for file in (folder / name).rglob("*")]
    found = sorted((label, file) for label, file in found if file.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(
            f"{folder} has no subfolders with images ({', '.join(SUFFIXES)}); one subfolder per class is needed, or a "
            "file labels.txt with a line `NAME LABEL` per image."
        )
    labels = np.array([label for label, _ in found], dtype=np.int64)
    return Photos(tuple(file for _, file in found), labels, tuple(classes), str(folder))


def pack_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    preprocess: Preprocess,
    progress: Progress = DEFAULTS.progress,
) -> LabelledImages:
    """Write the photos of a folder to an npz file.

    Args:
        folder: as `list_photos` takes it.
        out: the npz file to write.
        preprocess: its `resize` and `crop` are applied now, so that all images have one size; the rest is not.
        progress: as of `Photos.read`.

    Raises:
        ValueError: if there are no images, one cannot be read, or sizes differ.
    """
    photos, out = list_photos(folder), Path(out)
    packed = photos.read(preprocess, progress)
    arrays = {"images": packed.images, "labels": packed.labels}
    if photos.classes:
        arrays["classes"] = np.array(photos.classes)
    with replacing(out) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    return packed


def _classes(folder: Path, folders: list[str]) -> list[str]:
    """Names of the classes by label; there may be more of them than folders."""
    file = folder / "classes.txt"
    if not file.is_file():
        return folders
    classes = _lines(file)
    twice = [name for name in classes if classes.count(name) > 1] if len(set(classes)) < len(classes) else []
    if twice:
        raise ValueError(f"{file} names {twice[0]!r} twice. A line is the folder of one class, in the order of labels.")
    unknown = [name for name in folders if name not in classes]
    if unknown:
        raise ValueError(
            f"{file} does not name the folder {unknown[0]!r}.{nearest(unknown[0], classes)} A line is the folder of "
            "one class, in the order of labels."
        )
    return classes


def _labelled(folder: Path) -> Photos:
    """What labels.txt lists."""
    files, labels = [], []
    for line in _lines(folder / "labels.txt"):
        name, _, label = line.rpartition(" ")
        if not name or not (label.isascii() and label.isdecimal()):
            raise ValueError(
                f"{folder / 'labels.txt'} has the line {line!r}. A line is `NAME LABEL`, with labels from 0 on."
            )
        files.append(folder / name.strip())
        labels.append(int(label))
    if not files:
        raise ValueError(f"{folder / 'labels.txt'} lists no images. A line is `NAME LABEL`, with labels from 0 on.")
    return Photos(tuple(files), np.array(labels, dtype=np.int64), (), str(folder))


def _lines(file: Path) -> list[str]:
    """Lines with something on them."""
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not text in UTF-8: {error}.") from error


def _read(file: Path, prepare: Preprocess) -> np.ndarray:
    """RGB pixels (height, width, 3), resized and cropped."""
    try:
        with Image.open(file) as image:
            photo = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:  # as Pillow raises
        raise ValueError(f"{file} cannot be read as an image: {error}.") from error
    if prepare.resize is not None and min(photo.size) != prepare.resize:
        shorter = min(photo.size)
        width, height = (int(prepare.resize * side / shorter) for side in photo.size)
        photo = photo.resize((width, height), RESAMPLING[prepare.interpolation])
    return np.asarray(photo if prepare.crop is None else _centre(photo, prepare.crop, file))


def _centre(photo: Image.Image, side: int, file: Path) -> Image.Image:
    width, height = photo.size
    if min(width, height) < side:
        raise ValueError(
            f"`crop` of {side} pixels does not fit {file} of {height}x{width}. Give a smaller `crop` or a `resize`."
        )
    left, top = round((width - side) / 2), round((height - side) / 2)
    return photo.crop((left, top, left + side, top + side))


def _size(pixels: np.ndarray) -> str:
    return "x".join(map(str, pixels.shape[:2]))

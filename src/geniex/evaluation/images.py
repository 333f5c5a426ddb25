"""Labelled images of one size, and what a network wants done to them before it sees them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geniex.files import read_npz

__all__ = ["LabelledImages", "Preprocess", "load_images"]


@dataclass(frozen=True)
class LabelledImages:
    """Images as stored.

    Attributes:
        images: uint8 (image, height, width, 3), RGB.
        labels: int64 (image,).
        source: where they came from, for people.
    """

    images: np.ndarray
    labels: np.ndarray
    source: str

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[-1] != 3:
            raise ValueError(
                f"{self.source}: `images` must be uint8 (image, height, width, 3); "
                f"got {self.images.dtype} {self.images.shape}."
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype.kind not in "iu":
            raise ValueError(
                f"{self.source}: `labels` must be whole numbers ({len(self.images)},); "
                f"got {self.labels.dtype} {self.labels.shape}."
            )
        if not len(self.images):
            raise ValueError(f"{self.source} holds no images.")

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> "LabelledImages":
        """The first `count` images."""
        if not 1 <= count <= len(self):
            raise ValueError(
                f"The number of images must lie between 1 and {len(self)}, all of {self.source}; got {count}."
            )
        return LabelledImages(self.images[:count], self.labels[:count], self.source)

    def shuffled(self, seed: int) -> "LabelledImages":
        """All images in an order drawn with `seed`: files are often sorted by class."""
        order = np.random.default_rng(seed).permutation(len(self))
        return LabelledImages(self.images[order], self.labels[order], self.source)


@dataclass(frozen=True)
class Preprocess:
    """From uint8 RGB images to a network's input: resize, crop, channel order, then (scale x - mean) / deviation.

    Attributes:
        resize: length of the shorter side in pixels; None keeps the size.
        crop: side of the square cut from the centre, in pixels; None keeps everything. Images that are such squares
            already were cut before: they are not resized either.
        channel_order: of the network's input.
        scale: factor on 0..255.
        mean: per channel, in the network's order, after `scale`.
        deviation: per channel, in the network's order, after `scale`.
        interpolation: of `resize`, with antialiasing.
    """

    resize: int | None = None
    crop: int | None = None
    channel_order: Literal["RGB", "BGR"] = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self) -> None:
        for name in ("resize", "crop"):
            side = getattr(self, name)
            if side is not None and side < 1:
                raise ValueError(f"`{name}` must be at least 1 pixel; got {side}.")
        if self.channel_order not in ("RGB", "BGR"):
            raise ValueError(f"`channel_order` must be RGB or BGR; got {self.channel_order!r}.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ValueError(f"`interpolation` must be bilinear or bicubic; got {self.interpolation!r}.")
        if 0 in self.deviation or self.scale == 0:
            raise ValueError(f"`deviation` and `scale` must not be 0; got {self.deviation} and {self.scale}.")

    def __call__(self, images: np.ndarray) -> Float[Tensor, "image 3 height width"]:
        """Prepare uint8 images (image, height, width, 3)."""
        x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
        if x.shape[-2:] != (self.crop, self.crop):
            x = self._sized(x)
        if self.channel_order == "BGR":
            x = x.flip(1)
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.deviation))
        return (x * self.scale - mean) / deviation

    def _sized(self, x: Tensor) -> Tensor:
        if self.resize is not None and min(x.shape[-2:]) != self.resize:
            ratio = self.resize / min(x.shape[-2:])
            size = [max(self.resize, round(side * ratio)) for side in x.shape[-2:]]
            across = [[x.shape[-2], size[1]]] if self.interpolation == "bicubic" else []  # Pillow clips after each axis
            for step in (*across, size):
                x = F.interpolate(x, step, mode=self.interpolation, antialias=True).clamp(0, 255)
        return x if self.crop is None else _centre(x, self.crop)


def load_images(path: str | os.PathLike[str]) -> LabelledImages:
    """Read an npz file with `images` uint8 (n, h, w, 3) and `labels` int64 (n,).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or lacks an array.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no image file {path}. `geniex pack` makes one from a folder of images.")
    try:
        arrays = read_npz(path)
        missing = [name for name in ("images", "labels") if name not in arrays]
        if missing:
            raise ValueError(f"it lacks {' and '.join(missing)}.")
        return LabelledImages(arrays["images"], arrays["labels"], path.name)
    except ValueError as error:
        raise ValueError(f"{path} is not an image file of geniex: {error} `geniex pack` makes one.") from error


def _centre(x: Tensor, side: int) -> Tensor:
    height, width = x.shape[-2:]
    if min(height, width) < side:
        raise ValueError(
            f"`crop` of {side} pixels does not fit images of {height}x{width}. Give a smaller `crop` or a `resize`."
        )
    top, left = (height - side) // 2, (width - side) // 2
    return x[..., top : top + side, left : left + side]

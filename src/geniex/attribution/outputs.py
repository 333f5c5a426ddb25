"""Logits of a network, batch by batch, stored as they are made: a run that was killed goes on where it was."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geniex.evaluation import LabelledImages, RunOptions
from geniex.evaluation.chips import generators_of_reads
from geniex.evaluation.classification import prepared
from geniex.evaluation.store import fingerprint
from geniex.files import read_npz, replacing
from geniex.models.randomness import seed_each

__all__ = ["Witness", "distances", "hits"]

Array = np.ndarray


@dataclass(frozen=True)
class Witness:
    """The images, and how networks are shown them.

    Attributes:
        images: labelled.
        options: of batches and seeds.
        folder: keeps logits of batches; None keeps nothing.
        advance: told a stage, the images done, and their total.
    """

    images: LabelledImages
    options: RunOptions
    folder: Path | None
    advance: Callable[[str, int, int], None]

    @torch.no_grad()
    def logits(self, name: str, make: Callable[[], nn.Module], key: str, seed: int) -> Array:
        """Logits (image, class) of a network.

        Args:
            name: of the stage.
            make: the network; called if any of its logits is not stored.
            key: digest of all that the network depends on.
            seed: with the images of a batch, decides what reads draw.
        """
        size, parts, network = self.options.batch, [], None
        for number in range(math.ceil(len(self.images) / size)):
            self.advance(name, min(number * size, len(self.images)), len(self.images))
            pixels = self.images.images[number * size : (number + 1) * size]
            place = None if self.folder is None else self.folder / f"{fingerprint(key, pixels, seed)}.npz"
            found = _stored(place)
            if found is None:
                network = make() if network is None else network
                found = self._computed(network, pixels, seed)
                _put(place, found)
            parts.append(found)
        self.advance(name, len(self.images), len(self.images))
        return np.concatenate(parts)

    def _computed(self, network: nn.Module, pixels: Array, seed: int) -> Array:
        batch = LabelledImages(pixels, self.images.labels[: len(pixels)], self.images.source)
        x = prepared(network, batch, self.options)
        seed_each(generators_of_reads(network), int(fingerprint(seed, x)[:8], 16))
        return network(x).double().cpu().numpy()


def hits(logits: Array, images: LabelledImages) -> Array:
    """Whether each image is classified correctly, from logits (..., image, class)."""
    return logits.argmax(-1) == images.labels


def distances(logits: Array, digital: Array) -> Array:
    """Of logits (..., image, class) from those of the digital network, as a share of the norm of these, on average."""
    norm = np.sqrt(np.square(digital).sum(-1).mean())
    return np.sqrt(np.square(logits - digital).sum(-1)) / norm


def _stored(place: Path | None) -> Array | None:
    if place is None or not place.is_file():
        return None
    try:
        return read_npz(place)["logits"]
    except (ValueError, KeyError):
        return None


def _put(place: Path | None, logits: Array) -> None:
    if place is not None:
        with replacing(place) as beside, beside.open("wb") as file:
            np.savez(file, logits=logits)

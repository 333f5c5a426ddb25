"""Logits of a network, batch by batch, stored as they are made: a run that was killed goes on where it was."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from geniex.evaluation import LabelledImages, RunOptions
from geniex.evaluation.chips import generators_of_reads
from geniex.evaluation.classification import prepared
from geniex.evaluation.store import fingerprint
from geniex.files import read_npz, replacing
from geniex.models.randomness import seed_each

__all__ = ["Batches", "Witness", "distances", "hits"]

Array = np.ndarray


@dataclass(frozen=True)
class Batches:
    """Prepared images, as often as they are gone through.

    Attributes:
        network: digital; decides device and precision.
        images: labelled.
        options: of their preparation, and of the size of a batch.
    """

    network: nn.Module
    images: LabelledImages
    options: RunOptions

    def __iter__(self) -> Iterator[Tensor]:
        """Batch by batch."""
        size, images = self.options.batch, self.images
        for start in range(0, len(images), size):
            part = slice(start, start + size)
            batch = LabelledImages(images.images[part], images.labels[part], images.source)
            yield prepared(self.network, batch, self.options)


@dataclass(frozen=True)
class Witness:
    """The images, and how networks are shown them.

    Attributes:
        batches: of the images.
        folder: keeps logits of batches; None keeps nothing.
        advance: told a stage, the images done, and their total.
    """

    batches: Batches
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
        parts, network, done, total = [], None, 0, len(self.batches.images)
        for x in self.batches:
            self.advance(name, done, total)
            place = None if self.folder is None else self.folder / f"{fingerprint(key, x, seed)}.npz"
            found = _stored(place)
            if found is None:
                network = make() if network is None else network
                seed_each(generators_of_reads(network), int(fingerprint(seed, x)[:8], 16))
                found = network(x).double().cpu().numpy()
                _put(place, found)
            parts.append(found)
            done += len(x)
        self.advance(name, total, total)
        return np.concatenate(parts)


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

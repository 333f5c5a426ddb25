"""What a convolution's kernel sees: patches gathered from images, and patches added up to images.

Each is the gradient of the other. Both visit the points of the kernel one by one: a point of all patches at once is a
strided part of the images.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from geniex.layers.base import check_numbers

__all__ = ["Windows", "chunks", "gather", "overlap_add", "pixels", "positions", "with_batch"]

CHUNK_VALUES = 2**23  # values of patches and their products held at once


@dataclass(frozen=True)
class Windows:
    """Where a kernel lies on an image, per dimension.

    Attributes:
        kernel: points.
        stride: pixels between neighbouring positions.
        dilation: pixels between neighbouring points.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


def with_batch(x: Tensor, channels: int, sides: Sequence[str]) -> Tensor:
    """Images (image, channel, *size) of the input of a layer, which may be a single image.

    Args:
        x: the input.
        channels: of the layer.
        sides: names of an image's dimensions.

    Raises:
        ValueError: if the input has another shape, or is not floating or not finite.
    """
    if x.dim() - len(sides) not in (1, 2) or x.shape[-1 - len(sides)] != channels:
        raise ValueError(
            f"This layer takes (image, {channels}, {', '.join(sides)}); got an input of shape {tuple(x.shape)}."
        )
    check_numbers(x)
    return x if x.dim() == len(sides) + 2 else x.unsqueeze(0)


def positions(size: Sequence[int], windows: Windows) -> tuple[int, ...]:
    """Positions of the kernel on an image of that size.

    Raises:
        ValueError: if the image is smaller than the kernel.
    """
    reaches = pixels((1,) * len(size), windows)
    if any(side < reach for side, reach in zip(size, reaches, strict=True)):
        raise ValueError(
            f"The kernel of this layer reaches over {reaches} pixels, but an image has {tuple(size)} with its padding. "
            "Give larger images."
        )
    return tuple((side - reach) // step + 1 for side, reach, step in zip(size, reaches, windows.stride, strict=True))


def pixels(count: Sequence[int], windows: Windows) -> tuple[int, ...]:
    """Pixels from the first to the last that `count` positions see."""
    each = zip(count, windows.kernel, windows.stride, windows.dilation, strict=True)
    return tuple((n - 1) * step + (points - 1) * apart + 1 for n, points, step, apart in each)


def gather(x: Shaped[Tensor, "image channel *size"], windows: Windows) -> Tensor:
    """The patch (image, *position, channel, *kernel) at each position, contiguous; differentiable."""
    patches = _Gather.apply(x, windows)
    assert isinstance(patches, Tensor)
    return patches


def overlap_add(patches: Tensor, windows: Windows) -> Shaped[Tensor, "image channel *size"]:
    """The smallest images that hold patches at their positions, added where they overlap; differentiable.

    Args:
        patches: (image, *position, channel, *kernel).
        windows: their positions.
    """
    size = pixels(patches.shape[1 : 1 + len(windows.kernel)], windows)
    images = _OverlapAdd.apply(patches, windows, size)
    assert isinstance(images, Tensor)
    return images


def chunks(images: int, count: Sequence[int], values: int) -> Iterator[tuple[slice, slice]]:
    """Slices of images, and of positions along the first dimension, that hold `CHUNK_VALUES` or a single row.

    Args:
        images: how many there are.
        count: positions of one image, per dimension.
        values: held per position.
    """
    rows = max(1, CHUNK_VALUES // max(1, values * math.prod(count[1:])))
    at_once = max(1, rows // count[0])
    for image in range(0, images, at_once):
        for row in range(0, count[0], rows):
            yield slice(image, image + at_once), slice(row, min(row + rows, count[0]))


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, windows: Windows) -> Tensor:
        ctx.windows, ctx.size = windows, x.shape[2:]
        return _gathered(x, windows)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _OverlapAdd.apply(grad_outputs[0], ctx.windows, ctx.size), None


class _OverlapAdd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, patches: Tensor, windows: Windows, size: Sequence[int]) -> Tensor:
        ctx.windows = windows
        return _added(patches, windows, size)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Gather.apply(grad_outputs[0], ctx.windows), None, None


def _gathered(x: Tensor, windows: Windows) -> Tensor:
    count, channels_last = positions(x.shape[2:], windows), x.movedim(1, -1)
    if math.prod(windows.kernel) == 1:
        seen = channels_last[_seen((0,) * len(count), count, windows)].contiguous()
        return seen.view(*seen.shape, *windows.kernel)
    channels_last = channels_last.contiguous()
    patches = x.new_empty(len(x), *count, x.shape[1], *windows.kernel)
    for point in itertools.product(*map(range, windows.kernel)):
        patches[(..., *point)] = channels_last[_seen(point, count, windows)]
    return patches


def _added(patches: Tensor, windows: Windows, size: Sequence[int]) -> Tensor:
    dims = len(windows.kernel)
    count, channels = patches.shape[1 : 1 + dims], patches.shape[1 + dims]
    images = patches.new_zeros(len(patches), channels, *size)
    channels_last = images.movedim(1, -1)
    for point in itertools.product(*map(range, windows.kernel)):
        channels_last[_seen(point, count, windows)] += patches[(..., *point)]
    return images


def _seen(point: Sequence[int], count: Sequence[int], windows: Windows) -> tuple[slice, ...]:
    """Pixels of images (image, *size, ...) that a point of the kernel sees at all positions."""
    each = zip(point, count, windows.stride, windows.dilation, strict=True)
    slices = [slice(k * apart, k * apart + (n - 1) * step + 1, step) for k, n, step, apart in each]
    return (slice(None), *slices)

"""Patches are those of a plain loop over positions; gathering and adding up are each other's gradients."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv1d, AnalogConv3d
from geniex.layers.patches import Windows, chunks, gather, overlap_add, pixels, positions
from geniex.models.ideal import Ideal


@st.composite
def windows_and_sizes(draw):
    """Kernel, stride, dilation, and an image size; plain, as types are checked on random elements."""
    dims = draw(st.integers(1, 3))
    kernel, stride, dilation = (draw(st.tuples(*[st.integers(1, high)] * dims)) for high in (3, 3, 2))
    reaches = ((points - 1) * apart + 1 for points, apart in zip(kernel, dilation, strict=True))
    return (kernel, stride, dilation), tuple(reach + draw(st.integers(0, 3)) for reach in reaches)


def looped(x, windows):
    """Patches (image, *position, channel, *kernel), pixel by pixel."""
    count = positions(x.shape[2:], windows)
    patches = x.new_zeros(len(x), *count, x.shape[1], *windows.kernel)
    for position in itertools.product(*map(range, count)):
        for point in itertools.product(*map(range, windows.kernel)):
            each = zip(position, windows.stride, point, windows.dilation, strict=True)
            pixel = tuple(n * step + k * apart for n, step, k, apart in each)
            patches[(slice(None), *position, slice(None), *point)] = x[(..., *pixel)]
    return patches


@settings(deadline=None, max_examples=100)
@given(case=windows_and_sizes(), images=st.integers(0, 2), channels=st.integers(1, 3))
def test_patches_are_those_of_a_loop(case, images, channels):
    windows, size = Windows(*case[0]), case[1]
    x = torch.randn(images, channels, *size)
    patches = gather(x, windows)
    assert torch.equal(patches, looped(x, windows))
    assert patches.is_contiguous()


@settings(deadline=None, max_examples=50)
@given(case=windows_and_sizes())
def test_adding_up_is_the_transpose_of_gathering(case):
    """<gather(x), p> = <x, overlap_add(p)>, on integers, which are exact."""
    windows, size = Windows(*case[0]), case[1]
    seen = pixels(positions(size, windows), windows)
    x = torch.randint(-9, 9, (2, 3, *seen)).double()
    p = torch.randint(-9, 9, gather(x, windows).shape).double()
    assert (gather(x, windows) * p).sum() == (x * overlap_add(p, windows)).sum()


@pytest.mark.parametrize(
    "windows", [Windows((3, 2), (2, 1), (1, 2)), Windows((1,), (2,), (1,)), Windows((2,), (1,), (3,))]
)
def test_gradients_are_those_of_finite_differences(windows):
    size = pixels((2,) * len(windows.kernel), windows)
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)
    patches = torch.randn_like(gather(x, windows)).requires_grad_()
    for function, leaf in ((gather, x), (overlap_add, patches)):
        assert torch.autograd.gradcheck(lambda t, f=function: f(t, windows), leaf)
        assert torch.autograd.gradgradcheck(lambda t, f=function: f(t, windows), leaf)


@settings(deadline=None)
@given(
    images=st.integers(1, 9),
    count=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    values=st.integers(1, 100),
    at_once=st.sampled_from([1, 50, 1000, 10**6]),
)
def test_chunks_cover_all_positions_once_and_stay_small(images, count, values, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geniex.layers.patches.CHUNK_VALUES", at_once)
        parts = list(chunks(images, count, values))
    seen = torch.zeros(images, count[0])
    for image, rows in parts:
        seen[image, rows] += 1
        assert (
            seen[image, rows].numel() * values * torch.tensor(count[1:]).prod() <= at_once
            or seen[image, rows].numel() == 1
        )
    assert (seen == 1).all()


def test_images_smaller_than_the_kernel_are_refused():
    config = HardwareConfig()
    with pytest.raises(ValueError, match=r"reaches over \(5,\) pixels, but an image has \(4,\) with its padding"):
        AnalogConv1d(nn.Conv1d(1, 1, 3, dilation=2, padding=1), Ideal(), config)(torch.ones(1, 1, 2))
    with pytest.raises(ValueError, match=r"reaches over \(2, 3, 1\) pixels, but an image has \(2, 2, 2\)"):
        AnalogConv3d(nn.Conv3d(1, 1, (2, 3, 1)), Ideal(), config)(torch.ones(1, 2, 2, 2))

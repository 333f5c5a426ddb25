"""Means and variances of samples against those of the distribution, to five standard errors."""

import math

import torch

ERRORS = 5.0  # a right sampler fails one time in a million; seeds are fixed, so that it never does


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def check_mean(samples, mean, std):
    """`std` is that of one sample."""
    far = (samples.double().mean() - mean).abs().item()
    assert far <= ERRORS * std / math.sqrt(samples.numel())


def check_normal(samples, mean, std):
    """A sample variance of normal numbers has a relative standard error of sqrt(2 / n)."""
    check_mean(samples, mean, std)
    assert abs(samples.double().var().item() / std**2 - 1) <= ERRORS * math.sqrt(2 / samples.numel())


def check_share(hits, share):
    check_mean(hits, share, math.sqrt(share * (1 - share)))

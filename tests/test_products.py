"""Products on whichever library: the same numbers, and what torch.compile is shown."""

import pytest
import torch

from geniex.products import SharedInputs, affine, product

X, W, OFFSET = torch.rand(70, 9) - 0.5, torch.rand(9, 5) - 0.5, torch.rand(5)


@pytest.mark.parametrize("inputs", [0, 1, 64, 70])
def test_products_are_those_of_torch(inputs):
    x = X[:inputs]
    torch.testing.assert_close(product(x, W), x @ W)
    torch.testing.assert_close(affine(x, W, OFFSET), x @ W + OFFSET)
    matrices = torch.stack([W, -W])
    torch.testing.assert_close(SharedInputs(matrices)(x.unsqueeze(0)), x @ matrices)


def test_torch_compile_is_shown_products_that_it_can_fuse(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with torch.profiler.profile() as profile:
        product(X, W)
    names = {event.name for event in profile.events()}
    assert "aten::matmul" in names
    assert not [name for name in names if "mkldnn" in name]

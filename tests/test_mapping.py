"""Mappings hold every signed integer on non-negative cells, and give exact products back. No tolerances."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.mapping import DifferentialPair, OffsetColumn

MAPPINGS = [DifferentialPair(), OffsetColumn()]
each_mapping = pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda m: type(m).__name__)


@each_mapping
@pytest.mark.parametrize("bits", [2, 3, 8, 12, 16])
def test_every_signed_integer_is_stored_in_non_negative_ones(mapping, bits):
    w = torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1), dtype=torch.int32).view(-1, 4)
    stored = mapping.encode(w, bits)
    assert stored.shape == (mapping.arrays, *w.shape)
    assert 0 <= stored.min()
    assert stored.max() < 2**bits


@each_mapping
@settings(deadline=None)
@given(bits=st.integers(2, 16), rows=st.integers(1, 9), cols=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_products_come_back_exactly(mapping, bits, rows, cols, seed):
    generator, largest = torch.Generator().manual_seed(seed), 2 ** (bits - 1)
    w = torch.randint(-largest, largest, (rows, cols), generator=generator, dtype=torch.int32)
    w[0, 0], w[-1, -1] = -largest, largest - 1
    x = torch.randint(-largest, largest, (3, rows), generator=generator).double()
    stored = mapping.encode(w, bits).double()
    assert torch.equal(mapping.decode(x @ stored, x, bits), (x.long() @ w.long()).double())


def test_differential_pair_stores_magnitudes_by_sign():
    stored = DifferentialPair().encode(torch.tensor([[3, -5, 0]]), 4)
    assert stored.tolist() == [[[3, 0, 0]], [[0, 5, 0]]]


def test_offset_column_stores_shifted_weights():
    assert OffsetColumn().encode(torch.tensor([[-8, 0, 7]]), 4).tolist() == [[[0, 8, 15]]]

"""Mappings hold every signed integer on non-negative cells, and give exact products back. No tolerances."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.mapping import DifferentialPair, Mapping, OffsetColumn
from geniex.testing import check_mapping

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


# --- the contract for users' own mappings ---


@each_mapping
@pytest.mark.parametrize("bits", [2, 3, 6, 16])
def test_mappings_keep_their_contract(mapping, bits):
    check_mapping(mapping, bits)


class Wrong(Mapping):
    """A differential pair, spoilt: `encode` and `decode` change what it stores and gives back."""

    arrays = 2

    def __init__(self, encode=lambda stored: stored, decode=lambda y: y):
        self.change_stored, self.change_product = encode, decode

    def encode(self, w, bits):
        return self.change_stored(DifferentialPair().encode(w, bits))

    def decode(self, y, x, bits):
        return self.change_product(DifferentialPair().decode(y, x, bits))


WRONG = {
    "encode makes `arrays` arrays": Wrong(encode=lambda stored: stored[:1]),
    "encode makes whole numbers": Wrong(encode=lambda stored: stored.double()),
    "levels lie in 0 .. 2": Wrong(encode=lambda stored: stored - 1),
    "decode gives the signed products exactly": Wrong(decode=lambda y: y + 2**-10),
    "decode gives the signed": Wrong(encode=lambda stored: stored.clamp(max=31)),  # loses -32, the one extreme
}


@pytest.mark.parametrize("property_", WRONG)
def test_a_mapping_that_breaks_its_contract_is_told_how(property_):
    with pytest.raises(AssertionError, match=f"This should hold: {property_}"):
        check_mapping(WRONG[property_])


def test_the_contract_holds_for_the_mapping_that_was_spoilt():
    check_mapping(Wrong())

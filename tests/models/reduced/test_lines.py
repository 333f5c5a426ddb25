"""A line of cells against dense linear algebra."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import bit_line_resistance, word_line_resistance
from geniex.models.reduced.lines import Line, bit_line, word_line
from tests.tolerances import OTHER_ALGORITHM

resistances = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
specs = st.builds(
    CrossbarSpec,
    st.integers(1, 8),
    st.integers(1, 8),
    *[resistances] * 4,
    driven_ends=st.integers(1, 2),
    sensed_ends=st.integers(1, 2),
)


def _dense(k, d):
    """(K^-1 + D)^-1 = (1 + K D)^-1 K, which needs no inverse of K."""
    return torch.linalg.solve(torch.eye(len(d), dtype=d.dtype) + k * d, k)


@settings(max_examples=100, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_potentials_and_couplings_are_those_of_the_dense_matrix(spec, seed):
    generator = torch.Generator().manual_seed(seed)
    for line, size, resistance in (
        (word_line(spec), spec.cols, word_line_resistance),
        (bit_line(spec), spec.rows, bit_line_resistance),
    ):
        d = 10 ** (4 * torch.rand(size, generator=generator, dtype=torch.float64) - 7)
        d = d * (torch.rand(size, generator=generator) > 0.2)
        k = resistance(spec, d)
        if resistance is bit_line_resistance:
            k = k.flip(0, 1)  # counted from the sense amplifier
        exact = _dense(k, d)
        current = torch.rand(size, generator=generator, dtype=torch.float64)
        scale = max(exact.abs().max().item(), 1e-3)  # no resistance counts as 1e-12 ohm
        close = {"rtol": OTHER_ALGORITHM, "atol": OTHER_ALGORITHM * scale}
        torch.testing.assert_close(line.potentials(d, current), exact @ current, **close)
        a, b = line.coupling(d)
        torch.testing.assert_close((a[:, None] * b).triu(), exact.triu(), **close)


def test_one_node_is_resistors_in_parallel():
    d, i = torch.tensor([1e-3], dtype=torch.float64), torch.tensor([2e-6], dtype=torch.float64)
    parallel = 1 / (1e-3 + 1 / 500 + 1 / 2000)
    assert Line(500.0, 1.0, 2000.0).potentials(d, i).item() == pytest.approx(2e-6 * parallel, rel=1e-12)
    a, b = Line(500.0, 1.0, 2000.0).coupling(d)
    assert (a * b).item() == pytest.approx(parallel, rel=1e-12)

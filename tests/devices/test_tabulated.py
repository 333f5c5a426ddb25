import math

import numpy as np
import pytest
import torch
from scipy.interpolate import PchipInterpolator

from geniex.devices import Sinh, Tabulated
from tests.tolerances import OTHER_ALGORITHM, SAME_ALGORITHM

V = np.array([-0.5, -0.3, -0.1, 0.0, 0.05, 0.2, 0.35, 0.5])
G = np.array([1e-6, 4e-6, 2e-5])
CURRENTS = np.stack([g * 0.2 * np.sinh(V / 0.2) * (1 + 0.3 * np.log(g / 1e-6) * V**2) for g in G])


def table(v=V, g=G, i=CURRENTS):
    return Tabulated(tuple(v.tolist()), tuple(g.tolist()), tuple(map(tuple, i.tolist())))


def tensor(x):
    return torch.tensor(x, dtype=torch.float64)


def test_states_of_the_table_are_scipys_monotone_cubics():
    v = np.linspace(-0.5, 0.5, 401)
    for g, row in zip(G, CURRENTS, strict=True):
        curve = PchipInterpolator(V, row)
        found = table().current(tensor(v), tensor(g)).numpy(), table().slope(tensor(v), tensor(g)).numpy()
        np.testing.assert_allclose(found[0], curve(v), rtol=0, atol=OTHER_ALGORITHM * row.max())
        np.testing.assert_allclose(found[1], curve(v, 1), rtol=0, atol=OTHER_ALGORITHM * curve(v, 1).max())


def test_between_states_the_shape_is_mixed_in_log_g():
    """Halfway in log g, the mean of the two neighbours' I / g."""
    g = math.sqrt(G[0] * G[1])
    v = tensor(np.linspace(-0.5, 0.5, 11))
    ends = [table().current(v, tensor(G[k])) / G[k] for k in (0, 1)]
    torch.testing.assert_close(table().current(v, tensor(g)) / g, sum(ends) / 2, rtol=SAME_ALGORITHM, atol=1e-16)


def test_beyond_the_table_curves_go_on_straight_and_states_keep_their_shape():
    v = tensor([0.5, 0.6, 1.0])
    i = table().current(v, tensor(4e-6))
    steep = table().slope(v, tensor(4e-6))
    torch.testing.assert_close(i - i[0], steep[0] * (v - 0.5), rtol=SAME_ALGORITHM, atol=1e-20)
    for outside, nearest in ((1e-8, 1e-6), (1e-3, 2e-5)):
        expected = table().current(v, tensor(nearest)) * (outside / nearest)
        torch.testing.assert_close(table().current(v, tensor(outside)), expected, rtol=SAME_ALGORITHM, atol=0)


def test_a_table_of_positive_voltages_is_odd_and_has_the_origin():
    v = np.linspace(0.05, 0.5, 10)
    cell = table(v, G[:1], 1e-6 * 0.25 * np.sinh(v / 0.25)[None])
    x = tensor([0.07, 0.31])
    g = tensor(1e-6)
    assert cell.current(tensor(0.0), g) == 0
    torch.testing.assert_close(cell.current(-x, g), -cell.current(x, g), rtol=SAME_ALGORITHM, atol=0)
    torch.testing.assert_close(cell.current(x, g), Sinh().current(x, g), rtol=2e-3, atol=0)  # 50 mV apart


def test_no_state_no_current():
    assert (table().current(tensor([-0.3, 0.0, 0.3]), tensor(0.0)) == 0).all()
    g = tensor(0.0).requires_grad_()
    table().current(tensor(0.3), g).backward()
    assert torch.isfinite(g.grad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: table(i=np.stack([CURRENTS[0], np.where(V == 0.35, CURRENTS[1] / 9, CURRENTS[1]), CURRENTS[2]])),
            r"must not fall as the voltage rises; they do in row 1 \(4e-06 S\) at 0.35 V. Smooth the measurement",
        ),
        (lambda: table(i=CURRENTS[:2]), r"must hold 3 rows, .*of 8 currents.*got 2 rows of \[8\]"),
        (lambda: table(i=CURRENTS[:, :5]), r"got 3 rows of \[5\]"),
        (lambda: table(i=np.where(V == 0.05, np.nan, CURRENTS)), r"row 0 of .* \(1e-06 S\) holds \[nan\]"),
        (lambda: table(i=CURRENTS + 1e-9), r"no current at 0 V; row 0 of .* does"),
        (lambda: table(v=V[::-1]), r"`Tabulated\(voltages=...\)` must ascend; got 0.5 V before 0.35 V"),
        (lambda: table(g=G[::-1]), r"`Tabulated\(conductances=...\)` must ascend; got 2e-05 S before 4e-06 S"),
        (lambda: table(g=G - 1e-6), r"`Tabulated\(conductances=...\)` must be positive; got 0.0 S"),
        (lambda: table(v=V - 1), r"must lie on both sides of 0 V, or start at 0 V or above; got -1.5 to -0.5 V"),
        (lambda: Tabulated((), (1e-6,), ((),)), r"`Tabulated\(voltages=...\)` must hold finite numbers; got \(\)"),
    ],
)
def test_tables_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()

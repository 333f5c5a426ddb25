import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Selector, SeriesAccess, Sinh, Transistor1T1R
from tests.tolerances import SAME_ALGORITHM

volts = st.one_of(st.just(0.0), st.floats(1e-6, 5.0), st.floats(-5.0, -1e-6))
siemens = st.floats(-9, -2).map(lambda x: 10**x)


def memory(x, g, v0):
    return g * v0 * math.sinh(x / v0)


def transistor(y, cell):
    """Level 1 as in SPICE's manual, drain and source swapped for y < 0."""
    z, gate = abs(y), cell.v_gate + max(-y, 0.0)
    drive = gate - cell.v_threshold
    if drive <= 0:
        return 0.0
    flow = drive * z - z * z / 2 if z < drive else drive * drive / 2
    return math.copysign(cell.k * flow * (1 + cell.channel_modulation * z), y)


def divided(excess, v):
    """Root of the excess of the memory's current, between 0 V and v."""
    low, high = min(v, 0.0), max(v, 0.0)
    if excess(low) * excess(high) >= 0:
        return low if abs(excess(low)) < abs(excess(high)) else high
    return brentq(excess, low, high, xtol=1e-300, rtol=1e-15, maxiter=2000)


def check_against_brentq(cell, access, v, g):
    """Current in both forms against SciPy's root: to 1e-9 of it."""
    x = divided(lambda x: memory(x, g, 0.25) - access(v - x), v)
    expected = memory(x, g, 0.25)
    found = cell.current(torch.tensor(v, dtype=torch.float64), torch.tensor(g, dtype=torch.float64)).item()
    scalar = cell.scalar()
    for i in (found, scalar.function(v, g, scalar.parameters)[0]):
        assert i == pytest.approx(expected, rel=1e-9, abs=1e-30)


@settings(max_examples=60, deadline=None)
@given(v=volts, g=siemens, ohm=st.floats(0, 7).map(lambda x: 10**x))
def test_a_resistor_in_series_divides_the_voltage(v, g, ohm):
    check_against_brentq(SeriesAccess(Sinh(0.25), ohm), lambda y: y / ohm, v, g)


@settings(max_examples=60, deadline=None)
@given(v=volts, g=siemens, i0=st.floats(-12, -3).map(lambda x: 10**x), v0=st.floats(0.03, 0.3))
def test_a_selector_in_series_divides_the_voltage(v, g, i0, v0):
    def selector(y):
        return i0 * math.sinh(y / v0)

    check_against_brentq(Selector(Sinh(0.25), i0, v0), selector, v, g)


@settings(max_examples=60, deadline=None)
@given(
    v=volts, g=siemens, gate=st.floats(0.0, 3.0), k=st.floats(-6, -2).map(lambda x: 10**x), modulation=st.floats(0, 0.2)
)
def test_a_transistor_in_series_divides_the_voltage(v, g, gate, k, modulation):
    cell = Transistor1T1R(Sinh(0.25), gate, k=k, channel_modulation=modulation)
    check_against_brentq(cell, lambda y: transistor(y, cell), v, g)


def test_resistors_in_series_add():
    v, g = torch.linspace(-1, 1, 21, dtype=torch.float64), torch.tensor(1e-4, dtype=torch.float64)
    cell = SeriesAccess(Ohmic(), 5000.0)
    torch.testing.assert_close(cell.current(v, g), v / 15000, rtol=SAME_ALGORITHM, atol=0)
    torch.testing.assert_close(cell.slope(v, g), torch.full_like(v, 1 / 15000), rtol=SAME_ALGORITHM, atol=0)


def test_below_threshold_a_crossbar_is_an_open_circuit(random_circuit):
    """No current, and no failure."""
    spec = CrossbarSpec(6, 5)
    v, g = random_circuit(spec)
    solution = NewtonKrylov(spec, Transistor1T1R(Sinh(), v_gate=0.4)).solve(v, g)
    assert solution.converged.all()
    assert (solution.i == 0).all()
    torch.testing.assert_close(solution.u, v.unsqueeze(-1).expand_as(solution.u), rtol=SAME_ALGORITHM, atol=0)


def test_a_gate_per_row_opens_and_closes_rows(random_circuit):
    spec = CrossbarSpec(20, 5)
    v, g = random_circuit(spec)
    gates = tuple(1.2 if row % 3 else 0.0 for row in range(20))
    closed = torch.tensor([gate == 0 for gate in gates])
    rows = NewtonKrylov(spec, Transistor1T1R(Sinh(), gates)).solve(v, g)
    off = NewtonKrylov(spec, Transistor1T1R(Sinh(), 1.2)).solve(v, g.masked_fill(closed[:, None], 0.0))
    assert (rows.cell_currents[:, closed] == 0).all()
    torch.testing.assert_close(rows.i, off.i, rtol=1e-9, atol=0)


def test_gates_need_a_crossbar_of_as_many_rows(random_circuit):
    spec = CrossbarSpec(6, 5)
    v, g = random_circuit(spec)
    with pytest.raises(
        ValueError, match=r"Transistor1T1R has parameters for 2 rows; the crossbar has 6\. Give one per row"
    ):
        NewtonKrylov(spec, Transistor1T1R(Sinh(), (1.0, 1.2))).solve(v, g)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeriesAccess(Sinh(), -1.0), r"`SeriesAccess\(resistance=...\)` must be finite .* got -1.0 ohm"),
        (lambda: Selector(Sinh(), 0.0, 0.1), r"`Selector\(i0=...\)` must be positive; got 0.0 A"),
        (lambda: Selector(Sinh(), 1e-9, math.nan), r"`Selector\(v0=...\)` must be positive; got nan V"),
        (
            lambda: Transistor1T1R(Sinh(), math.inf),
            r"`Transistor1T1R\(v_gate=...\)` must be a finite voltage.*got \(inf,\)",
        ),
        (lambda: Transistor1T1R(Sinh(), ()), r"`Transistor1T1R\(v_gate=...\)` must be .*one per row; got \(\)"),
        (
            lambda: Transistor1T1R(Sinh(), 1.0, math.nan),
            r"`Transistor1T1R\(v_threshold=...\)` must be finite; got nan V",
        ),
        (lambda: Transistor1T1R(Sinh(), 1.0, k=0.0), r"`Transistor1T1R\(k=...\)` must be positive; got 0.0 A/V\^2"),
        (
            lambda: Transistor1T1R(Sinh(), 1.0, channel_modulation=-0.1),
            r"`Transistor1T1R\(channel_modulation=...\)` must be at least 0; got -0.1 1/V",
        ),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()

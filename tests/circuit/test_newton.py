import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.circuit import batched
from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Sinh
from tests.circuit import scipy_reference, spice_cases
from tests.circuit.test_wires import plain_loss
from tests.devices.own import TorchOnly
from tests.tolerances import FLOAT32, OTHER_ALGORITHM, SAME_ALGORITHM

LAWS = {
    Ohmic(): lambda u, g: (g * u, g),
    Sinh(0.25): lambda u, g: (g * 0.25 * math.sinh(u / 0.25), g * math.cosh(u / 0.25)),
}
ways = pytest.mark.parametrize("way", [lambda device: device, TorchOnly], ids=["compiled", "torch"])
resistances = st.one_of(st.just(0.0), st.floats(0.1, 5000.0))
ends = st.integers(1, 2)
specs = st.builds(CrossbarSpec, st.integers(1, 20), st.integers(1, 6), *[resistances] * 4, ends, ends)


def draw(spec, seed, dtype=torch.float64):
    """Voltages of both signs and conductances over two decades, some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.rand(2, spec.rows, generator=generator, dtype=dtype) - 0.5
    g = 10 ** (2 * torch.rand(spec.rows, spec.cols, generator=generator, dtype=dtype) - 6)
    return v, g * (torch.rand(g.shape, generator=generator) > 0.1)


def test_the_reference_files_are_there():
    assert len(spice_cases.PATHS) == 12


@pytest.mark.parametrize("path", spice_cases.PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=["f64", "f32"])
@ways
def test_equals_ngspice(path, dtype, tolerance, way):
    """The tolerances are the promise of the README, as a share of each circuit's largest current."""
    spec, device, v, g, expected = spice_cases.load(path, dtype)
    solution = NewtonKrylov(spec, way(device)).solve(v, g)
    assert solution.converged.all()
    assert spice_cases.error(solution.i[:, 0], expected).max() < tolerance


@ways
@pytest.mark.parametrize("device", LAWS, ids=lambda device: type(device).__name__)
@settings(max_examples=30, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_equals_node_equations_solved_by_scipy(way, device, spec, seed):
    v, g = draw(spec, seed)
    i = NewtonKrylov(spec, way(device), rtol=1e-12).solve(v, g).i
    expected = [scipy_reference.solve(spec, LAWS[device], x.numpy(), g.numpy()) for x in v]
    scale = (v.abs() @ g).max().item()
    np.testing.assert_allclose(i.numpy(), np.stack(expected), rtol=OTHER_ALGORITHM, atol=OTHER_ALGORITHM * scale)


@settings(max_examples=30, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_both_ways_agree(spec, seed):
    """Compiled code and torch, on both residuals of 1e-12 of the drive."""
    v, g = draw(spec, seed)
    compiled, by_torch = (NewtonKrylov(spec, way(Sinh()), rtol=1e-12).solve(v, g) for way in (lambda d: d, TorchOnly))
    assert compiled.converged.all()
    assert by_torch.converged.all()
    scale = by_torch.i.abs().amax(-1, keepdim=True)
    assert ((compiled.i - by_torch.i).abs() <= 1e-10 * scale).all()
    torch.testing.assert_close(compiled.u, by_torch.u, rtol=0, atol=1e-10)


def test_one_ohmic_cell_is_three_resistors_in_series():
    v, g = torch.tensor([[0.2]], dtype=torch.float64), torch.tensor([[1e-5]], dtype=torch.float64)
    i = NewtonKrylov(CrossbarSpec(1, 1, r_source=500.0, r_sink=100.0), Ohmic(), rtol=1e-14).solve(v, g).i
    torch.testing.assert_close(i, v / (600.0 + 1 / g), rtol=SAME_ALGORITHM, atol=0)


@ways
@settings(max_examples=30, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_sources_deliver_what_sinks_receive_and_the_wires_lose_the_rest(way, spec, seed):
    """Kirchhoff's laws on the returned voltages, with losses summed resistance by resistance.

    What is left over is the residual of 1e-10 of the drive, and rounding: twice that is allowed.
    """
    v, g = draw(spec, seed)
    solution = NewtonKrylov(spec, way(Sinh())).solve(v, g)
    cell = solution.cell_currents
    allowed = 2e-10 * v.abs().amax(-1)
    lost = [plain_loss(spec, i) for i in cell]
    left = torch.stack([loss for loss, _ in lost]) + solution.u - v.unsqueeze(-1)
    assert (left.abs().amax((-2, -1)) <= allowed).all()
    torch.testing.assert_close(cell.sum(-2), solution.i, rtol=SAME_ALGORITHM, atol=1e-18)
    used = solution.cell_power.sum((-2, -1)) + torch.stack([power for _, power in lost])
    assert ((solution.power - used).abs() <= allowed * cell.abs().sum((-2, -1))).all()
    torch.testing.assert_close(solution.word_lines - solution.bit_lines, solution.u, rtol=0, atol=1e-15)
    drop = v.unsqueeze(-1) - solution.word_lines
    rise = torch.stack([plain_loss(replace(spec, r_source=0.0, r_row=0.0), i)[0] for i in cell])
    assert ((solution.bit_lines - rise).abs().amax((-2, -1)) <= allowed).all()
    assert ((drop + rise + solution.u - v.unsqueeze(-1)).abs().amax((-2, -1)) <= allowed).all()


@ways
@settings(max_examples=20, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_sinh_circuits_are_odd(way, spec, seed):
    v, g = draw(spec, seed)
    solver = NewtonKrylov(spec, way(Sinh()))
    assert torch.equal(solver.solve(-v, g).i, -solver.solve(v, g).i)


@pytest.mark.parametrize(
    ("device", "bend"),
    [(Ohmic(), lambda v: v), (Sinh(0.25), lambda v: 0.25 * torch.sinh(v / 0.25))],
    ids=["Ohmic", "Sinh"],
)
@ways
def test_without_parasitics_every_cell_sees_the_input(way, device, bend, random_circuit):
    spec = CrossbarSpec(6, 5, 0, 0, 0, 0)
    v, g = random_circuit(spec)
    solution = NewtonKrylov(spec, way(device)).solve(v, g)
    torch.testing.assert_close(solution.i, bend(v) @ g, rtol=SAME_ALGORITHM, atol=0)
    assert (solution.steps <= 1).all()  # one from float32 to float64


@pytest.mark.parametrize("name", ["r_source", "r_sink", "r_row", "r_col"])
def test_zero_ohm_is_the_limit_of_small_resistances(name, random_circuit):
    """A microohm changes currents by about 1e-6 ohm * 1e-5 S * 30 cells."""
    zero, small = (CrossbarSpec(6, 5, **{name: ohm}) for ohm in (0.0, 1e-6))
    v, g = random_circuit(zero)
    i = [NewtonKrylov(spec, Sinh(), rtol=1e-13).solve(v, g).i for spec in (zero, small)]
    torch.testing.assert_close(i[0], i[1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("r_on", [1e3, 1e4, 1e6])
@pytest.mark.parametrize("drivers", [(0.0, 0.0), (10.0, 10.0), (5000.0, 1000.0)], ids=str)
@pytest.mark.parametrize("size", [(16, 16), (48, 20), (3, 80)], ids=str)
@ways
def test_hard_circuits_converge(r_on, drivers, size, way, generator):
    """Low resistances against strong and weak drivers, with inputs well into the exponential."""
    spec = CrossbarSpec(*size, *drivers, r_row=20.0, r_col=20.0)
    v = 1.0 * torch.rand(4, 8, size[0], generator=generator, dtype=torch.float64)
    g = torch.rand(4, *size, generator=generator, dtype=torch.float64) / r_on
    solution = NewtonKrylov(spec, way(Sinh())).solve(v, g)
    assert solution.converged.all()
    assert solution.steps.max() <= 15


@ways
def test_a_circuit_does_not_depend_on_its_batch(way, random_circuit, monkeypatch):
    spec = CrossbarSpec(8, 8, r_source=2000.0)
    v, g = random_circuit(spec, inputs=7)
    v[3] *= 4  # needs more steps than the others
    solver = NewtonKrylov(spec, way(Sinh()))
    whole = solver.solve(v, g)
    single = torch.cat([solver.solve(x[None], g).i for x in v])
    torch.testing.assert_close(whole.i, single, rtol=SAME_ALGORITHM, atol=0)
    monkeypatch.setitem(batched.CHUNK_CELLS, "cpu", 130)
    torch.testing.assert_close(solver.solve(v, g).i, single, rtol=SAME_ALGORITHM, atol=0)


@pytest.mark.parametrize("circuits", [1, 20])
def test_room_is_for_12_arrays_however_many_circuits_there_are(circuits, random_circuit):
    """And for what is returned: voltages and the conductances that they are on."""
    spec = CrossbarSpec(128, 128)
    (v, g), solver = random_circuit(spec), NewtonKrylov(spec, Sinh())
    v = v[:1].expand(circuits, -1)
    solver.currents(v, g)
    tracemalloc.start()
    try:
        solver.currents(v, g)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 12.2 * g.nbytes + 4 * v.nbytes


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads, random_circuit):
    spec = CrossbarSpec(8, 8, r_source=2000.0)
    v, g = random_circuit(spec, inputs=50)
    solver = NewtonKrylov(spec, Sinh())
    alone = solver.solve(v, g)
    try:
        torch.set_num_threads(threads)
        together = solver.solve(v, g)
    finally:
        torch.set_num_threads(1)
    assert torch.equal(alone.u, together.u)
    assert torch.equal(alone.i, together.i)


@ways
def test_a_circuit_that_fails_leaves_the_others_of_its_batch_alone(way, random_circuit):
    """sinh(200 V / 0.25 V) takes more steps than are allowed here."""
    spec = CrossbarSpec(8, 8)
    v, g = random_circuit(spec)
    solver = NewtonKrylov(spec, way(Sinh()), max_steps=5)
    alone = solver.solve(v, g)
    beside = v.clone()
    beside[1] = torch.linspace(0, 200, 8)
    solution = solver.solve(beside, g)
    assert solution.converged.tolist() == [True, False, True]
    torch.testing.assert_close(solution.i[[0, 2]], alone.i[[0, 2]], rtol=SAME_ALGORITHM, atol=0)


@ways
def test_inputs_far_into_the_exponential_converge(way, random_circuit):
    """sinh(5 V / 0.1 V) = 2.6e21: what the wires and drivers leave of the voltage decides."""
    spec = CrossbarSpec(32, 32)
    v, g = random_circuit(spec, v_max=5.0)
    solution = NewtonKrylov(spec, way(Sinh(0.1))).solve(v, g)
    assert solution.converged.all()
    assert (solution.u.abs() <= 5).all()


def test_leading_dimensions_broadcast_as_in_matmul(generator):
    spec = CrossbarSpec(4, 3)
    v = torch.rand(5, 2, 4, generator=generator, dtype=torch.float64)
    g = 1e-5 * torch.rand(6, 1, 4, 3, generator=generator, dtype=torch.float64)
    solver = NewtonKrylov(spec, Sinh())
    solution = solver.solve(v, g)
    assert solution.i.shape == (6, 5, 2, 3)
    assert solution.u.shape == (6, 5, 2, 4, 3)
    assert solution.residual.shape == solution.steps.shape == solution.converged.shape == (6, 5, 2)
    torch.testing.assert_close(solution.i[2, 4], solver.solve(v[4], g[2, 0]).i, rtol=SAME_ALGORITHM, atol=0)


@ways
def test_float32_agrees_with_float64(way, random_circuit):
    spec = CrossbarSpec(32, 32)
    v, g = random_circuit(spec)
    solver = NewtonKrylov(spec, way(Sinh()))
    single = solver.solve(v.float(), g.float())
    assert single.converged.all()
    torch.testing.assert_close(single.i.double(), solver.solve(v, g).i, rtol=FLOAT32, atol=0)


@ways
def test_no_inputs_give_no_solutions(way):
    solution = NewtonKrylov(CrossbarSpec(4, 3), way(Sinh())).solve(torch.zeros(0, 4), torch.ones(4, 3) * 1e-5)
    assert solution.i.shape == (0, 3)


@ways
def test_what_cannot_be_reached_is_reported(way, random_circuit):
    spec = CrossbarSpec(8, 8)
    v, g = random_circuit(spec)
    solution = NewtonKrylov(spec, way(Sinh()), max_steps=1).solve(v, g)
    assert not solution.converged.any()
    assert (solution.residual > 1e-10 * v.amax(-1)).all()
    assert not NewtonKrylov(spec, way(Sinh()), rtol=1e-30).solve(v, g).converged.any()


@pytest.mark.parametrize("rtol", [0.0, -1e-3, 1.0])
def test_a_tolerance_is_a_share(rtol):
    with pytest.raises(ValueError, match=rf"`rtol` must lie between 0 and 1; got {rtol}"):
        NewtonKrylov(CrossbarSpec(2, 2), Ohmic(), rtol)


def test_at_least_one_step_is_needed():
    with pytest.raises(ValueError, match="`max_steps` must be at least 1; got 0"):
        NewtonKrylov(CrossbarSpec(2, 2), Ohmic(), max_steps=0)

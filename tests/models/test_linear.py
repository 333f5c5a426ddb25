import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geniex.circuit.spec import CrossbarSpec
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from tests.circuit import elimination, spice_cases
from tests.tolerances import FLOAT32, OTHER_ALGORITHM, SAME_ALGORITHM

resistances = st.one_of(st.just(0.0), st.floats(1e-3, 1e5))
specs = st.builds(CrossbarSpec, st.integers(1, 9), st.integers(1, 9), *[resistances] * 4)


@settings(max_examples=40, deadline=None)
@given(spec=specs, seed=st.integers(0, 2**16))
def test_equals_direct_elimination(spec, seed):
    """Nothing is shared but the spec. Cells of 0 S included."""
    generator = torch.Generator().manual_seed(seed)
    g = 10 ** (3 * torch.rand(2, spec.rows, spec.cols, generator=generator, dtype=torch.float64) - 6)
    g = g * (torch.rand(g.shape, generator=generator) > 0.1)
    v = torch.rand(2, 3, spec.rows, generator=generator, dtype=torch.float64) - 0.5
    exact = v @ elimination.transfer(spec, g)
    scale = (v.abs() @ g).max().item()
    torch.testing.assert_close(LinearCircuit(spec)(v, g), exact, rtol=OTHER_ALGORITHM, atol=OTHER_ALGORITHM * scale)


@pytest.mark.parametrize("path", [p for p in spice_cases.PATHS if p.stem.startswith("lin")], ids=lambda path: path.stem)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-5)], ids=["f64", "f32"])
def test_equals_ngspice(path, dtype, tolerance):
    """The promise of the README for `Circuit`, kept by this route too."""
    spec, _, v, g, expected = spice_cases.load(path, dtype)
    assert spice_cases.error(LinearCircuit(spec)(v, g)[:, 0], expected).max() < tolerance


def test_gradients_equal_those_through_elimination(random_circuit):
    spec = CrossbarSpec(5, 4, 1000.0, 300.0, 20.0, 30.0)
    v, g = random_circuit(spec)
    gradients = []
    for model in (LinearCircuit(spec), lambda v, g: v @ elimination.transfer(spec, g[None])[0]):
        leaves = v.clone().requires_grad_(), g.clone().requires_grad_()
        (model(*leaves) * torch.arange(4.0)).sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for iterative, direct in zip(*gradients, strict=True):
        torch.testing.assert_close(iterative, direct, rtol=OTHER_ALGORITHM, atol=0)


def test_without_parasitics_it_is_ideal(random_circuit):
    spec = CrossbarSpec(6, 5, 0, 0, 0, 0)
    v, g = random_circuit(spec)
    torch.testing.assert_close(LinearCircuit(spec)(v, g), Ideal()(v, g), rtol=SAME_ALGORITHM, atol=0)


def test_long_resistive_lines_do_not_underflow():
    """A megohm per pitch: potentials fall by a factor of 10 per cell, by 1e300 and more over the line.

    Currents are exact to the solver's residual of 1e-10 of the drive.
    """
    spec = CrossbarSpec(2, 400, r_row=1e6)
    g = torch.full((2, 400), 1e-5, dtype=torch.float64)
    i = LinearCircuit(spec)(torch.ones(1, 2, dtype=torch.float64), g)
    assert torch.isfinite(i).all()
    assert i[0, 0] > 1e-5
    assert (i >= -1e-10 * i[0, 0]).all()
    assert (i.diff(dim=-1) <= 1e-10 * i[0, 0]).all()


def test_float32_agrees_with_float64(random_circuit):
    spec = CrossbarSpec(64, 64)
    v, g = random_circuit(spec)
    single = LinearCircuit(spec)(v.float(), g.float()).double()
    torch.testing.assert_close(single, LinearCircuit(spec)(v, g), rtol=FLOAT32, atol=0)

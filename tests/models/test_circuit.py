import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.models.circuit import Circuit
from tests.devices.own import Cubic
from tests.tolerances import SAME_ALGORITHM

SPEC = CrossbarSpec(4, 3, r_source=3000.0, r_sink=1000.0, r_row=100.0, r_col=200.0)


@pytest.mark.parametrize("device", [Sinh(0.1), Cubic()], ids=lambda device: type(device).__name__)
@pytest.mark.parametrize(("tiles", "inputs"), [((), ()), ((2, 1), (3,)), ((2,), (1,))], ids=["one", "both", "shared v"])
def test_gradients_are_those_of_finite_differences(device, tiles, inputs, generator):
    """Conductances in units of 1e-5 S; the residual of 1e-13 keeps finite differences of 1e-6 meaningful."""
    v = torch.rand(*inputs, 2, 4, generator=generator, dtype=torch.float64) - 0.5
    g = 0.1 + torch.rand(*tiles, 4, 3, generator=generator, dtype=torch.float64)
    circuit = Circuit(SPEC, device, rtol=1e-13)
    leaves = v.requires_grad_(), g.requires_grad_()
    assert torch.autograd.gradcheck(lambda v, g: circuit(v, g * 1e-5) / 1e-5, leaves)


def test_gradients_flow_to_one_side_alone(random_circuit):
    v, g = random_circuit(SPEC)
    circuit = Circuit(SPEC, Sinh())
    both = v.clone().requires_grad_(), g.clone().requires_grad_()
    circuit(*both).sum().backward()
    only_g = g.clone().requires_grad_()
    circuit(v, only_g).sum().backward()
    torch.testing.assert_close(only_g.grad, both[1].grad, rtol=SAME_ALGORITHM, atol=0)


def test_second_derivatives_are_refused(random_circuit):
    v, g = random_circuit(SPEC)
    v.requires_grad_()
    (first,) = torch.autograd.grad(Circuit(SPEC, Sinh())(v, g).sum(), v, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        first.sum().backward()


def test_inference_mode_works_with_a_device_without_slope(random_circuit):
    v, g = random_circuit(SPEC)
    circuit = Circuit(SPEC, Cubic())
    with torch.inference_mode():
        fast = circuit(v, g)
    assert torch.equal(fast, circuit(v, g))


def test_a_solution_holds_the_whole_operating_point(random_circuit):
    v, g = random_circuit(SPEC)
    circuit = Circuit(SPEC, Sinh())
    solution = circuit.solve(v, g)
    assert torch.equal(solution.i, circuit(v, g))
    assert (solution.u <= v.unsqueeze(-1)).all()
    assert (solution.u > 0).all()


def test_the_error_counts_the_circuits_that_failed(random_circuit):
    """Nothing reaches 1e-30 of the drive but circuits at rest."""
    v, g = random_circuit(SPEC)
    v[[0, 2]] = 0.0
    with pytest.raises(RuntimeError, match=r"1 of 3 circuits did not converge: the worst residual is \d.*e-\d\d V"):
        Circuit(SPEC, Sinh(), rtol=1e-30)(v, g)


@pytest.mark.parametrize("leaf", [False, True], ids=["read", "with gradients"])
def test_a_read_that_does_not_converge_says_what_to_do(leaf, random_circuit):
    v, g = random_circuit(SPEC)
    with pytest.raises(
        RuntimeError, match=r"\d of 3 circuits did not converge: the worst residual is .* V.*1e-30.*float64"
    ):
        Circuit(SPEC, Sinh(), rtol=1e-30)(v, g.requires_grad_(leaf))

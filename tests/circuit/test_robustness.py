import pytest
import torch
from studies.robustness.run import RESIDUAL, draw

from geniex.circuit.newton import NewtonKrylov
from tests.devices.own import TorchOnly


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_circuits_converge_with_no_setting_touched(first):
    """A sample of the 10,000 of `python -m studies.robustness.run`."""
    for seed in range(first, first + 100):
        circuit = draw(seed)
        solution = NewtonKrylov(circuit.spec, circuit.device).solve(circuit.v, circuit.g)
        assert solution.converged.all(), f"seed {seed}"
        assert solution.residual.item() <= RESIDUAL * circuit.v.abs().max().item(), f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 120, 40))
def test_so_they_do_in_torch_to_the_same_currents(first):
    for seed in range(first, first + 40):
        circuit = draw(seed, largest=64)
        compiled, torch_only = (
            NewtonKrylov(circuit.spec, device).solve(circuit.v, circuit.g)
            for device in (circuit.device, TorchOnly(circuit.device))
        )
        assert torch_only.residual.item() <= RESIDUAL * circuit.v.abs().max().item(), f"seed {seed}"
        largest = compiled.i.abs().max().item()
        torch.testing.assert_close(
            torch_only.i,
            compiled.i,
            rtol=0,
            atol=1e-7 * largest + 1e-30,
            msg=lambda text, seed=seed: f"seed {seed}: {text}",
        )

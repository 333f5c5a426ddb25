"""The same numbers on a CUDA device: `python -m pytest -m gpu` where there is one."""

import pytest
import torch

from geniex import Circuit, CrossbarSpec, HardwareConfig, Ideal, LinearCircuit, Ohmic, Sinh, convert
from geniex.models.geniex import Geniex, Scaling
from tests.tolerances import OTHER_ALGORITHM

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SPEC = CrossbarSpec(16, 12)
SCALING = Scaling(v_max=0.25, g_min=1e-6, g_max=1e-5, f_min=0.9, f_max=1.3)


@pytest.mark.parametrize(
    "model",
    [Ideal(), LinearCircuit(SPEC), Circuit(SPEC, Ohmic()), Circuit(SPEC, Sinh()), Geniex(SPEC, SCALING).double()],
    ids=lambda model: type(model).__name__,
)
def test_models_compute_the_same_currents_and_gradients(model, generator):
    v = 0.25 * torch.rand(2, 3, 16, generator=generator, dtype=torch.float64)
    g = 1e-6 + 9e-6 * torch.rand(2, 16, 12, generator=generator, dtype=torch.float64)
    found = []
    for device in ("cpu", "cuda"):
        leaves = v.to(device).requires_grad_(), g.to(device).requires_grad_()
        i = model.to(device)(*leaves)
        i.sum().backward()
        found.append([x.cpu() for x in (i, *(leaf.grad for leaf in leaves))])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=OTHER_ALGORITHM, atol=0)


def test_a_converted_network_moves_with_its_model(generator):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    analog = convert(network, Geniex(SPEC, SCALING), HardwareConfig(rows=16, cols=12, g_off=1e-6)).eval()
    exact = convert(network, Ideal(), HardwareConfig(rows=16, cols=12, adc=None)).eval()
    x = torch.rand(2, 3, 8, 8, generator=generator)
    torch.testing.assert_close(analog.cuda()(x.cuda()).cpu(), analog.cpu()(x), rtol=1e-2, atol=1e-2)
    assert torch.equal(exact.cuda()(x.cuda()).cpu(), exact.cpu()(x))  # integers: nothing to round

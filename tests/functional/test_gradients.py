"""Gradients of the analog product: those of x @ w where crossbars are ideal, those of the crossbars where not."""

import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.coding import OffsetInputs, TwoPasses, TwosComplementStreams
from geniex.converters import Adc, Dac, DigitalFloor, DummyColumn, PaperFloor
from geniex.devices import Sinh
from geniex.digital import FixedPoint, Scaled
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.mapping import DifferentialPair, OffsetColumn, TwosComplement
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder

SPEC = CrossbarSpec(6, 5, r_source=1000.0, r_sink=500.0)
NUMBER = FixedPoint(8, 4)


def hardware(**changes):
    return HardwareConfig(
        **{"rows": 6, "cols": 5, "weights": NUMBER, "inputs": NUMBER, "accumulator": None, "adc": None, **changes}
    )


def gradients(model, config, x, w, grad=None):
    """Output, and gradients of sum(grad * output) with respect to x and w."""
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    matmul = AnalogMatmul(model, config)
    y = matmul.differentiable(x, w, matmul.program(w))
    y.backward(torch.ones_like(y) if grad is None else grad)
    return y.detach(), x.grad, w.grad


def numbers(inside=True):
    generator = torch.Generator().manual_seed(3)
    x = 4 * torch.randn(7, 14, generator=generator, dtype=torch.float64)
    w = 4 * torch.randn(14, 3, generator=generator, dtype=torch.float64)
    x[torch.rand(7, 14, generator=generator) < 0.4] = 0
    x[1] = 0
    w[torch.rand(14, 3, generator=generator) < 0.2] = 0
    return (x.clamp(-7.9, 7.9), w.clamp(-7.9, 7.9)) if inside else (x, w)


@pytest.mark.parametrize("floor", [PaperFloor(), DummyColumn(), DigitalFloor()], ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(
    "mapping", [DifferentialPair(), OffsetColumn(), TwosComplement()], ids=lambda m: type(m).__name__
)
@pytest.mark.parametrize("coding", [None, TwoPasses(), TwosComplementStreams(), OffsetInputs()], ids=str)
def test_ideal_crossbars_have_the_gradients_of_the_product(floor, mapping, coding):
    x, w = numbers()
    grad = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    config = hardware(floor=floor, mapping=mapping, signed_inputs=coding, slice_bits=2)
    _, grad_x, grad_w = gradients(Ideal(), config, x, w, grad)
    on_grid = [(t * 16).trunc() / 16 for t in (x, w)]
    # 1e-4: float32 inside
    torch.testing.assert_close(grad_x, grad @ on_grid[1].mT, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(grad_w, on_grid[0].mT @ grad, rtol=1e-4, atol=1e-3)


def test_the_default_hardware_passes_gradients():
    """With its ADC and its accumulator, which truncates."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 70, generator=generator, dtype=torch.float64)
    w = torch.rand(70, 3, generator=generator, dtype=torch.float64) - 0.5
    _, grad_x, grad_w = gradients(Ideal(), HardwareConfig(), x, w)
    # 1e-3: 12 and 13 fraction bits
    torch.testing.assert_close(grad_x, w.sum(-1).expand(4, -1), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(grad_w, x.sum(0)[:, None].expand(-1, 3), rtol=1e-3, atol=1e-2)


def test_numbers_beyond_the_format_have_no_gradient():
    x, w = numbers(inside=False)
    _, grad_x, grad_w = gradients(Ideal(), hardware(), x, w)
    assert (x.abs() > 8).any()
    assert (grad_x[x.abs() > 8] == 0).all()
    assert (grad_w[w.abs() > 8] == 0).all()


def test_a_step_per_channel_scales_gradients():
    x, w = numbers()
    config = hardware(weights=Scaled(8, (0.0625, 0.07, 0.08)), inputs=Scaled(8, 0.0625))
    _, grad_x, _ = gradients(Ideal(), config, x, w)
    steps = torch.tensor([0.0625, 0.07, 0.08], dtype=torch.float64)
    torch.testing.assert_close(grad_x, ((w / steps).round() * steps).sum(-1).expand(7, -1), rtol=1e-4, atol=1e-3)


MODELS = {
    "linear": LinearCircuit(SPEC),
    "circuit": Circuit(SPEC, Sinh(0.25)),
    "reduced": ReducedOrder(SPEC, Sinh(0.25), torch.linspace(0, 0.25, 256)),
    "geniex": Geniex(SPEC, Scaling(v_max=0.25, g_min=1e-5 / 6, g_max=1e-5, f_min=0.8, f_max=1.2), hidden=4).double(),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_the_crossbars(name):
    """One digit per number, and no rounding of readings: then the output moves as the circuit says.

    A step of a digit is a difference quotient of the model; with 8-bit digits it is small enough to tell a slope.
    """
    number = FixedPoint(8, 0)
    config = HardwareConfig(
        6,
        5,
        number,
        number,
        slice_bits=8,
        dac=Dac(8),
        adc=Adc(32, full_scale=1e-4),
        accumulator=None,
        floor=PaperFloor(),
    )
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(20, 120, (1, 6), generator=generator).double()
    w = torch.randint(20, 120, (6, 2), generator=generator).double()
    model = MODELS[name]
    _, grad_x, grad_w = gradients(model, config, x, w)
    matmul = AnalogMatmul(model, config)

    def output(x, w):
        return matmul.multiply(x, matmul.program(w)).sum()

    for leaf, found in ((x, grad_x), (w, grad_w)):
        at = (0, 1)
        up, down = leaf.clone(), leaf.clone()
        up[at] += 1
        down[at] -= 1
        quotient = (output(up, w) - output(down, w)) / 2 if leaf is x else (output(x, up) - output(x, down)) / 2
        # 2e-3: the second difference of a curve over one level of 255
        torch.testing.assert_close(found[at], quotient, rtol=2e-3, atol=0)


def test_gradients_do_not_depend_on_chunks(monkeypatch):
    x, w = numbers()
    whole = gradients(LinearCircuit(SPEC), hardware(), x, w)
    monkeypatch.setattr("geniex.functional.gradients.CHUNK_CURRENTS", 1)
    for one, other in zip(whole, gradients(LinearCircuit(SPEC), hardware(), x, w), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)  # float32 sums in another order

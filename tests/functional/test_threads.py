"""Inputs that threads share: which thread reads what, and that nobody sees a difference."""

import threading

import numpy as np
import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.converters import Adc
from geniex.devices import Sinh
from geniex.digital import FixedPoint
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.models.circuit import Circuit
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder

SPEC = CrossbarSpec(6, 5)
MODELS = [LinearCircuit(SPEC), ReducedOrder(SPEC, Sinh(), [0.25 * k / 15 for k in range(16)]), Circuit(SPEC, Sinh())]
RNG = np.random.default_rng(5)
WEIGHTS = RNG.uniform(-8, 8, (14, 3))


def analog(x, w, model, config):
    """The product of numpy matrices x (input, row) and w (row, col), on crossbars."""
    return AnalogMatmul(model, config).program(torch.tensor(w)).multiply(torch.tensor(x)).numpy()


def hardware(**changes):
    number = FixedPoint(8, 4)
    return HardwareConfig(**{"rows": 6, "cols": 5, "weights": number, "inputs": number, "accumulator": None, **changes})


class Witness(Ideal):
    """Ideal crossbars that say which thread reads them, and when two do at once."""

    def __init__(self, generator=None):
        super().__init__()
        self.generator, self.seen, self.meeting = generator, set(), threading.Barrier(2, timeout=20)

    def program(self, g):
        read = super().program(g)

        def seen(v):
            self.seen.add(threading.current_thread())
            if self.generator is None:
                self.meeting.wait()
            return read(v)

        return seen


@pytest.fixture
def two_threads(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr("geniex.functional.programmed.FEWEST_READS", 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_share_the_inputs_unless_reads_draw():
    x = RNG.uniform(0.5, 1.0, (2, 5))  # one row tile: each thread reads once
    w = WEIGHTS[:5]
    shared, drawing = Witness(), Witness(torch.Generator())
    assert (analog(x, w, shared, hardware()) == analog(x, w, drawing, hardware())).all()
    assert len(shared.seen) == 2
    assert drawing.seen == {threading.current_thread()}
    noisy = Witness()
    noisy.meeting = threading.Barrier(1)
    analog(x, w, noisy, hardware(adc=Adc(8, noise=0.5, generator=torch.Generator())))
    assert noisy.seen == {threading.current_thread()}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_results_do_not_depend_on_the_number_of_threads(model, mode):
    x = RNG.normal(size=(301, 14)).astype(np.float32)
    with mode():
        shared = analog(x, WEIGHTS, model, hardware(adc=Adc(14, full_scale=1e-5)))
    torch.set_num_threads(1)
    with mode():
        assert (analog(x, WEIGHTS, model, hardware(adc=Adc(14, full_scale=1e-5))) == shared).all()
